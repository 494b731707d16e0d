"""Is a record whole?  Asked once, when it is read, so that nothing later has to ask again."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError
from .compact import AGAIN, STEPS, unpack

KEYS = ("name", "title", "dataset", "config", "classes", "test", "units")


def decode_bits(bits: str) -> np.ndarray:
    """Turn `"0101"` into bool [N]: which test videos a classifier gets right.

    Raises:
        DataError: a character is neither 0 nor 1.
    """
    if strange := set(bits) - {"0", "1"}:
        raise DataError(f"a row of 0 and 1 holds {sorted(strange)}; {AGAIN}.")
    return np.frombuffer(bits.encode(), dtype=np.uint8) == ord("1")


def checked(raw: Any, where: str) -> dict[str, Any]:
    """Return the record if it is whole.

    Args:
        where: the file it was read from, for the message.

    Raises:
        DataError: it is not the record of a study, lacks something or contradicts itself.
    """
    if not isinstance(raw, dict) or raw.get("kind") != "study":
        raise DataError(f"{where} is not the record of a study; run the study to write one.")
    if missing := [key for key in KEYS if key not in raw]:
        raise DataError(f"{where} lacks {', '.join(missing)}; {AGAIN}.")
    try:
        _check_units(raw, where)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where} is damaged ({type(error).__name__}: {error}); {AGAIN}.") from None
    return raw


def _check_units(raw: dict[str, Any], where: str) -> None:
    videos = len(raw["test"]["label"])
    if len(raw["test"].get("group") or raw["test"]["label"]) != videos:
        raise DataError(f"{where} has not a group for each of {videos} test videos; {AGAIN}.")
    units = [(unit["fraction"], unit["seed"]) for unit in raw["units"]]
    if len(set(units)) < len(units):
        raise DataError(f"{where} has a seed twice at the same labels; {AGAIN}.")
    for unit in raw["units"]:
        for kept, key in ((unit["cells"], "right"), (unit.get("pretraining", {}), "linear_right")):
            for name, measured in kept.items():
                shown = name if name.isprintable() else ascii(name)  # it may hold line ends
                which = f"{shown} of seed {unit['seed']!r} at {100 * unit['fraction']:g} % labels"
                if len(measured[key]) != videos:
                    raise DataError(
                        f"{where}: {which} has {len(measured[key])} results for {videos} test "
                        f"videos; {AGAIN}."
                    )
                if "p" in measured:  # older records have none
                    _check_probabilities(measured, raw, f"{where}: {which}")


def _check_probabilities(measured: dict[str, Any], raw: dict[str, Any], where: str) -> None:
    """Refuse probabilities of another shape or range, or that contradict right and wrong."""
    label = np.asarray(raw["test"]["label"])
    try:
        p = unpack(measured["p"], len(label), len(raw["classes"]))
    except DataError as error:
        raise DataError(f"probabilities recorded for {where} cannot be read: {error}") from None
    # The first class is named among equals before rounding, so equals after it prove nothing.
    second, first = np.partition(p, -2)[:, -2:].T
    clear = first - second > 1 / STEPS
    if ((p.argmax(1) == label) != decode_bits(measured["right"]))[clear].any():
        raise DataError(f"{where} has probabilities that contradict right and wrong; {AGAIN}.")

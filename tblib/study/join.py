"""Join the records of a study that was run in parts: some seeds here, some groups of cells there.

What two parts both measured has to be the same, value for value.  Parts that disagree come from
other code or another kind of processor, and their differences would be read as effects.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ConfigError, DataError
from ..files import read_json, write_json
from ..settings.config import Profile
from .check import checked
from .conduct import every_unit, unit_config
from .record import RESULTS, settings

FREE = ("name", "title", "study", "runtime")  # settings in which parts may differ
# of the cards of one unit
SAME = ("device", "precision", "threads", "training_code", "measuring_code", "versions")


def join(config: Profile, paths: Sequence[Path], results: Path = RESULTS) -> Path:
    """Write `results/study/<profile>.json` from the records of its parts.

    Args:
        config: the profile of the whole study; parts may have less under `study`.
        paths: the records; where two hold the same unit, the first gives the card.

    Raises:
        ConfigError: a part has other settings, seeds or shares of labels than the profile, or there
            is only one.
        DataError: a part is no record, has other test videos, or contradicts another one.
    """
    if len(paths) < 2:
        raise ConfigError("--join needs the records of at least two parts of the study.")
    parts = [checked(read_json(path), str(path)) for path in paths]
    units: dict[tuple[int, float], dict[str, Any]] = {}
    for path, part in zip(paths, parts, strict=True):
        _check_part(config, part, parts[0], path)
        for unit in part["units"]:
            key = unit["seed"], unit["fraction"]
            units[key] = _united(units[key], unit, path) if key in units else unit
    wanted = [key for key in every_unit(config) if key in units]
    if strange := units.keys() - set(wanted):
        seed, fraction = min(strange)
        raise ConfigError(
            f"the parts have seed {seed} at {100 * fraction:g} % labels, the profile {config.name} "
            "has not; add it there or to --set."
        )
    for key in wanted:
        units[key]["card"] |= {"config": unit_config(config, *key).digest()}
    whole = {"title": config.title, "config": settings(config)}
    whole |= {"units": [units[key] for key in wanted]}
    return write_json(results / f"{config.name}.json", parts[0] | whole)


def _check_part(config: Profile, part: dict, first: dict, path: Path) -> None:
    """Refuse a part of another study."""
    # A record older than a setting was made as its default says.
    there = _flat(settings(Profile(name=config.name))) | _flat(part["config"])
    here = _flat(settings(config))
    if different := sorted(k for k in there | here if there.get(k) != here.get(k)):
        shown = "; ".join(
            f"{k}: {there.get(k)!r} there, {here.get(k)!r} here" for k in different[:3]
        )
        raise ConfigError(
            f"{path} was made with other settings than {config.name} ({shown}); "
            "only parts of one study can be joined."
        )
    if part["test"] != first["test"]:
        raise DataError(f"{path} has other test videos than the first part; run it with the same.")


def _flat(found: dict) -> dict[str, Any]:
    """Name settings like `student.steps`; those that parts may have for themselves are left out."""
    kept = {k: v for k, v in found.items() if k not in FREE}
    return pd.json_normalize(kept).to_dict("records")[0]


def _united(one: dict, other: dict, path: Path) -> dict[str, Any]:
    """Put what two parts know of one seed and share of labels together."""
    where = f"{path}: seed {one['seed']} at {100 * one['fraction']:g} % labels"
    for key in SAME:
        known, new = (unit["card"].get(key) for unit in (one, other))  # old cards have fewer keys
        if known != new:
            raise DataError(
                f"{where} has {key} {new!r}, the parts before {known!r}; "
                "systems of one seed are compared with each other and must be made alike."
            )
    united = {**one}
    for key in ("cells", "pretraining", "similarity", "mixed"):
        known, new = one[key], other[key]
        for name in sorted(known.keys() & new.keys()):
            if _measured(known[name]) != _measured(new[name]):
                raise DataError(f"{where} has other results for {name} than the parts before.")
        united[key] = known | {name: new[name] for name in new if name not in known}
    if one["s"] and other["s"] and one["s"] != other["s"]:
        raise DataError(f"{where} has other scores s(v) than the parts before.")
    united["s"] = one["s"] or other["s"]
    if "constant" in one:  # older records have none
        united["constant"] = one["constant"] if one["s"] else other["constant"]
    trained = [*united["cells"].values(), *united["pretraining"].values()]
    united["card"] = one["card"] | {"seconds": round(sum(m["seconds"] for m in trained), 1)}
    return united


def _measured(found: Any) -> str:
    """Write a result as text, without the time it took, which differs between equal trainings."""
    kept = {k: v for k, v in found.items() if k != "seconds"} if isinstance(found, dict) else found
    return json.dumps(kept, sort_keys=True)

"""Which chapters there are, and how a person may name them."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, did_you_mean
from ..files import ROOT as ROOT

FOLDER = ROOT / "notebooks"


def chapters() -> dict[str, Path]:
    """Return the notebook sources by two-digit chapter number, in reading order."""
    return {path.name[:2]: path for path in sorted(FOLDER.glob("[0-9][0-9]_*.py"))}


def source(chapter: str | int) -> Path:
    """Return the source of a chapter given as `2`, `"02"` or `"02_ssl_pretraining"`.

    Raises:
        ConfigError: there is no such chapter.
    """
    known = chapters()
    number = str(chapter).zfill(2)
    for path in known.values():
        if path.stem == str(chapter):
            return path
    if number not in known:
        names = [path.stem for path in known.values()]
        raise ConfigError(f"chapter {chapter!r} does not exist; {did_you_mean(chapter, names)}.")
    return known[number]


def numbers(chapter: str | int) -> list[str]:
    """Return two-digit numbers: one chapter, or every one for `all`.

    Raises:
        ConfigError: there is no such chapter.
    """
    return list(chapters()) if chapter == "all" else [source(chapter).name[:2]]

"""Cached files with their SHA-256 beside them: what was written is what is read."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..errors import DataError
from ..files import atomic_write, sha256


def note(place: Path) -> Path:
    """Return where the SHA-256 of a file is kept."""
    return place.with_suffix(".sha256")


def seal(place: Path) -> None:
    """Write the SHA-256 of a finished file beside it."""
    digest = sha256(place)
    atomic_write(note(place), lambda temporary: temporary.write_text(digest))


@cache
def check(place: Path, changed: int) -> None:
    """Compare a file with the SHA-256 beside it, once in each process and for each change.

    Args:
        changed: its time of change in nanoseconds.

    Raises:
        DataError: they differ; both files are removed.
    """
    kept = note(place)
    if not kept.is_file() or kept.read_text(errors="replace").strip() != sha256(place):
        for path in (place, kept):
            path.unlink(missing_ok=True)
        raise DataError(
            f"cached frames {place} were damaged: their SHA-256 is not the one noted. The file was "
            "removed; run the same command again and it is decoded anew."
        )

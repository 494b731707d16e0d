"""Which files have the same content, whatever their names: a video is its bytes, not its path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ..errors import DataError
from ..files import sha256


def alike(paths: Iterable[str]) -> list[list[str]]:
    """Group the files that have the same content; files without a copy are left out.

    Only files of equal size are read, so this costs nothing where all sizes differ.
    """
    by_size = defaultdict(list)
    for path in paths:
        by_size[Path(path).stat().st_size].append(path)
    by_content = defaultdict(list)
    for same in by_size.values():
        for path in same if len(same) > 1 else ():
            by_content[_digest(path)].append(path)
    return [same for same in by_content.values() if len(same) > 1]


def _digest(path: str) -> str:
    """Return a file's SHA-256, computed once for all its names and links."""
    status = Path(path).stat()
    return _digest_of(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@cache
def _digest_of(path: str, *identity: int) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); allow reading it.") from None


def without_copies(rows: list[dict], files: dict[str, str]) -> tuple[list[dict], tuple[str, ...]]:
    """Keep one row for each content.

    Args:
        rows: dicts with `video`, `class_name`, `split` (None if it is yet to be drawn) and `at`.
        files: the file of each video; videos without one are kept.

    Returns:
        The rows that stay, and the files of those left out.

    Raises:
        DataError: the same content is for training and for testing, or of two classes.
    """
    of_file = {files[row["video"]]: row for row in reversed(rows) if row["video"] in files}
    order = {row["video"]: at for at, row in enumerate(rows)}
    dropped: dict[str, str] = {}
    for same in alike(of_file):
        # a video with a class stays rather than its copy without one
        videos = {p: of_file[p]["video"] for p in same}
        rank = {p: (not of_file[p]["class_name"], len(v), order[v]) for p, v in videos.items()}
        twins = sorted(same, key=rank.get)
        first, *others = [of_file[path] for path in twins]
        for other in others:
            _refuse_two_meanings(first, other)
        dropped |= {of_file[path]["video"]: path for path in twins[1:]}
    kept = [row for row in rows if row["video"] not in dropped]
    return kept, tuple(dropped.values())


def _refuse_two_meanings(first: dict, other: dict) -> None:
    where = f"{first['at']} and {other['at']} are the same video, byte for byte, but"
    if None not in (first["split"], other["split"]) and first["split"] != other["split"]:
        sides = f"{first['split']} and for {other['split']}"
        raise DataError(f"{where} {first['video']} and {other['video']} are for {sides}; keep one.")
    if other["class_name"] not in ("", first["class_name"]):
        classes = f"{first['class_name']!r} and of {other['class_name']!r}"
        raise DataError(f"{where} they are of class {classes}; keep one.")

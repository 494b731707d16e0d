"""What is in a folder of videos: the files by names that people compare, and what is not taken.

Names are compared as file systems do: `e` with an accent is one letter however it is written
(Unicode NFC and NFD), and an ending may be in capitals.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from ..files import shown

# The first one found counts, where a list names a video without its ending.
SUFFIXES = (
    *(".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"),
    *(".ts", ".mts", ".m2ts", ".ogv", ".divx", ".asf", ".vob"),
)
# Folders that systems and devices make: thumbnails of a NAS, a recycle bin, a Mac's archive.
SYSTEM = {"@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information",
          "__macosx", "lost+found", "__pycache__"}  # fmt: skip


@dataclass(frozen=True)
class Walk:
    """The video files below a folder in the order of their paths; the rest by why it was left.

    Attributes:
        files: videos.
        left: names of files and folders that were not taken, by reason.
    """

    files: list[Path]
    left: dict[str, list[str]]


def same_name(name: str) -> str:
    """Return one spelling for all that look alike."""
    return unicodedata.normalize("NFC", name)


def is_video(path: str | Path) -> bool:
    """Say whether a name has the ending of a video."""
    return Path(path).suffix.lower() in SUFFIXES


def walk(root: Path) -> Walk:
    """List what is below a folder; each folder is read once, however many links lead to it.

    Raises:
        DataError: a folder cannot be read, or the name of a video is not UTF-8.
    """
    files: list[Path] = []
    left: dict[str, list[str]] = defaultdict(list)
    seen: set[tuple[int, int]] = set()
    above = {_identity(folder) for folder in root.resolve().parents}
    waiting = [root]  # links after all real folders: a link is no second home
    for top in waiting:
        if _identity(top) in seen | above:
            left["links to folders that are read anyway"].append(top.name)
            continue
        for folder, below, names in os.walk(top, onerror=_refuse):
            if _identity(folder) in seen:
                below.clear()
                continue
            seen.add(_identity(folder))
            ours = [name for name in sorted(below) if not _hidden(name)]
            left["hidden and system folders"] += [n for n in below if _hidden(n)]
            linked = [name for name in ours if Path(folder, name).is_symlink()]
            waiting += [Path(folder, name) for name in linked]
            below[:] = [name for name in ours if name not in linked]
            for name in names:
                _sort(Path(folder, name), files, left)
    return Walk(sorted(files), {reason: names for reason, names in left.items() if names})


def _sort(path: Path, files: list[Path], left: dict[str, list[str]]) -> None:
    if path.name.startswith("."):
        left["hidden files"].append(path.name)
    elif not is_video(path):
        left[f"files without the ending of a video ({path.suffix.lower() or 'none'})"].append(
            path.name
        )
    elif not path.is_file():
        left["links to files that are not there"].append(path.name)
    else:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise DataError(f"the name of {shown(path)} is not UTF-8; rename the file.") from None
        files.append(path)


def _identity(folder: str | Path) -> tuple[int, int]:
    status = Path(folder).stat()
    return status.st_dev, status.st_ino


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM


def _refuse(error: OSError) -> None:
    raise DataError(
        f"the folder {shown(error.filename)} cannot be read ({error.strerror}); allow reading it, "
        "or move it out of the folder of videos."
    )


def index(files: list[Path], root: Path) -> dict[str, dict[str, Path]]:
    """Return the files by their path below a folder without ending, then by ending.

    Names are in the spelling of `same_name`, endings in small letters.
    """
    found: dict[str, dict[str, Path]] = {}
    for file in files:
        name = same_name(str(file.relative_to(root).with_suffix("")))
        found.setdefault(name, {}).setdefault(file.suffix.lower(), file)
    return found

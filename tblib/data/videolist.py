"""The CSV that names videos of your own: `path,label,split` and, if wanted, `group`."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path, PurePosixPath

from ..errors import DataError
from .lists import read_text
from .walk import SUFFIXES, is_video, same_name

COLUMNS_HELP = "path,label,split and, if wanted, group; split is train, val or test"
SPLITS = {"train": "train", "test": "test", "val": "val", "validation": "val"}


def read_csv(path: Path, root: Path) -> list[dict]:
    """Read a CSV of videos.

    Args:
        root: the folder that paths start from, and may not lead out of.

    Returns:
        One dict per video: `video` (the path without its ending), `file`, `class_name` ("" for a
        training video without a class), `group` ("" where none is named), `split` and `at` (file
        and line).

    Raises:
        DataError: a column is missing, or a line is malformed, repeated or leads out of the folder.
    """
    if path.is_dir():
        raise DataError(f"data.lists={path} is a folder; name a CSV file ({COLUMNS_HELP}).")
    lines = _records(path)
    header = [name.strip() for name in lines[0][1]] if lines else []
    if absent := [name for name in ("path", "label", "split") if name not in header]:
        raise DataError(
            f"{path} line 1: the column {absent[0]} is missing; needed: {COLUMNS_HELP}."
        )
    rows: dict[str, dict] = {}
    for at, cells in lines[1:]:
        row = _row(dict(zip(header, cells, strict=False)), f"{path} line {at}", root)
        earlier = rows.setdefault(row["video"], row)
        if earlier is not row:
            raise DataError(f"{row['at']}: {row['video']} is listed again; see {earlier['at']}.")
    return list(rows.values())


def _records(path: Path) -> list[tuple[int, list[str]]]:
    """Return the line (from 1) and the cells of each record; quoted cells may hold line ends."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    begins, found = 1, []
    try:
        for cells in reader:
            found.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path} line {begins}: it is no CSV ({error}).") from None
    return [(at, cells) for at, cells in found if any(cell.strip() for cell in cells)]


def _row(cells: dict[str, str], where: str, root: Path) -> dict:
    raw, cells = cells.get("path") or "", {key: cell.strip() for key, cell in cells.items()}
    file, name, part = (cells.get(key) or "" for key in ("path", "label", "split"))
    if raw != file and is_video(raw) and (root / raw).is_file():
        file = raw  # blanks at its ends belong to the name
    if not file or (not name and part not in ("", "train")):
        raise DataError(
            f"{where}: it needs a path, and a label unless it is an unlabelled video for training "
            f"({COLUMNS_HELP})."
        )
    part = part or ("" if name else "train")
    if part not in SPLITS:
        raise DataError(f"{where}: split {part!r} is unknown; allowed: {', '.join(SPLITS)}.")
    if not is_video(file):
        raise DataError(f"{where}: {file} is no video; allowed endings: {', '.join(SUFFIXES)}.")
    file = _below(file, where, root)
    video = same_name(file.removesuffix(PurePosixPath(file).suffix))
    row = {"video": video, "file": file, "class_name": same_name(name)}
    return row | {"group": cells.get("group") or "", "split": SPLITS[part], "at": where}


def _below(file: str, where: str, root: Path) -> str:
    """Return a path from the root on in its one spelling: `./a//b.mp4` is `a/b.mp4`."""
    whole = os.path.normpath(root / file)
    if not whole.startswith(f"{str(root).rstrip('/')}/"):
        raise DataError(
            f"{where}: {file} leads out of {root}; set data.root to a folder that holds all videos."
        )
    return os.path.relpath(whole, root)

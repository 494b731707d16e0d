"""Any folder of videos: one sub-folder per class, or a CSV that names files and classes."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from pathlib import Path

import pandas as pd

from ..errors import DataError
from .lists import read_lines
from .table import SUFFIXES, VideoSet, assemble, walk_videos

PARTS = {"train": "train", "test": "test", "val": "test", "validation": "test"}
COLUMNS_HELP = "path,label,split and, if wanted, group; split is train or test"


def folder(
    root, lists=None, classes=None, test_fraction: float = 0.2, allow_missing: float = 0.0
) -> VideoSet:
    """Read videos of your own.

    * With a CSV (`lists`): columns `path` (below `root`), `label`, `split` and perhaps `group`.
    * `root/train/<class>/…` and `root/test/<class>/…`: the folders tell the split.
    * `root/<class>/…`: a share of each class is drawn for testing, the same one every time.

    Without a column `group` every video is its own group.

    Args:
        root: folder below which the videos are.
        lists: a CSV file, or None.
        classes: keep only these.
        test_fraction: share of each class for testing where nothing else tells.
        allow_missing: largest share of videos of a CSV that may be absent.

    Raises:
        DataError: the folder or CSV is missing, a line is malformed (with file and line), a class
            has no video on one side, or a group is on both.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise DataError(f"the folder of videos {root} does not exist; set data.root.")
    root = root.resolve()
    path = None if lists is None else Path(lists).expanduser()
    rows = _from_folders(root, test_fraction) if path is None else read_csv(path)
    known = sorted({row["class_name"] for row in rows})
    files = {row["video"]: root / row["file"] for row in rows}

    def find(names: pd.Series) -> list[str | None]:
        return [str(files[name]) if files[name].is_file() else None for name in names]

    return assemble(root.name, root, path or root, known, classes, rows, find, allow_missing)


def read_csv(path: Path) -> list[dict]:
    """Read a CSV of videos.

    Returns:
        One dict per video: `video` (the path without its suffix), `file`, `class_name`, `group`,
        `split` and `at` (file and line).

    Raises:
        DataError: a column is missing, or a line is malformed or repeated.
    """
    if path.is_dir():
        raise DataError(f"data.lists={path} is a folder; name a CSV file ({COLUMNS_HELP}).")
    lines = read_lines(path)
    header = next(csv.reader([lines[0][1]])) if lines else []
    if absent := [name for name in ("path", "label", "split") if name not in header]:
        raise DataError(
            f"{path} line 1: the column {absent[0]} is missing; needed: {COLUMNS_HELP}."
        )
    rows: dict[str, dict] = {}
    for at, line in lines[1:]:
        cells = next(csv.reader([line]))
        row = _row(dict(zip(header, map(str.strip, cells), strict=False)), f"{path} line {at}")
        earlier = rows.setdefault(row["video"], row)
        if earlier is not row:
            raise DataError(f"{row['at']}: {row['video']} is listed again; see {earlier['at']}.")
    return list(rows.values())


def _row(cells: dict[str, str], where: str) -> dict:
    file, name, part = (cells.get(key, "") for key in ("path", "label", "split"))
    if not file or not name:
        raise DataError(f"{where}: it needs a path and a label ({COLUMNS_HELP}).")
    if part not in PARTS:
        raise DataError(f"{where}: split {part!r} is unknown; allowed: {', '.join(PARTS)}.")
    if Path(file).suffix.lower() not in SUFFIXES:
        raise DataError(f"{where}: {file} is no video; allowed endings: {', '.join(SUFFIXES)}.")
    video = file.removesuffix(Path(file).suffix)
    group = cells.get("group") or video
    row = {"video": video, "file": file, "class_name": name, "group": group}
    return row | {"split": PARTS[part], "at": where}


def _from_folders(root: Path, test_fraction: float) -> list[dict]:
    """Take class and, where there are folders `train` and `test`, split from the path."""
    rows, told = [], None
    for path in walk_videos(root):
        *folders, _ = path.relative_to(root).parts
        part = PARTS.get(folders[0]) if len(folders) == 2 else None
        if len(folders) not in (1, 2) or (len(folders) == 2 and part is None):
            raise DataError(
                f"{path} is neither in {root}/<class>/ nor in {root}/train/<class>/ or "
                f"{root}/test/<class>/; move it, or name your files in a CSV (data.lists: "
                f"{COLUMNS_HELP})."
            )
        if told is not None and told != (part is not None):
            raise DataError(f"{root} has videos both in train/test folders and in class folders.")
        told = part is not None
        video = str(path.relative_to(root).with_suffix(""))
        row = {"video": video, "file": str(path.relative_to(root)), "class_name": folders[-1]}
        rows.append(row | {"group": video, "split": part, "at": str(path)})
    if not rows:
        raise DataError(f"no video ({', '.join(SUFFIXES)}) below {root}; set data.root.")
    return rows if told else _draw(rows, test_fraction)


def _draw(rows: list[dict], test_fraction: float) -> list[dict]:
    """Draw the test videos of each class by a digest of their names; at least one of each."""
    by_class = defaultdict(list)
    for row in rows:
        by_class[row["class_name"]].append(row)
    tests = set()
    for name, members in by_class.items():
        if len(members) < 2:
            raise DataError(f"class {name} has one video only, {members[0]['at']}; two are needed.")
        members.sort(key=lambda row: hashlib.sha256(row["video"].encode()).hexdigest())
        count = min(max(1, round(test_fraction * len(members))), len(members) - 1)
        tests |= {row["video"] for row in members[:count]}
    return [row | {"split": "test" if row["video"] in tests else "train"} for row in rows]

"""Kinetics-400: ten-second clips of web videos, named by their address and time.

The official lists `train.csv` and `val.csv` have the columns `label`, `youtube_id`, `time_start`,
`time_end` and `split`.  Videos vanish from the web, so every copy lacks some.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from ..errors import DataError
from .lists import read_lines
from .table import VideoSet, assemble, walk_videos

NEEDED = ("label", "youtube_id", "time_start", "time_end")
NAMES = {"train": ("train.csv",), "test": ("val.csv", "validate.csv", "validation.csv")}
HOW_TO_GET = (
    "Get Kinetics-400 (see the page 'Data and licences') so that train.csv, val.csv and the clips "
    "<youtube_id>_<start>_<end>.mp4 exist, in any folders below one root"
)


def kinetics400(root, lists=None, classes=None, allow_missing: float = 0.0) -> VideoSet:
    """Read Kinetics-400 with its official training and validation lists; tests use the latter.

    Clips are found by name wherever they lie below `root`, so every common layout will do.

    Args:
        root: folder below which the clips are.
        lists: folder with `train.csv` and `val.csv`; None looks in `annotations` and `lists` of
            `root`, and in `root` itself.
        classes: keep only these; names as in the lists, with `_` for spaces.
        allow_missing: largest share of listed videos that may be absent.

    Raises:
        DataError: a folder or list is missing, more videos are missing than allowed, or a line is
            malformed (with file and line).
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise DataError(f"the Kinetics-400 folder {root} does not exist. {HOW_TO_GET}.")
    root = root.resolve()
    paths = _lists(root, lists)
    rows = [row for part, path in paths.items() for row in read_csv(path, part)]
    known = sorted({row["class_name"] for row in rows})
    return assemble(
        "kinetics400", root, paths["train"].parent, known, classes, rows,
        lambda names: _by_stem(root, names), allow_missing,
    )  # fmt: skip


def read_csv(path: Path, part: str) -> list[dict]:
    """Read an official list.

    Returns:
        One dict per video: `video` ("abseiling/0347ZoDXyP0_000095_000105"), `class_name`, `group`
        (the web video), `split` and `at` (file and line).

    Raises:
        DataError: a column is missing, or a line is malformed or repeated.
    """
    lines = read_lines(path)
    header = next(csv.reader([lines[0][1]])) if lines else []
    if absent := [name for name in NEEDED if name not in header]:
        raise DataError(f"{path} line 1: the column {absent[0]} is missing; needed: {NEEDED}.")
    rows: dict[str, dict] = {}
    for at, line in lines[1:]:
        row = _row(dict(zip(header, next(csv.reader([line])), strict=False)), f"{path} line {at}")
        earlier = rows.setdefault(row["video"], row | {"split": part})
        if earlier["at"] != row["at"]:
            raise DataError(f"{row['at']}: {row['video']} is listed again; see {earlier['at']}.")
    return list(rows.values())


def _row(cells: dict[str, str], where: str) -> dict:
    start, end = cells.get("time_start", ""), cells.get("time_end", "")
    if not (cells.get("label") and cells.get("youtube_id") and start.isdigit() and end.isdigit()):
        raise DataError(
            f"{where}: it needs a label, a youtube_id and whole seconds of start and end."
        )
    name, web = cells["label"].replace(" ", "_"), cells["youtube_id"]
    video = f"{name}/{web}_{int(start):06d}_{int(end):06d}"
    return {"video": video, "class_name": name, "group": web, "at": where}


def _lists(root: Path, lists) -> dict[str, Path]:
    places = [root / "annotations", root / "lists", root]
    if lists is not None:
        places = [Path(lists).expanduser()]
    found = {}
    for part, names in NAMES.items():
        there = [place / name for place in places for name in names if (place / name).is_file()]
        if not there:
            looked = ", ".join(map(str, places))
            raise DataError(f"no {names[0]} in {looked}. {HOW_TO_GET}, or set data.lists.")
        found[part] = there[0]
    return found


def _by_stem(root: Path, names: pd.Series) -> list[str | None]:
    """Find each clip by its file name, wherever it is."""
    files = {path.stem: str(path) for path in reversed(walk_videos(root))}
    return [files.get(name.rpartition("/")[2]) for name in names]

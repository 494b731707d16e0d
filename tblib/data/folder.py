"""Any folder of videos: one sub-folder per class, or a CSV that names files and classes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from ..errors import DataError
from .copies import without_copies
from .table import VideoSet, assemble
from .testpart import draw
from .videolist import COLUMNS_HELP, read_csv
from .walk import SUFFIXES, Walk, index, same_name, walk

SIDES = {"train": "train", "test": "test", "val": "val", "validation": "val"}
UNLABELLED = ("unlabelled", "unlabeled")
ALONE = (
    "each video counts as a group of its own, so a person or place may be seen in training and in "
    "testing: if several videos show the same one, say so by data.group_pattern or in a CSV"
)


def folder(
    root, lists=None, classes=None, test_fraction: float = 0.2, allow_missing: float = 0.0,
    group_pattern: str | None = None,
) -> VideoSet:  # fmt: skip
    """Read videos of your own.

    * With a CSV (`lists`): columns `path` (below `root`), `label`, `split` and perhaps `group`.
    * `root/train/<class>/…`, `root/test/<class>/…` and perhaps `root/val/…` tell the part.
    * `root/<class>/…`: a share of each class is drawn for testing, the same one every time.
    * `root/unlabelled/…`, or a line of the CSV without a label: training videos without a class.

    Files of the same content are one video.  Without a group every video is its own group.

    Args:
        root: folder below which the videos are.
        lists: a CSV file, or None.
        classes: keep only these.
        test_fraction: share of each class for testing where nothing else tells.
        allow_missing: largest share of videos of a CSV that may be absent.
        group_pattern: a regular expression with a part named `group`, for names of files.

    Raises:
        DataError: folder or CSV is missing, a line is malformed (with file and line), a class has
            no video on one side, or a group or content is on both sides or content in two classes.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise DataError(f"the folder of videos {root} does not exist; set data.root.")
    root, path = root.resolve(), None if lists is None else Path(lists).expanduser()
    if path is None:
        seen = walk(root)
        rows = _from_folders(root, seen)
        files = {row["video"]: str(row.pop("file")) for row in rows}
    else:
        rows = read_csv(path, root)
        files = _listed_files(root, rows)
    _put_into_groups(rows, group_pattern)
    once, copies = without_copies(rows, _of_once(rows, files))
    rows, notes = _with_parts(once, test_fraction)
    known = sorted({row["class_name"] for row in rows} - {""})
    found = assemble(
        root.name, root, path or root, known, classes, rows,
        lambda names: [files.get(name) for name in names], allow_missing,
    )  # fmt: skip
    return VideoSet(found.name, root, found.classes, found.table, found.missing, copies, notes)


def _of_once(rows: list[dict], files: dict[str, str]) -> dict[str, str]:
    """Leave videos that are listed twice to the check that names both lines."""
    times = Counter(row["video"] for row in rows)
    return {video: file for video, file in files.items() if times[video] == 1}


def _listed_files(root: Path, rows: list[dict]) -> dict[str, str]:
    """Find the files of a CSV; names that only look like those on the disk are found as well."""
    files = {row["video"]: root / row["file"] for row in rows}
    absent = {video for video, file in files.items() if not file.is_file()}
    if absent:
        here = index(walk(root).files, root)
        for video in absent:
            others = here.get(same_name(video), {})
            files[video] = others.get(files[video].suffix.lower(), files[video])
    return {video: str(file) for video, file in files.items() if file.is_file()}


def _put_into_groups(rows: list[dict], pattern: str | None) -> None:
    """Give every row a group: the one of its list, what the pattern finds, else itself."""
    for row in rows:
        if row.get("group"):
            continue
        stem = row["video"].rpartition("/")[2]
        found = re.match(pattern, stem) if pattern else None
        if pattern and not (found and found["group"]):
            raise DataError(
                f"{row['at']}: data.group_pattern {pattern!r} finds no group in {stem!r}; make it "
                "fit every name, or name groups in a CSV (data.lists)."
            )
        row["group"] = found["group"] if found else row["video"]


def _with_parts(rows: list[dict], test_fraction: float) -> tuple[list[dict], tuple[str, ...]]:
    """Draw what is not told; say what was understood.

    Without a part for testing, that for validation takes its place.
    """
    notes = []
    if all(row["group"] == row["video"] for row in rows):
        notes.append(ALONE)
    if any(row["split"] is None for row in rows):
        return draw(rows, test_fraction), tuple(notes)
    parts = {row["split"] for row in rows}
    if "test" not in parts and "val" in parts:
        notes.append("there is no part for testing, so the validation part is used for it")
        rows = [row | {"split": row["split"].replace("val", "test")} for row in rows]
    return rows, tuple(notes)


def _from_folders(root: Path, seen: Walk) -> list[dict]:
    """Take class and, where there are folders of parts, split from the path."""
    rows, told = [], {}
    for path in seen.files:
        *folders, _ = path.relative_to(root).parts
        row = _row(path, root, [same_name(name) for name in folders])
        if row["class_name"]:
            told[row["split"] is not None] = path
        rows.append(row)
    if len(told) == 2:
        raise DataError(
            f"{root} has videos both in train/test folders ({told[True]}) and in class folders "
            f"({told[False]}); keep one of the two forms."
        )
    if not rows:
        raise DataError(f"no video ({', '.join(SUFFIXES)}) below {root}; set data.root.")
    return rows


def _row(path: Path, root: Path, folders: list[str]) -> dict:
    video = same_name(path.relative_to(root).with_suffix("").as_posix())
    row = {"video": video, "file": path, "class_name": "", "split": "train", "at": str(path)}
    part = SIDES.get(folders[0]) if len(folders) > 1 else None
    if folders and (folders[0] in UNLABELLED or part == "train" and folders[1] in UNLABELLED):
        return row
    if len(folders) not in (1, 2) or (len(folders) == 2 and part is None):
        raise DataError(
            f"{path} is neither in {root}/<class>/ nor in {root}/train/<class>/ or "
            f"{root}/test/<class>/, nor in {root}/unlabelled/; move it, or name your files in a "
            f"CSV (data.lists: {COLUMNS_HELP})."
        )
    return row | {"class_name": folders[-1], "split": part}

"""The table of videos that every dataset becomes, and the mistakes it is searched for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import reprs
from ..errors import DataError, did_you_mean
from .walk import SUFFIXES, index, same_name, walk

COLUMNS = ["video", "path", "label", "class_name", "group", "split", "family"]
PARTS = ("train", "val", "test")
NO_LABEL = -1  # of videos that nobody gave a class
SHOWN = 3


@dataclass(frozen=True)
class VideoSet:
    """A dataset with its classes and one official split.

    Attributes:
        name: for example `ucf101-split1`.
        root: folder below which the videos are.
        classes: class names; a label is an index into them.
        table: one row per video, RangeIndex, columns `video` ("Punch/v_Punch_g01_c01"), `path`,
            `label`, `class_name`, `group` ("Punch/g01": what may not be on both sides of a split),
            `split` ("train", "test", or "val" where the data set has such a part) and `family`
            ("persistent", "phased" or "" if unknown).  A training video that nobody gave a class
            has label −1 and class name "".
        missing: listed videos that are not there, with the permission of `data.allow_missing`.
        copies: files left out because others have the same content.
        notes: what a user should know about how the videos were understood.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    table: pd.DataFrame
    missing: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return reprs.videos(self)

    def _repr_html_(self) -> str:
        return reprs.videos_html(self)


def assemble(
    name: str, root: Path, lists: Path, known: Iterable[str], classes, rows: list[dict], find,
    allow_missing: float = 0.0,
) -> VideoSet:  # fmt: skip
    """Make a `VideoSet` from the rows of official lists.

    Args:
        lists: file or folder the rows come from, for messages.
        known: all classes in the order of their labels.
        classes: those to keep; None keeps all.
        rows: dicts with `video`, `class_name`, `group`, `split` and `at` (file and line).
        find: function from the kept rows' videos to their files, None where there is none.
        allow_missing: largest share of listed videos that may be absent.

    Raises:
        DataError: a class is unknown or empty, a group is on both sides, a video is listed twice or
            on no side, or videos are missing.
    """
    chosen = choose(known, classes)
    rows = [row for row in rows if row["class_name"] in {*chosen, ""}]
    refuse_strays(rows)
    refuse_leaks(rows)
    refuse_empty(rows, chosen, lists)
    table = pd.DataFrame(rows)
    table["path"] = find(table["video"])
    absent = table["path"].isna()
    if absent.any():
        report_missing(root, table["video"], absent, allow_missing)
        table = table[~absent].reset_index(drop=True)
        refuse_empty(table.to_dict("records"), chosen, root)
    labels = {class_name: label for label, class_name in enumerate(chosen)} | {"": NO_LABEL}
    table["label"] = table["class_name"].map(labels)
    missing = tuple(row["video"] for row, gone in zip(rows, absent, strict=True) if gone)
    return VideoSet(name, root, chosen, table.assign(family="")[COLUMNS], missing)


def choose(known: Iterable[str], classes) -> tuple[str, ...]:
    """Return the known classes that are wanted, in their order; all of them for None.

    Raises:
        DataError: a wanted class is unknown.
    """
    known = tuple(known)
    wanted = None if classes is None else [same_name(name) for name in classes]
    for name in wanted or ():
        if name not in known:
            raise DataError(f"class {name!r} is unknown: {did_you_mean(name, known)}.")
    return tuple(name for name in known if wanted is None or name in wanted)


def refuse_leaks(rows: list[dict]) -> None:
    """A group is one scene cut into clips: on both sides the test would be on training scenes.

    Raises:
        DataError: a group is on two sides.
    """
    sides = {"train": "training", "val": "validation", "test": "testing"}
    first: dict[str, dict] = {}
    for row in sorted(rows, key=lambda row: PARTS.index(row["split"])):
        earlier = first.setdefault(row["group"], row)
        if earlier["split"] != row["split"]:
            raise DataError(
                f"{row['at']}: group {row['group']} is also used for {sides[earlier['split']]}, in "
                f"{earlier['at']}; a group must be on one side only."
            )


def refuse_strays(rows: list[dict]) -> None:
    """A video has one row, on one side: a second would count twice, a third side be trained on.

    Raises:
        DataError: a video is listed again, or is neither for train nor for test.
    """
    first: dict[str, dict] = {}
    for row in rows:
        if row["split"] not in PARTS:
            raise DataError(
                f"{row['at']}: split {row['split']!r} is unknown; allowed: {', '.join(PARTS)}."
            )
        earlier = first.setdefault(row["video"], row)
        if earlier is not row:
            raise DataError(
                f"{row['at']}: {row['video']} is listed again; see {earlier['at']}, and keep one."
            )


def refuse_empty(rows: list[dict], chosen: tuple[str, ...], lists: Path) -> None:
    """Every class needs videos on both sides.

    Raises:
        DataError: a class has none on one of them.
    """
    there = {(row["split"], row["class_name"]) for row in rows}
    for part in ("train", "test"):
        absent = [name for name in chosen if (part, name) not in there]
        if absent:
            names = ", ".join(absent[:SHOWN])
            raise DataError(f"the {part} list in {lists} has no video of the class {names}.")


def report_missing(root: Path, names: pd.Series, absent: pd.Series, allowed: float) -> None:
    """Count the listed videos that are not there; say so, or refuse to go on.

    Raises:
        DataError: more than the share `allowed` are missing.
    """
    count = int(absent.sum())
    gone = names[absent].tolist()
    some = f"{', '.join(gone[:SHOWN])}{' and more' if count > SHOWN else ''}"
    counted = f"{count} of {len(names)} listed videos are not in {root}: {some}"
    if count <= allowed * len(names):
        print(f"{counted}; data.allow_missing={allowed} permits that.", flush=True)
        return
    there = sorted(place.name for place in root.iterdir() if place.is_dir())
    raise DataError(
        f"{counted}. Complete the folder, set data.classes to the classes that are there "
        f"({', '.join(there[:10])}{' and more' if len(there) > 10 else ''}), or allow a share of "
        f"missing videos with data.allow_missing (here {count / len(names):.4f})."
    )


def folder_files(root: Path, names: pd.Series) -> list[str | None]:
    """Return the file of each video `class/stem` in the class folders of `root`, None if absent."""
    wanted = set(names.str.rpartition("/")[0].map(same_name))
    folders = [f for f in root.iterdir() if same_name(f.name) in wanted and f.is_dir()]
    here = index([file for folder in folders for file in folder.iterdir()], root)
    return [_first(here.get(same_name(name), {})) for name in names]


def _first(files: dict[str, Path]) -> str | None:
    return next((str(files[suffix]) for suffix in SUFFIXES if suffix in files), None)


def walk_videos(root: Path) -> list[Path]:
    """List every video file below a folder, in the order of their paths."""
    return walk(root).files

"""Datasets as one table of videos: which file, which class, which group, train or test.

StickActions and UCF101 have the same layout and lists, so one reader serves both.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from ..errors import ConfigError, DataError, did_you_mean
from ..io import read_json
from .lists import read_classes, read_list

COLUMNS = ["video", "path", "label", "class_name", "group", "split", "family"]
SUFFIXES = (".avi", ".mp4")
SHOWN = 3
HOW_TO_GET = (
    "Download UCF101 from https://www.crcv.ucf.edu/data/UCF101.php and unpack UCF101.rar and "
    "UCF101TrainTestSplits-RecognitionTask.zip side by side, so that "
    "UCF-101/Archery/v_Archery_g01_c01.avi and ucfTrainTestlist/classInd.txt exist"
)


@dataclass(frozen=True)
class VideoSet:
    """A dataset with its classes and one official split.

    Attributes:
        name: for example `ucf101-split1`.
        root: folder that holds one folder per class.
        classes: class names; a label is an index into them.
        table: one row per video, RangeIndex, columns `video` ("Punch/v_Punch_g01_c01"), `path`,
            `label`, `class_name`, `group` ("Punch/g01"), `split` ("train" or "test") and `family`
            ("persistent", "phased" or "" if unknown).
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    table: pd.DataFrame


def load(profile) -> VideoSet:
    """Return the dataset that `profile.data.dataset` names; StickActions is made on first use.

    Raises:
        ConfigError: unknown dataset.
        DataError: like `ucf101`.
    """
    loaders = {"stickactions": _stickactions, "ucf101": _ucf101_of}
    name = profile.data.dataset
    if name not in loaders:
        raise ConfigError(f"data.dataset={name!r} is unknown: {did_you_mean(name, loaders)}.")
    return loaders[name](profile)


def _ucf101_of(profile) -> VideoSet:
    root = profile.data.root or os.environ.get("UCF101_ROOT")
    if not root:
        raise DataError(
            f"UCF101 is needed, but nothing says where it is. {HOW_TO_GET}; then set data.root in "
            "the profile, or the environment variable UCF101_ROOT, to that folder."
        )
    data = profile.data
    return ucf101(root, data.lists, data.split, data.classes)


def _stickactions(profile) -> VideoSet:
    from . import stickactions

    folder = profile.data.root or _generate(profile)
    videos = ucf101(folder, folder, 1, profile.data.classes)
    family = videos.table["class_name"].map(stickactions.FAMILY)
    return replace(videos, name="stickactions", table=videos.table.assign(family=family))


def _generate(profile) -> Path:
    """Make the StickActions videos of these classes unless they are there; return the folder."""
    from ..profiles import data_home
    from . import stickactions

    sticks = profile.sticks
    parameters = {
        "px": sticks.px,
        "train_groups": sticks.train_groups,
        "test_groups": sticks.test_groups,
        "clips_per_group": sticks.clips_per_group,
        "frames": (sticks.frames_min, sticks.frames_max),
        "seed": sticks.seed,
        "classes": sorted(profile.data.classes) if profile.data.classes else None,
    }
    named = json.dumps(parameters | {"version": stickactions.VERSION}, sort_keys=True)
    digest = hashlib.sha256(named.encode()).hexdigest()[:8]
    folder = data_home() / f"stickactions-{sticks.px}px-{digest}"
    if not _complete(folder):
        stickactions.build(folder, **parameters, workers=profile.runtime.jobs)
    return folder


def _complete(folder: Path) -> bool:
    """Say whether a generated dataset was finished and has lost no video since."""
    note = folder / "dataset.json"
    if not note.is_file():
        return False
    told = read_json(note)
    return told["complete"] and told["videos"] == len(list(folder.glob("*/*.mp4")))


def ucf101(root, lists=None, split: int = 1, classes=None) -> VideoSet:
    """Read UCF101, or any dataset in its layout, for one official split.

    Args:
        root: folder with one folder per class, or one that holds `UCF-101/`.
        lists: folder with the list files; None looks in `ucfTrainTestlist` and
            `splits/ucfTrainTestlist` of `root` and beside it.
        split: 1, 2 or 3.
        classes: keep only these; labels then count through them in the order of `classInd.txt`.

    Raises:
        DataError: a folder, list or video is missing, a class is unknown, or the lists contradict
            themselves (with file and line).
    """
    root, lists = _folders(Path(root).expanduser(), lists)
    known = read_classes(lists / "classInd.txt")
    chosen = _choose(known, classes)
    rows = []
    for part in ("train", "test"):
        rows += read_list(lists / f"{part}list{split:02d}.txt", part, known)
    rows = [row for row in rows if row["class_name"] in chosen]
    _refuse_leaks(rows)
    table = pd.DataFrame(rows)
    _refuse_empty(table, chosen, lists)
    table["path"] = _find_files(root, table["video"])
    table["label"] = table["class_name"].map({name: i for i, name in enumerate(chosen)})
    return VideoSet(f"ucf101-split{split}", root, chosen, table.assign(family="")[COLUMNS])


def _folders(root: Path, lists) -> tuple[Path, Path]:
    if not root.is_dir():
        raise DataError(f"the UCF101 folder {root} does not exist. {HOW_TO_GET}.")
    tails = ("ucfTrainTestlist", "splits/ucfTrainTestlist")
    places = [root / tail for tail in tails] + [root.absolute().parent / tail for tail in tails]
    if lists is not None:
        places = [Path(lists).expanduser()]
    found = [place for place in places if (place / "classInd.txt").is_file()]
    if not found:
        looked = ", ".join(map(str, places))
        raise DataError(f"no classInd.txt in {looked}. {HOW_TO_GET}, or set data.lists.")
    videos = root / "UCF-101" if (root / "UCF-101").is_dir() else root
    return videos.resolve(), found[0]


def _choose(known: dict[str, int], classes) -> tuple[str, ...]:
    for name in classes or ():
        if name not in known:
            raise DataError(f"class {name!r} is unknown: {did_you_mean(name, known)}.")
    return tuple(name for name in known if classes is None or name in classes)


def _refuse_leaks(rows: list[dict]) -> None:
    """A group is one scene cut into clips: on both sides the test would be on training scenes."""
    first = {row["group"]: row["at"] for row in reversed(rows) if row["split"] == "train"}
    for row in rows:
        if row["split"] == "test" and row["group"] in first:
            raise DataError(
                f"{row['at']}: group {row['group']} is also used for training, in "
                f"{first[row['group']]}; a group must be on one side only."
            )


def _refuse_empty(table: pd.DataFrame, chosen, lists: Path) -> None:
    for part in ("train", "test"):
        there = set(table.loc[table["split"] == part, "class_name"]) if len(table) else set()
        absent = [name for name in chosen if name not in there]
        if absent:
            names = ", ".join(absent[:SHOWN])
            raise DataError(f"the {part} list in {lists} has no video of the class {names}.")


def _find_files(root: Path, names: pd.Series) -> list[str]:
    """Return the file of each video: the .avi, or the .mp4 of the same name if there is no .avi."""
    folders = [root / name for name in names.str.partition("/")[0].unique()]
    files = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
    here = {f"{file.parent.name}/{file.name}" for file in files}
    found = [next((n + s for s in SUFFIXES if n + s in here), None) for n in names]
    absent = [name for name, file in zip(names, found, strict=True) if file is None]
    if absent:
        there = sorted(place.name for place in root.iterdir() if place.is_dir())
        raise DataError(
            f"{len(absent)} of {len(names)} listed videos are not in {root}: "
            f"{', '.join(absent[:SHOWN])}{' and more' if len(absent) > SHOWN else ''}. Complete "
            f"the folder, or set data.classes to the classes that are there "
            f"({', '.join(there[:10])}{' and more' if len(there) > 10 else ''})."
        )
    return [str(root / file) for file in found]

"""Datasets as one table of videos: which file, which class, which group, train or test.

StickActions and UCF101 have the same layout and lists, so one reader serves both.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ..errors import ConfigError, DataError, did_you_mean
from ..files import read_json, resolved
from .folder import folder
from .hmdb51 import HOW_TO_GET as GET_HMDB51
from .hmdb51 import hmdb51
from .kinetics import HOW_TO_GET as GET_KINETICS
from .kinetics import kinetics400
from .lists import read_classes, read_list
from .table import COLUMNS as COLUMNS
from .table import VideoSet, assemble, folder_files

HOW_TO_GET = (
    "Download UCF101 from https://www.crcv.ucf.edu/data/UCF101.php and unpack UCF101.rar and "
    "UCF101TrainTestSplits-RecognitionTask.zip side by side, so that "
    "UCF-101/Archery/v_Archery_g01_c01.avi and ucfTrainTestlist/classInd.txt exist"
)


def load(profile) -> VideoSet:
    """Return the dataset that `profile.data.dataset` names; StickActions is made on first use.

    Raises:
        ConfigError: unknown dataset.
        DataError: like `ucf101`, `hmdb51`, `kinetics400` and `folder`.
    """
    loaders = {
        "stickactions": _stickactions,
        "ucf101": _ucf101_of,
        "hmdb51": _hmdb51_of,
        "kinetics400": _kinetics_of,
        "folder": _folder_of,
    }
    name = profile.data.dataset
    if name not in loaders:
        raise ConfigError(f"data.dataset={name!r} is unknown: {did_you_mean(name, loaders)}.")
    return loaders[name](profile)


def _root(profile, name: str, variable: str, how: str) -> Path:
    root = profile.data.root or os.environ.get(variable)
    if not root:
        raise DataError(
            f"{name} is needed, but nothing says where it is. {how}; then set data.root in "
            f"the profile, or the environment variable {variable}, to that folder."
        )
    return resolved(root)


def _ucf101_of(profile) -> VideoSet:
    d, root = profile.data, _root(profile, "UCF101", "UCF101_ROOT", HOW_TO_GET)
    return ucf101(root, d.lists, d.split, d.classes, d.allow_missing)


def _hmdb51_of(profile) -> VideoSet:
    d, root = profile.data, _root(profile, "HMDB51", "HMDB51_ROOT", GET_HMDB51)
    return hmdb51(root, d.lists, d.split, d.classes, d.rest, d.allow_missing)


def _kinetics_of(profile) -> VideoSet:
    d, root = profile.data, _root(profile, "Kinetics-400", "KINETICS400_ROOT", GET_KINETICS)
    return kinetics400(root, d.lists, d.classes, d.allow_missing)


def _folder_of(profile) -> VideoSet:
    d = profile.data
    if d.root is None:
        raise DataError("data.dataset='folder' needs data.root, the folder of the videos.")
    return folder(d.root, d.lists, d.classes, d.test_fraction, d.allow_missing, d.group_pattern)


def _stickactions(profile) -> VideoSet:
    from . import stickactions

    place = profile.data.root or _generate(profile)
    videos = ucf101(place, place, 1, profile.data.classes)
    family = videos.table["class_name"].map(stickactions.FAMILY)
    return replace(videos, name="stickactions", table=videos.table.assign(family=family))


def foreseen(profile) -> pd.DataFrame:
    """Return the StickActions videos that a profile asks for, without making them.

    Returns:
        Columns `video`, `class_name`, `group` and `split`, as in the table of a `VideoSet`.
    """
    from . import stickactions

    s, names = profile.sticks, profile.data.classes or stickactions.CLASSES
    groups = range(1, s.test_groups + s.train_groups + 1)
    rows = [
        {"video": f"{name}/v_{name}_g{group:02d}_c{clip:02d}", "class_name": name,
         "group": f"{name}/g{group:02d}", "split": "test" if group <= s.test_groups else "train"}
        for name in names for group in groups for clip in range(1, s.clips_per_group + 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _generate(profile) -> Path:
    """Make the StickActions videos of these classes unless they are there; return the folder."""
    from ..settings.profiles import data_home
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
    for shared in ("one_actor", "one_gym"):  # absent if false: older folders keep their names
        if getattr(sticks, shared):
            parameters[shared] = True
    named = json.dumps(parameters | {"version": stickactions.VERSION}, sort_keys=True)
    digest = hashlib.sha256(named.encode()).hexdigest()[:8]
    place = data_home() / f"stickactions-{sticks.px}px-{digest}"
    if not _complete(place):
        stickactions.build(place, **parameters, workers=profile.runtime.decoders)
    return place


def _complete(folder: Path) -> bool:
    """Say whether a generated dataset was finished and has lost no video since."""
    note = folder / "dataset.json"
    if not note.is_file():
        return False
    told = read_json(note)
    return told["complete"] and told["videos"] == len(list(folder.glob("*/*.mp4")))


def ucf101(root, lists=None, split: int = 1, classes=None, allow_missing: float = 0.0) -> VideoSet:
    """Read UCF101, or any dataset in its layout, for one official split.

    Args:
        root: folder with one folder per class, or one that holds `UCF-101/`.
        lists: folder with the list files; None looks in `ucfTrainTestlist` and
            `splits/ucfTrainTestlist` of `root` and beside it.
        split: 1, 2 or 3.
        classes: keep only these; labels then count through them in the order of `classInd.txt`.
        allow_missing: largest share of listed videos that may be absent.

    Raises:
        DataError: a folder, list or video is missing, a class is unknown, or the lists contradict
            themselves (with file and line).
    """
    root, lists = _folders(Path(root).expanduser(), lists)
    known = read_classes(lists / "classInd.txt")
    rows = []
    for part in ("train", "test"):
        rows += read_list(lists / f"{part}list{split:02d}.txt", part, known)
    return assemble(
        f"ucf101-split{split}", root, lists, known, classes, rows,
        lambda names: folder_files(root, names), allow_missing,
    )  # fmt: skip


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

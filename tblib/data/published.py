"""Label lists that other papers published, in the forms they come in.

* `Class/clip frames label` (VideoSSL, folders of frames),
* `Class/clip.mp4 label` or `/their/disk/Class/clip.avi label` (VideoSSL, CMPL, SVFormer),
* `clip` alone, or with a number (UCF101's own style without folders),
* a CSV with a column `path`, and Kinetics' own CSV (`label,youtube_id,…`).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from ..errors import DataError
from . import kinetics
from .lists import read_lines
from .walk import SUFFIXES, same_name

LINE = re.compile(r"(?P<name>.+?)(?:[\s,]+\d+){0,2}")
SUFFIX = re.compile("|".join(re.escape(suffix) + "$" for suffix in SUFFIXES), re.IGNORECASE)


def read_names(path: Path) -> list[tuple[str, str]]:
    """Return file and line, and the name of a video without suffix, for each entry of a list.

    Raises:
        DataError: the list is missing, empty, not text, or a CSV without a column `path`.
    """
    lines = read_lines(path)
    if not lines:
        raise DataError(f"the label list {path} is empty.")
    header = next(csv.reader([lines[0][1]]))
    if "youtube_id" in header:
        return [(row["at"], row["video"]) for row in kinetics.read_csv(path, "train")]
    if "label" in header or "path" in header:
        if "path" not in header:
            raise DataError(f"{path} line 1: a CSV of labelled videos needs a column `path`.")
        at = header.index("path")
        cells = [(f"{path} line {n}", next(csv.reader([line]))) for n, line in lines[1:]]
        return [(where, _plain(row[at] if at < len(row) else "")) for where, row in cells]
    return [(f"{path} line {n}", _plain(LINE.fullmatch(line)["name"])) for n, line in lines]


def _plain(name: str) -> str:
    return SUFFIX.sub("", name.strip()).replace(" ", "_")


def _key(name: str) -> str:
    return same_name(name).replace(" ", "_")


def listed(
    table: pd.DataFrame, train: pd.DataFrame, path: Path, missing: Collection[str] = ()
) -> pd.Index:
    """Return the index of the training videos that a published list names.

    Videos are found by as much of the path as fits, at last by the file name alone: lists spell
    folders in their own ways.  Entries of classes that the table does not have are left out.

    Args:
        table: all videos; `train`: those that may be labelled.
        missing: videos known to be absent; how many of them the list names is printed.

    Raises:
        DataError: an entry is in the dataset but not for training, or not in the dataset at all; or
            the list names no video of the table's classes.
    """
    place = dict(zip(train["video"], train.index, strict=True))
    known, classes = _finder(table["video"]), set(table["class_name"].map(_key)) - {""}
    classless = set(table["video"][table["class_name"] == ""])
    gone, chosen, absent = _finder(missing), [], 0
    for where, name in read_names(path):
        video = known(name)
        if video in place:
            chosen.append(place[video])
        elif video in classless:
            raise DataError(f"{where}: {video} has no class, so it cannot be a labelled video.")
        elif video is not None:
            raise DataError(f"{where}: {video} is set aside for testing or validation.")
        elif gone(name) is not None:
            absent += 1
        elif "/" not in name or _key(name.split("/")[-2]) in classes:
            raise DataError(
                f"{where}: {name} is not in the dataset; is it another split, or (HMDB51) one of "
                "the videos that data.rest adds?"
            )
    if absent:
        print(f"{absent} videos of the list {path.name} are missing.", flush=True)
    if not chosen:
        raise DataError(f"{path} names no video of the classes {', '.join(sorted(classes))}.")
    return pd.Index(chosen)


def _finder(videos: Collection[str]):
    """Return a function from a name in a list to the video it means, or None.

    Names are compared with `_` for blanks: lists have the one, folders the other.
    """
    exact = {_key(video): video for video in videos}
    counts = Counter(key.rpartition("/")[2] for key in exact)
    stems = {key.rpartition("/")[2]: video for key, video in exact.items()}
    by_stem = {stem: video for stem, video in stems.items() if counts[stem] == 1}

    def find(name: str) -> str | None:
        parts = _key(name).split("/")
        tails = ("/".join(parts[at:]) for at in range(len(parts)))
        return next((exact[tail] for tail in tails if tail in exact), by_stem.get(parts[-1]))

    return find

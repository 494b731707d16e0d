"""What a profile's dataset holds, and what of its folder is not taken: `data info`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ..errors import DataError
from . import splits
from .table import PARTS, VideoSet
from .walk import walk

SHOWN = 3


def describe(videos: VideoSet, data, seed: int) -> str:
    """Count videos by class, split and role, and whatever lies in the folder and was not taken.

    Args:
        data: section `data` of a profile; says which labels may be used.
        seed: of the label subset.
    """
    table, classes = videos.table, list(videos.classes)
    head = f"{videos.name} in {videos.root}: {len(table)} videos in {len(classes)} classes"
    lines = [head, *_missing(videos)]
    names = table["class_name"].replace("", "(no class)")
    counts = table.groupby([names, "split"]).size().unstack(fill_value=0)
    counts = counts[[part for part in PARTS if part in counts]]
    counts["groups"] = table.groupby(names)["group"].nunique()
    counts.index.name = "class_name"
    note = None
    try:
        role = roles_of(videos, data, seed)
        for name in ("labelled", "unlabelled", "spare", "val"):
            if name == "unlabelled" or (role == name).any():
                counts[name if name not in counts else "set aside"] = names[
                    role == name
                ].value_counts()
        splits.need_unlabelled(role)
    except DataError as error:
        note = f"labels: {error}"
    counts = counts.fillna(0).astype(int)
    counts = counts.loc[[*classes, *sorted(set(counts.index) - set(classes))]]
    counts.loc["all"] = counts.sum()
    counts.loc["all", "groups"] = table["group"].nunique()
    return "\n".join([*lines, counts.to_string(), *([note] if note else []), *_said(videos)])


def roles_of(videos: VideoSet, data, seed: int):
    """Return the role of each video, see `tblib.data.splits.roles`."""
    return splits.roles(
        videos.table, data.label_fraction, seed, data.val_groups, data.label_list, videos.missing
    )


def _missing(videos: VideoSet) -> list[str]:
    count = len(videos.missing)
    return [f"{count} further videos are listed and missing"] if count else []


def _said(videos: VideoSet) -> list[str]:
    lines = [f"not taken: {text}" for text in not_taken(videos)]
    return lines + [f"note: {text}" for text in videos.notes]


def not_taken(videos: VideoSet) -> list[str]:
    """Say how many files below the root are no part of the dataset, and why, reason by reason."""
    seen, taken, twice = walk(videos.root), set(videos.table["path"]), set(videos.copies)
    left = dict(seen.left)
    left["copies of other videos"] = [Path(path).name for path in videos.copies]
    left["videos in no list, or of other classes"] = [
        path.name for path in seen.files if str(path) not in taken | twice
    ]
    return [_counted(reason, names) for reason, names in left.items() if names]


def _counted(reason: str, names: list[str]) -> str:
    some = [name for name, _ in Counter(names).most_common(SHOWN)]
    more = " and more" if len(set(names)) > SHOWN else ""
    return f"{len(names)} {reason}: {', '.join(map(repr, some))}{more}"

"""What a profile's dataset holds: `python -m tblib data info`."""

from __future__ import annotations

from ..errors import DataError
from . import splits
from .table import VideoSet


def describe(videos: VideoSet, data, seed: int) -> str:
    """Count videos by class, split and use of the label.

    Args:
        data: section `data` of a profile; says which labels may be used.
        seed: of the label subset.
    """
    table = videos.table
    lines = [
        f"{videos.name} in {videos.root}: {len(table)} videos in {len(videos.classes)} classes"
    ]
    if videos.missing:
        lines.append(f"{len(videos.missing)} further videos are listed and missing")
    counts = table.pivot_table(
        index="class_name", columns="split", values="video", aggfunc="count", fill_value=0
    )[["train", "test"]]
    counts["groups"] = table.groupby("class_name")["group"].nunique()
    note = None
    try:
        role = splits.roles(
            table, data.label_fraction, seed, data.val_groups, data.label_list, videos.missing
        )
        counts["labelled"] = table["class_name"][role == "labelled"].value_counts()
    except DataError as error:
        note = f"labels: {error}"
    counts = counts.fillna(0).astype(int).loc[list(videos.classes)]
    counts.loc["all"] = counts.sum()
    return "\n".join([*lines, counts.to_string(), *([note] if note else [])])

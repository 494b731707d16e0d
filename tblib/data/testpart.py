"""Which videos of one's own are for testing, where nothing tells: the same ones every time."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

from ..errors import DataError


def draw(rows: list[dict], fraction: float) -> list[dict]:
    """Draw a share of each class by whole groups, in the order of a digest of their names.

    At least one video of each class is for testing and one for training.  Other classes change
    nothing about a class, unless they share groups with it.

    Args:
        rows: dicts with `video`, `class_name`, `group`, `split` (None: to be drawn) and `at`.
        fraction: share of each class for testing.

    Raises:
        DataError: a class has one group only.
    """
    groups = defaultdict(Counter)  # videos of each class
    for row in rows:
        if row["split"] is None:
            groups[row["group"]][row["class_name"]] += 1
    sizes = sum(groups.values(), Counter())
    wanted = {name: min(max(1, round(fraction * n)), n - 1) for name, n in sizes.items()}
    _refuse_single(rows, groups)
    taken, tested = set(), Counter()
    for group in sorted(groups, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        inside = groups[group]
        useful = any(tested[name] < wanted[name] for name in inside)
        if useful and all(tested[name] + n < sizes[name] for name, n in inside.items()):
            taken.add(group)
            tested += inside
    sides = {group: "test" if group in taken else "train" for group in groups}
    return [row | {"split": row["split"] or sides[row["group"]]} for row in rows]


def _refuse_single(rows: list[dict], groups: dict[str, Counter]) -> None:
    """A class needs something on both sides."""
    for row in rows:
        name = row["class_name"]
        if row["split"] is None and sum(name in inside for inside in groups.values()) < 2:
            what = "video" if row["group"] == row["video"] else "group"
            raise DataError(
                f"class {name} has one {what} only, {row['at']}; two are needed (files of the same "
                "content count once)."
            )

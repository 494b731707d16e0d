"""Figures that compare the two teachers class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .style import (
    COLOURS,
    FAMILY_COLOURS,
    FAMILY_HATCHES,
    INK,
    class_rows,
    family_legend,
    family_of,
    figure,
    rows_height,
)
from .words import shows

OUTCOMES = {
    "both right": "#4D4D4D",
    "only invariant": COLOURS["invariant"],
    "only distinctive": COLOURS["distinctive"],
    "neither": "#E3E3E3",
}


@shows
def per_class_difference(
    acc_a: np.ndarray,
    acc_b: np.ndarray,
    classes: Sequence[str],
    families: Mapping[str, str] | None = None,
    names: tuple[str, str] = ("invariant", "distinctive"),
) -> Figure:
    """Show classes for which one teacher is better than the other, as in the paper's figure.

    Args:
        acc_a, acc_b: accuracy per class `[K]` in [0, 1].
        families: class → `persistent` or `phased`, shown by colour and hatching; without them
            bars take the colour of the better teacher.
        names: the two teachers.
    """
    points = 100 * (np.asarray(acc_a, dtype=float) - np.asarray(acc_b, dtype=float))
    order = np.argsort(-points, kind="stable")
    kinds = family_of([classes[k] for k in order], families)
    fig = figure(rows_height(len(order), 1.5))
    ax = fig.subplots()
    known = any(kinds)
    tints = [
        FAMILY_COLOURS[kind] if known else COLOURS["invariant" if points[k] >= 0 else "distinctive"]
        for k, kind in zip(order, kinds, strict=True)
    ]
    hatches = [FAMILY_HATCHES[kind] for kind in kinds]
    ax.barh(range(len(order)), points[order], color=tints, hatch=hatches, edgecolor=INK, lw=0.5)
    ax.axvline(0, color=INK, lw=1)
    class_rows(ax, [classes[k] for k in order])
    reach = 1.1 * max(np.abs(points).max(), 1)
    ax.set(xlim=(-reach, reach), xlabel="difference in accuracy (percentage points)")
    ax.set_title(f"← {names[1]} better", loc="left", color=COLOURS["distinctive"])
    ax.set_title(f"{names[0]} better →", loc="right", color=COLOURS["invariant"])
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    family_legend(fig, kinds)
    return fig


@shows
def score_distribution(
    s: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    families: Mapping[str, str] | None = None,
) -> Figure:
    """Show s(v) of every video by class: points, box of the middle half, median; highest on top.

    Args:
        s: score per video `[n]` in [0, 1].
        labels: class index per video `[n]`; classes without a video are left out.
    """
    s, labels = np.asarray(s, dtype=float), np.asarray(labels)
    own = {k: s[labels == k] for k in np.unique(labels)}
    order = sorted(own, key=lambda k: -np.median(own[k]))
    names = [classes[k] for k in order]
    kinds = family_of(names, families)
    fig = figure(rows_height(len(order), 1.5))
    ax = fig.subplots()
    for row, (k, kind) in enumerate(zip(order, kinds, strict=True)):
        low, middle, high = np.quantile(own[k], (0.25, 0.5, 0.75))
        ax.barh(
            row, high - low, left=low, height=0.7, color=FAMILY_COLOURS[kind], alpha=0.6,
            hatch=FAMILY_HATCHES[kind], edgecolor=INK, lw=0.5,
        )  # fmt: skip
        ax.vlines(middle, row - 0.35, row + 0.35, color=INK, lw=2)
        # A fixed zigzag keeps equal scores apart without chance.
        offset = 0.22 * (np.arange(len(own[k])) % 3 - 1)
        ax.plot(own[k], row + offset, ".", color=INK, alpha=0.55, ms=4, mew=0)
    class_rows(ax, names)
    ax.set(xlim=(-0.02, 1.02), xlabel="similarity score s(v), from 0 to 1")
    family_legend(fig, kinds)
    return fig


@shows
def agreement_map(
    correct_inv: np.ndarray, correct_dist: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> Figure:
    """Show per class how often both, one or none of the teachers is right.

    Where one alone is right, mixing has something to win; classes are ordered by the balance of
    the two.

    Args:
        correct_inv, correct_dist: bool per video `[n]`.
        labels: class index per video `[n]`; classes without a video are left out.
    """
    inv, dist = np.asarray(correct_inv, dtype=bool), np.asarray(correct_dist, dtype=bool)
    labels = np.asarray(labels)
    present = np.unique(labels)
    outcome = np.stack([inv & dist, inv & ~dist, ~inv & dist, ~inv & ~dist])
    shares = np.stack([100 * outcome[:, labels == k].mean(axis=1) for k in present])
    order = np.argsort(shares[:, 2] - shares[:, 1], kind="stable")
    shares, names = shares[order], [classes[present[k]] for k in order]
    fig = figure(rows_height(len(names), 1.5))
    ax = fig.subplots()
    # Outer ends are the two single wins, so that both have a straight edge to be compared at.
    start = np.zeros(len(names))
    for column in (1, 0, 3, 2):
        label, tint = list(OUTCOMES.items())[column]
        ax.barh(
            range(len(names)), shares[:, column], left=start, height=0.8, color=tint, label=label
        )
        start += shares[:, column]
    class_rows(ax, names)
    ax.set(xlim=(0, 100), xlabel="share of the class's videos (%)")
    fig.legend(loc="outside upper center", ncols=4, columnspacing=1, handlelength=1.2)
    return fig

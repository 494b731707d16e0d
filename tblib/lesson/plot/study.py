"""Figures of a study's videos and classes: what two kinds of features know, over several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ...stats import mean_ci
from .seeds import Values, cross
from .style import (
    FAMILY_COLOURS,
    FAMILY_HATCHES,
    INK,
    PAPER,
    class_rows,
    colours,
    family_legend,
    family_of,
    figure,
    markers,
    rows_height,
)
from .teachers import OUTCOMES, per_class_difference
from .words import shows


@shows
def difference_over_seeds(
    first: np.ndarray,
    second: np.ndarray,
    classes: Sequence[str],
    families: Mapping[str, str] | None = None,
) -> Figure:
    """Show classes sorted by invariant minus distinctive accuracy, with intervals over seeds.

    Args:
        first, second: accuracy per seed and class `[S, K]` in percent.
        families: class → `persistent` or `phased`, shown by colour; without them the better side
            gives the colour.
    """
    first, second = (np.atleast_2d(np.asarray(a, float)) / 100 for a in (first, second))
    fig = per_class_difference(first.mean(axis=0), second.mean(axis=0), classes, families)
    ends = 100 * np.array([mean_ci(column) for column in (first - second).T])
    ends = ends[np.argsort(-(first.mean(axis=0) - second.mean(axis=0)), kind="stable")]
    ax, rows = fig.axes[0], np.arange(len(classes))
    ax.hlines(rows, ends[:, 1], ends[:, 2], color=INK, lw=1.4)
    reach = min(1.1 * max(np.nanmax(np.abs(ends)), 1), 105)
    ax.set_xlim(-reach, reach)
    return fig


@shows
def scores_by_class(
    s: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    families: Mapping[str, str] | None = None,
) -> Figure:
    """Show s(v) by class: every video as a dot, the class mean with its interval over seeds.

    Args:
        s: score per seed and video `[S, N]` in [0, 1]; the dot of a video is its mean over seeds.
        labels: class index per video `[N]`; classes without a video are left out.
    """
    s, labels = np.atleast_2d(np.asarray(s, float)), np.asarray(labels)
    means = {k: s[:, labels == k].mean(axis=1) for k in np.unique(labels)}
    order = sorted(means, key=lambda k: -means[k].mean())
    kinds = family_of([classes[k] for k in order], families)
    fig = figure(rows_height(len(order), 1.5))
    ax = fig.subplots()
    for row, (k, kind) in enumerate(zip(order, kinds, strict=True)):
        videos = s[:, labels == k].mean(axis=0)
        low, high = np.quantile(videos, (0.25, 0.75))
        ax.barh(
            row, high - low, left=low, height=0.7, color=FAMILY_COLOURS[kind], alpha=0.6,
            hatch=FAMILY_HATCHES[kind], edgecolor=INK, lw=0.5,
        )  # fmt: skip
        offset = 0.22 * (np.arange(len(videos)) % 3 - 1)
        ax.plot(videos, row + offset, ".", color=INK, alpha=0.5, ms=4, mew=0)
        cross(ax, (means[k], [row]), color=INK, marker="D", ms=5)
    class_rows(ax, [classes[k] for k in order])
    ax.set(xlim=(-0.02, 1.02), xlabel="similarity score s(v), from 0 to 1")
    family_legend(fig, kinds)
    return fig


@shows
def agreement_by_score(
    invariant: np.ndarray, distinctive: np.ndarray, s: np.ndarray, bins: int = 5
) -> Figure:
    """Show how often both, one or none of the teachers is right, from low to high s(v).

    The single wins stand at the outer ends, each with its interval over seeds: if s(v) knows whom
    to believe, the lower part grows to the right and the upper part shrinks.

    Args:
        invariant, distinctive: bool per seed and video `[S, N]`.
        s: score per seed and video `[S, N]`; cut per seed into `bins` groups of equal size.
    """
    a, b = (np.atleast_2d(np.asarray(right, bool)) for right in (invariant, distinctive))
    outcomes = {
        "only invariant": a & ~b,
        "both right": a & b,
        "neither": ~a & ~b,
        "only distinctive": b & ~a,
    }
    shares = {name: _binned(hits, np.atleast_2d(s), bins) for name, hits in outcomes.items()}
    fig, start, places = figure(3.8), np.zeros(bins), np.arange(bins)
    ax = fig.subplots()
    for name, values in shares.items():
        ax.bar(places, values.mean(axis=0), 0.85, start, color=OUTCOMES[name], label=name)
        start += values.mean(axis=0)
    for edge in (shares["only invariant"], 100 - shares["only distinctive"]):
        for place in places:
            for width, tint in ((4, PAPER), (1.6, INK)):  # a light rim, to be seen on dark bars
                cross(ax, ([place], edge[:, place]), color=tint, elinewidth=width, capthick=width)
    ax.set_xticks(places, [f"{100 * k // bins}–{100 * (k + 1) // bins} %" for k in places])
    ax.set(ylim=(0, 100), xlabel="videos in order of s(v), low to high")
    ax.set_ylabel("share of the videos (%)")
    fig.legend(loc="outside upper center", ncols=4, columnspacing=1, handlelength=1.2)
    return fig


def _binned(hits: np.ndarray, s: np.ndarray, bins: int) -> np.ndarray:
    """Return percent of hits `[S, bins]` in groups of equal size, from low to high s."""
    ordered = np.take_along_axis(hits, np.argsort(s, axis=1, kind="stable"), axis=1)
    return 100 * np.stack([g.mean(axis=1) for g in np.array_split(ordered, bins, axis=1)], axis=1)


@shows
def pretext_plane(
    retrieval: Mapping[str, Values], linear: Mapping[str, Values], chance: float, space: str
) -> Figure:
    """Show pretext methods by what they know of time and of classes, with intervals over seeds.

    Args:
        retrieval: method → share of right times within a video, per seed, percent.
        linear: method → top-1 of a linear probe on the frozen features, per seed, percent.
        chance: percent of right times without any knowledge, a dashed line.
        space: which features were asked for the times; the probes see backbone features.
    """
    fig = figure(4.2)
    ax = fig.subplots()
    tints = colours(list(retrieval))
    for name, tint, marker in zip(retrieval, tints, markers(tints), strict=True):
        cross(ax, (retrieval[name], linear[name]), color=tint, marker=marker, ms=8, label=name)
    ax.axvline(chance, color=INK, ls="--", lw=1, zorder=0.9)
    ax.annotate(
        "chance", (chance, 0), xycoords=("data", "axes fraction"), xytext=(4, 4),
        textcoords="offset points", fontsize=10,
    )  # fmt: skip
    ax.set(xlabel=f"right times within a video (%), {space}")
    ax.set(ylabel="linear probe, top-1 accuracy (%)")
    ax.set_title("← forgets time", loc="left")
    ax.set_title("knows time →", loc="right")
    ax.grid()
    ax.set_axisbelow(True)
    ax.margins(0.1)
    fig.legend(loc="outside lower center", ncols=3)
    return fig

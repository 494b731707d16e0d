"""Figures of results: accuracies, confusion between classes, maps of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.patheffects as effects
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...errors import DataError
from .style import FAMILY_COLOURS, FAMILY_LEGEND, INK, PAPER, class_rows, colour, family_of, figure
from .words import shows

MARKERS = {"persistent": "o", "phased": "^", "": "s"}


@shows
def accuracy_bars(table: pd.DataFrame, references: Mapping[str, float] | None = None) -> Figure:
    """Show systems as horizontal bars with error bars, in the order of the table.

    Args:
        table: columns `system`, `top1`, `low`, `high` (percent; low and high are the ends of the
            interval, NaN for none) and optionally `group`, a heading shared by following rows.
        references: label → percent of vertical lines, for example labelled-only.

    Raises:
        DataError: a column is missing, or values are fractions instead of percent.
    """
    table = _checked_bars(table)
    rows, headings = _bar_rows(table)
    fig = figure(1.0 + 0.3 * (len(rows) + len(headings)) + 0.25 * bool(references))
    ax = fig.subplots()
    error = np.abs(table[["low", "high"]].to_numpy().T - table["top1"].to_numpy())
    tints = [colour(name, k) for k, name in enumerate(table["system"])]
    style = {"ecolor": INK, "elinewidth": 1.2, "capsize": 3}
    ax.barh(rows, table["top1"], height=0.7, color=tints)
    ax.errorbar(table["top1"], rows, xerr=error, fmt="none", **style)
    reach = table[["top1", "high"]].max(axis=1)
    for row, end, value in zip(rows, reach, table["top1"], strict=True):
        ax.annotate(
            f"{value:.1f}", (end, row), (4, 0), textcoords="offset points", va="center", size=10
        )
    _headings(ax, rows, list(table["system"]), headings)
    _reference_lines(fig, ax, references)
    most = max([*reach, *(references or {}).values()])
    ax.set(xlabel="top-1 accuracy (%)", xlim=(0, 1.12 * most))
    return fig


def _checked_bars(table: pd.DataFrame) -> pd.DataFrame:
    if missing := {"system", "top1"} - set(table.columns):
        raise DataError(f"the table of accuracies lacks the columns {sorted(missing)}.")
    if not 1 < table["top1"].max() <= 100:
        raise DataError(
            f"top1 reaches {table['top1'].max():g}; allowed: percent, 0 to 100 (not fractions)."
        )
    return table.reindex(columns=["system", "top1", "low", "high", "group"])


def _bar_rows(table: pd.DataFrame) -> tuple[list[int], dict[int, str]]:
    """Return the row of each bar and the rows of group headings, leaving a row per heading."""
    rows, headings, row, before = [], {}, 0, None
    for group in table["group"].astype(object).fillna(""):
        if group and group != before:
            headings[row] = group
            row += 1
        before = group
        rows.append(row)
        row += 1
    return rows, headings


def _headings(ax: Axes, rows: list[int], systems: list[str], headings: dict[int, str]) -> None:
    names = dict(zip(rows, systems, strict=True)) | headings
    class_rows(ax, [names[row] for row in range(len(names))])
    for row in headings:
        ax.get_yticklabels()[row].set_fontweight("bold")


def _reference_lines(fig: Figure, ax: Axes, references: Mapping[str, float] | None) -> None:
    for label, value in (references or {}).items():
        ax.axvline(
            value, color=colour(label), ls="--", lw=1.4, zorder=0.5, label=f"{label}: {value:.1f} %"
        )
    if references:
        fig.legend(loc="outside upper center", ncols=min(2, len(references)))


@shows
def confusion(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Show which class is taken for which, each row scaled to 100 % of a true class's videos.

    Args:
        matrix: counts `[K, K]`, rows true, columns predicted.

    Raises:
        DataError: the matrix does not fit the classes.
    """
    counts, k = np.asarray(matrix, dtype=float), len(classes)
    if counts.shape != (k, k):
        raise DataError(f"the confusion matrix is {counts.shape} but there are {k} classes.")
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    fig = figure(4.9)
    ax = fig.subplots()
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    size = 10 if k <= 24 else 6
    ax.set_xticks(range(k), classes, rotation=90, fontsize=size)
    ax.set_yticks(range(k), classes, fontsize=size)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted class", ylabel="true class")
    if k <= 12:
        for (row, column), share in np.ndenumerate(shares):
            if share >= 0.5:
                tint = "white" if share > 55 else INK
                ax.text(column, row, f"{share:.0f}", ha="center", va="center", color=tint, size=9)
    fig.colorbar(image, label="videos of the true class (%)", shrink=0.6)
    return fig


@shows
def embedding(
    points2d: np.ndarray,
    labels: Sequence[str],
    families: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Figure:
    """Show a two-dimensional map of videos, each class named where its middle lies.

    Args:
        points2d: `[n, 2]`, for example from t-SNE; the axes have no unit.
        labels: class name of every point.
        families: class → `persistent` or `phased`; decides marker and range of hues.
    """
    points, labels = np.asarray(points2d), np.asarray(labels)
    classes = sorted(set(labels.tolist()))
    kinds = dict(zip(classes, family_of(classes, families), strict=True))
    fig = figure(5.2)
    ax = fig.subplots()
    for name, tint in _hues(kinds).items():
        own = points[labels == name]
        marker = MARKERS[kinds[name]]
        ax.scatter(*own.T, s=26, color=tint, marker=marker, ec=PAPER, lw=0.4, gid=name)
    middles = np.stack([np.median(points[labels == name], axis=0) for name in classes])
    for name, place in zip(classes, _spread_labels(middles, points, classes), strict=True):
        ax.annotate(
            name, place, ha="center", va="center", fontsize=9.5, fontweight="bold",
            path_effects=[effects.withStroke(linewidth=2.5, foreground=PAPER)],
        )  # fmt: skip
    for kind in sorted(set(kinds.values()) - {""}):
        ax.scatter([], [], color=FAMILY_COLOURS[kind], marker=MARKERS[kind], label=kind)
    if any(kinds.values()):
        fig.legend(**FAMILY_LEGEND)
    ax.set(xticks=[], yticks=[], xlabel="map axis 1 (no unit)", ylabel="map axis 2 (no unit)")
    ax.set_title(title or "", loc="left")
    return fig


def _spread_labels(places: np.ndarray, points: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Move labels up or down, a little at a time, until none covers another."""
    size = np.maximum(np.ptp(points, axis=0), 1e-9)
    places = places / size
    wide = np.array([0.0105 * len(name) for name in names])
    for _ in range(300):
        dx, dy = (np.subtract.outer(places[:, i], places[:, i]) for i in (0, 1))
        clash = (np.abs(dx) < np.add.outer(wide, wide)) & (np.abs(dy) < 0.042)
        np.fill_diagonal(clash, False)
        if not clash.any():
            break
        upwards = (dy > 0) | ((dy == 0) & (np.subtract.outer(*2 * [np.arange(len(names))]) > 0))
        places[:, 1] += 0.004 * (clash * np.where(upwards, 1, -1)).sum(axis=1)
    return places * size


def _hues(kinds: Mapping[str, str]) -> dict[str, tuple]:
    """Give classes of one family shades of one colour map, so that family is seen before class."""
    maps = {"persistent": ("Blues", 0.4, 0.95), "phased": ("YlOrBr", 0.35, 0.85)}
    tints = {}
    for kind in set(kinds.values()):
        own = [name for name, other in kinds.items() if other == kind]
        name, low, high = maps.get(kind, ("viridis", 0.0, 0.9))
        tints |= dict(zip(own, colormaps[name](np.linspace(low, high, len(own))), strict=True))
    return tints

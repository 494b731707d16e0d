"""Figures of accuracies over several seeds, every spread shown.

Intervals are Student's 95 % over seeds (`tblib.stats.mean_ci`); a single seed has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from PIL import Image

from ...errors import DataError
from ...stats import mean_ci
from .style import INK, PAPER, class_rows, colours, figure, markers
from .training import training_curves
from .words import shows, words

Values = Sequence[float] | np.ndarray | pd.Series


@shows
def accuracy_over_seeds(
    panels: Mapping[str, Mapping[str, Values]], reference: str | None = None
) -> Figure:
    """Show mean and interval of each system, and every seed as a small dot.

    Args:
        panels: heading (for example `5 % of the labels`) → system → top-1 of each seed in percent.
            Panels stand side by side and share their rows; a system absent from one leaves a gap.
        reference: system whose mean is drawn as a dashed line.

    Raises:
        DataError: no system has a value.
    """
    names = list(dict.fromkeys(n for systems in panels.values() for n in systems))
    if not any(len(values) for systems in panels.values() for values in systems.values()):
        raise DataError("there is no accuracy to draw; give at least one value of one system.")
    fig = figure(1.0 + 0.3 * len(names))
    axes = fig.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    tints = dict(zip(names, colours(names), strict=True))
    for ax, (heading, systems) in zip(axes, panels.items(), strict=True):
        for name, values in systems.items():
            if len(values):
                _seed_row(ax, names.index(name), np.asarray(values, float), tints[name])
        if len(systems.get(reference, ())):
            ax.axvline(np.mean(systems[reference]), color=INK, ls="--", lw=1, zorder=0.9)
        class_rows(ax, names)
        ax.set_title(heading)
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        ax.margins(x=0.08)
    fig.supxlabel("top-1 accuracy (%)", fontsize=11)
    return fig


def _seed_row(ax: Axes, row: int, values: np.ndarray, tint: str) -> None:
    zigzag = 0.1 * (np.arange(len(values)) % 3 - 1)
    ax.plot(values, row + 0.2 + zigzag, ".", color=tint, alpha=0.6, ms=5, mew=0)
    cross(ax, (values, [row - 0.1]), color=tint, marker="o", ms=6)


def cross(ax: Axes, place: tuple[Values, Values], **style) -> None:
    """Mark the mean over seeds with its intervals along the axes that have several values."""
    style = {"ls": "", "mec": PAPER, "mew": 0.6, "capsize": 3, "elinewidth": 1.6} | style
    x, y = (np.asarray(values, float) for values in place)
    ax.errorbar(x.mean(), y.mean(), xerr=_reach(x), yerr=_reach(y), **style)


def _reach(values: Values) -> np.ndarray:
    """Return the lengths `[2, 1]` of the interval to both sides; NaN, drawn as nothing, for one."""
    mean, low, high = mean_ci(values)
    return np.array([[mean - low], [high - mean]])


@shows
def accuracy_curves(
    curves: Mapping[str, Mapping[int, Sequence[Sequence[float]]]], clips: int
) -> Figure:
    """Draw test accuracy over training: the mean of the seeds, and their range as a band.

    Args:
        curves: system → seed → `[[step, top-1 in percent], …]`; a system without seeds is left out.
        clips: of every video the accuracies were measured with, often fewer than in tables.
    """
    history = {
        name: pd.DataFrame(
            [(step, top1, seed) for seed, points in seeds.items() for step, top1 in points],
            columns=["step", "top1", "seed"],
        )
        for name, seeds in curves.items()
        if seeds
    }
    fig = training_curves(history, y="top1", ylabel=f"top-1 (%), {clips} clips a video")
    for line, marker in zip(fig.axes[0].lines, markers(colours(list(history))), strict=True):
        line.set(marker=marker, markersize=7, markeredgecolor=PAPER, markeredgewidth=0.6)
    for legend in fig.legends:  # drawn before the markers were set
        legend.remove()
    _legend(fig, list(history))
    return fig


@shows
def label_curves(curves: Mapping[str, Mapping[float, Values]]) -> Figure:
    """Draw accuracy over the share of labelled videos, with intervals over seeds as bands.

    Args:
        curves: system → share of labels in (0, 1] → top-1 of each seed in percent.
    """
    fig = figure(3.8)
    ax = fig.subplots()
    tints = colours(list(curves))
    for name, tint, marker in zip(curves, tints, markers(tints), strict=True):
        points = curves[name]
        known = sorted(share for share, values in points.items() if len(values))
        mean, low, high = np.array([mean_ci(points[share]) for share in known]).reshape(-1, 3).T
        ax.plot(known, mean, color=tint, marker=marker, ms=7, mec=PAPER, mew=0.6, label=name)
        ax.fill_between(known, low, high, color=tint, alpha=0.18, lw=0)
    ticks = sorted({share for points in curves.values() for share in points})
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{100 * share:g} %" for share in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel="labelled share of the training videos", ylabel="top-1 accuracy (%)")
    ax.grid(axis="y")
    _legend(fig, list(curves))
    return fig


def _legend(fig: Figure, names: Sequence[str]) -> None:
    """Put as many columns above the axes as the longest name leaves room for."""
    columns = max(1, min(3, len(names), 66 // max(map(len, names))))
    fig.legend(loc="outside upper center", ncols=columns)


def small(fig: Figure, shades: int = 40):
    """Return a figure as a picture for a notebook, see `small_png`, together with its words."""
    from IPython.display import Image as Shown

    return Shown(small_png(fig, shades), alt=words(fig))


def small_png(fig: Figure, shades: int = 48) -> bytes:
    """Return a figure as PNG of so many colours, a third of the usual size.

    Args:
        shades: up to 64, for charts, they are chosen far apart, since by frequency two systems
            would share the colour of their dots; more, for photographs, by frequency.  Each then
            moves to the mean of what it stands for, else pale grey turns pink.
    """
    buffer, small = BytesIO(), BytesIO()
    fig.savefig(buffer, format="png")
    method = Image.Quantize.MAXCOVERAGE if shades <= 64 else Image.Quantize.MEDIANCUT
    picture = Image.open(buffer).convert("RGB")
    picture = picture.quantize(shades, method, kmeans=3, dither=Image.Dither.NONE)
    picture.save(small, "PNG", optimize=True)
    return small.getvalue()

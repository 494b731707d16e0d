"""Figures of speed: where a step's time goes, what a change gains, how cost grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ...errors import DataError
from .style import INK, class_rows, colours, figure
from .words import shows

BAR = "#0072B2"


@shows
def time_shares(seconds: Mapping[str, float], xlabel: str = "CPU milliseconds a step") -> Figure:
    """Draw the parts of a step as bars, in the order given, each with its share of the whole.

    Args:
        seconds: part → seconds, not negative.

    Raises:
        DataError: the parts take no time at all.
    """
    total = sum(seconds.values())
    if not total > 0:
        raise DataError("parts of a step that take no time cannot be drawn; measure them first.")
    fig = figure(1.0 + 0.35 * len(seconds))
    ax = fig.subplots()
    values = 1e3 * np.array(list(seconds.values()))
    ax.barh(range(len(values)), values, color=BAR, height=0.65)
    for row, value in enumerate(values):
        share = f" {100 * value / 1e3 / total:.0f} %"
        ax.annotate(share, (value, row), va="center", fontsize=10)
    class_rows(ax, list(seconds))
    ax.set_xlabel(xlabel)
    ax.margins(x=0.12)
    return fig


@shows
def gain_bars(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    xlabel: str = "times as fast as the plain way, CPU time",
) -> Figure:
    """Draw how many times faster than the plain way each way is, with its range over rounds.

    Args:
        panels: heading → way → (median, least, most), as `tblib.lesson.timing.gains` returns
            them.  The axis is logarithmic and the dashed line is the plain way.
        xlabel: says what the plain way is, and which time was measured.

    Raises:
        DataError: nothing to draw, or a gain that is not above 0.
    """
    everything = [v for ways in panels.values() for gain in ways.values() for v in gain]
    if not everything or min(everything) <= 0:
        raise DataError("gains must be above 0, and at least one is needed.")
    rows = [max(1, len(ways)) for ways in panels.values()]
    fig = figure(1.0 + 0.35 * sum(rows) + 0.35 * len(rows))
    axes = fig.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=rows)[:, 0]
    for ax, (heading, ways) in zip(axes, panels.items(), strict=True):
        _gains(ax, ways)
        ax.set_title(heading, loc="left")
    axes[-1].set_xlabel(xlabel)
    return fig


def _gains(ax: Axes, ways: Mapping[str, Sequence[float]]) -> None:
    middle, least, most = np.array(list(ways.values())).T
    ax.set_xscale("log")
    ax.barh(range(len(ways)), middle - 1, left=1, color=BAR, height=0.65)
    ends = [np.maximum(middle - least, 0), np.maximum(most - middle, 0)]
    ax.errorbar(middle, range(len(ways)), xerr=ends, fmt="none", ecolor=INK, lw=1, capsize=2)
    for row, (value, end) in enumerate(zip(middle, most, strict=True)):
        ax.annotate(f"  {value:.1f}", (max(value, end, 1), row), va="center", fontsize=10)
    ax.axvline(1, color=INK, ls="--", lw=1)
    class_rows(ax, list(ways))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.margins(x=0.1)


@shows
def growth_curves(measured: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """Draw cost relative to the smallest size; a line that is linear in the size is dashed.

    Args:
        measured: what grows → (sizes, costs), both above 0; all are divided by their first value.

    Raises:
        DataError: nothing to draw.
    """
    if not measured:
        raise DataError("there is no growth to draw; give at least one measured line.")
    fig = figure(3.6)
    ax = fig.subplots()
    widest = max(max(sizes) / sizes[0] for sizes, _ in measured.values())
    ax.plot([1, widest], [1, widest], color=INK, ls="--", lw=1, label="linear")
    for (name, (sizes, costs)), tint in zip(measured.items(), colours(list(measured)), strict=True):
        ax.plot(
            np.array(sizes) / sizes[0], np.array(costs) / costs[0], "o-", color=tint, label=name
        )
    ax.set(xscale="log", yscale="log", xlabel="size, relative to the smallest")
    ax.set_ylabel("cost, relative")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    ax.grid()
    fig.legend(loc="outside upper center", ncols=2)
    return fig

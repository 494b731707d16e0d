"""Figures of training: curves over optimiser steps."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...errors import DataError
from .style import INK, colours, figure
from .words import shows


@shows
def training_curves(
    history: Mapping[str, pd.DataFrame],
    y: str = "loss",
    reference: Mapping[str, float] | None = None,
    smooth: int = 1,
    ylabel: str | None = None,
) -> Figure:
    """Draw one curve per system over optimiser steps.

    Args:
        history: name → table with columns `step` and `y`; rows without a value are passed over.
            With a column `seed` the line is the mean and the band the range over seeds.
        y: column to draw.
        reference: label → value of horizontal lines, for example `{"chance, log 7": 1.946}`.
        smooth: running mean over so many rows; with one seed the raw values stay faintly visible.
        ylabel: axis label with unit, default the column's name.

    Raises:
        DataError: a table lacks a column.
    """
    fig = figure(3.6)
    ax = fig.subplots()
    for (name, table), tint in zip(history.items(), colours(list(history)), strict=True):
        _curve(ax, name, table, y, smooth, tint)
    for label, value in (reference or {}).items():
        ax.axhline(value, color=INK, ls="--", lw=1)
        ax.annotate(
            label, (1, value), xycoords=("axes fraction", "data"), xytext=(0, 3),
            textcoords="offset points", ha="right", fontsize=10,
        )  # fmt: skip
    ax.set(xlabel="optimiser step", ylabel=ylabel or y.replace("_", " "))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y")
    ax.margins(x=0.02, y=0.08)
    fig.legend(loc="outside upper center", ncols=min(3, len(history)))
    return fig


def _curve(ax: Axes, name: str, table: pd.DataFrame, y: str, smooth: int, tint: str) -> None:
    if missing := {"step", y} - set(table.columns):
        raise DataError(
            f"history of {name!r} lacks {sorted(missing)}; it has {', '.join(table.columns)}."
        )
    table = table.dropna(subset=[y])
    several = "seed" in table.columns and table["seed"].nunique() > 1
    if several:
        wide = table.pivot_table(index="step", columns="seed", values=y)
        wide = wide.rolling(smooth, min_periods=1).mean()
        ax.fill_between(wide.index, wide.min(axis=1), wide.max(axis=1), color=tint, alpha=0.2, lw=0)
        ax.plot(wide.index, wide.mean(axis=1), color=tint, label=name)
        return
    if smooth > 1:
        ax.plot(table["step"], table[y], color=tint, alpha=0.25, lw=0.8)
    ax.plot(table["step"], table[y].rolling(smooth, min_periods=1).mean(), color=tint, label=name)

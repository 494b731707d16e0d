"""The figure of a video that a model classifies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from .style import WIDTH, check_frames, colours, figure, show_strip
from .words import shows


@shows
def prediction(
    strip: np.ndarray, at: np.ndarray, curves: Mapping[str, np.ndarray], title: str, xlabel: str
) -> Figure:
    """Draw frames of a video and the probabilities of classes over time.

    Args:
        strip: evenly spread frames `[m, H, W, 3]`.
        at: `[n]`, where each clip begins.
        curves: class → probability of each clip `[n]` in [0, 1].
        title: what stands above.
        xlabel: what `at` is, with its unit.

    Raises:
        DataError: `strip` is not RGB frames.
    """
    strip = check_frames(strip)
    height = WIDTH / len(strip) * strip.shape[1] / strip.shape[2]
    fig = figure(height + 3.2)
    top, ax = fig.subplots(2, 1, height_ratios=[height, 2.6])
    show_strip(top, strip)
    top.set_title(title, loc="left", fontsize=11)
    for (name, values), tint in zip(curves.items(), colours(list(curves)), strict=True):
        ax.plot(at, values, color=tint, marker="o", ms=4, label=name)
    ax.set(xlabel=xlabel, ylabel="probability", ylim=(-0.03, 1.03))
    ax.grid(axis="y")
    fig.legend(loc="outside lower center", ncols=max(len(curves), 1))
    return fig

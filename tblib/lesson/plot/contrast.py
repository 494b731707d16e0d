"""Figures of contrastive learning: which clips attract and repel, and where clips end up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .style import INK, figure
from .words import shows

ROLES = {"takes no part": "#E8E8E8", "positive": "#0072B2", "negative": "#E69F00"}


@shows
def contrast_roles(videos: int = 3, slots: int = 4) -> Figure:
    """Show what the two teachers make of every pair of local clips of a batch.

    A row is a clip, a column another one; clips are sorted by video, then view, then time.  Left
    the local part of the invariant loss, right the local–local loss.

    Args:
        videos: B, videos in the batch.
        slots: S, local clips of a view.
    """
    video, view, time = np.indices((videos, 2, slots)).reshape(3, -1)
    same, twin = (np.equal.outer(code, code) for code in (video, time))
    other = ~np.eye(len(video), dtype=bool)
    invariant = np.where(same, 1, 2) * other
    distinctive = np.where(twin, 1, 2) * (same & other)
    fig = figure(3.9)
    panels = {"invariant": invariant, "distinctive": distinctive}
    for ax, (name, roles) in zip(fig.subplots(1, 2), panels.items(), strict=True):
        ax.imshow(roles, cmap=ListedColormap(list(ROLES.values())), vmin=0, vmax=2)
        _blocks(ax, videos, 2 * slots)
        ax.set_title(name, loc="left")
    handles = [Patch(facecolor=tint, label=name) for name, tint in ROLES.items()]
    fig.legend(handles=handles, loc="outside lower center", ncols=3)
    return fig


def _blocks(ax: Axes, count: int, size: int) -> None:
    """Name blocks of rows and columns after their video and draw lines between them."""
    middles = size * np.arange(count) + (size - 1) / 2
    names = [f"video {k + 1}" for k in range(count)]
    ax.set_xticks(middles, names)
    ax.set_yticks(middles, names, rotation=90, va="center")
    ax.tick_params(length=0)
    for edge in size * np.arange(1, count) - 0.5:
        ax.axhline(edge, color=INK, lw=1)
        ax.axvline(edge, color=INK, lw=1)


@shows
def clip_paths(points: Mapping[str, np.ndarray]) -> Figure:
    """Show the clips of each video as a path through a map of features, coloured by time.

    Args:
        points: feature → places `[N, n, 2]` of the n clips of N videos, in the order of time.
    """
    fig = figure(3.6)
    axes = fig.subplots(1, len(points), squeeze=False)[0]
    for ax, (name, places) in zip(axes, points.items(), strict=True):
        places = np.asarray(places)
        time = np.tile(np.linspace(0, 1, places.shape[1]), len(places))
        ax.plot(*places.transpose(2, 1, 0), color="#9A9A9A", lw=0.8, zorder=1)
        ax.scatter(*places.reshape(-1, 2).T, c=time, cmap="viridis", vmin=0, vmax=1, s=16, zorder=2)
        ax.set(xticks=[], yticks=[], xlabel="map axis 1 (no unit)")
        ax.set_title(name, loc="left")
    axes[0].set_ylabel("map axis 2 (no unit)")
    bar = fig.colorbar(ScalarMappable(cmap="viridis"), ax=axes, shrink=0.8, pad=0.02)
    bar.set_ticks([0, 1], labels=["first clip", "last clip"])
    return fig

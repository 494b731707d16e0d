"""Figures of the paper's idea: similar clips give a score, the score mixes two teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

from ...errors import DataError
from .style import COLOURS, INK, check_frames, class_rows, figure, montage, spread
from .words import shows

SYSTEMS = {
    "p_inv": ("invariant", COLOURS["invariant"]),
    "p_dist": ("distinctive", COLOURS["distinctive"]),
    "p_mix": ("mixture", "#B8579A"),
    "p_student": ("student", COLOURS["student"]),
}


@shows
def similarity_and_strip(
    matrix: np.ndarray, frames: np.ndarray, s: float, title: str | None = None
) -> Figure:
    """Show how alike the clips of one video are, beside the clips themselves.

    Args:
        matrix: cosine similarity of the video's clips, `[n, n]`.
        frames: the video `[N, H, W, 3]`; the middle of each of the n clips is shown.
        s: the video's score in [0, 1].
    """
    fig = figure(2.5)
    image = _similarity_panel(fig, matrix, frames, s, title, _limits([matrix]))
    fig.colorbar(image, ax=fig.axes[0], label="cosine similarity", location="left", shrink=0.8)
    return fig


@shows
def similarity_pair(first: Mapping[str, Any], second: Mapping[str, Any]) -> Figure:
    """Show two videos, for example a repetitive and a phased one, on one colour scale.

    Args:
        first, second: the arguments of `similarity_and_strip` by name.
    """
    fig = figure(5.0)
    limits = _limits([first["matrix"], second["matrix"]])
    for panel, video in zip(fig.subfigures(2, 1), (first, second), strict=True):
        panel.set_facecolor("none")
        image = _similarity_panel(panel, **{"title": None, **video}, limits=limits)
        panel.colorbar(
            image, ax=panel.axes[0], label="cosine similarity", location="left", shrink=0.8
        )
    return fig


def _limits(matrices: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return a colour range over everything off the diagonal, which is 1 by definition."""
    off = [np.asarray(m)[~np.eye(len(m), dtype=bool)] for m in matrices]
    low, high = float(np.min(np.concatenate(off))), 1.0
    return (low, high) if high - low > 1e-3 else (high - 1e-3, high)


def _similarity_panel(
    fig: Figure | SubFigure,
    matrix: np.ndarray,
    frames: np.ndarray,
    s: float,
    title: str | None,
    limits: tuple[float, float],
) -> AxesImage:
    matrix, frames = np.asarray(matrix), check_frames(frames)
    left, right = fig.subplots(1, 2, width_ratios=(1, 2))
    image = left.imshow(matrix, cmap="cividis", vmin=limits[0], vmax=limits[1])
    n = len(matrix)
    at = np.arange(n) if n <= 5 else np.arange(1, n, 2)
    left.set_xticks(at, at + 1)
    left.set_yticks(at, at + 1)
    left.set(xlabel="clip", ylabel="clip", anchor="N")
    left.spines[:].set_visible(False)
    _numbered_clips(right, frames, n)
    heading = f"{title}: " if title else ""
    fig.suptitle(f"{heading}s(v) = {s:.2f}", fontsize=11, fontweight="bold")
    return image


def _numbered_clips(ax: Axes, frames: np.ndarray, n: int) -> None:
    """Draw the middle frame of n equal parts of the video, wrapped, each with its clip number."""
    middle = ((np.arange(n) + 0.5) * len(frames) / n).astype(int)
    columns = -(-n // 2) if n > 3 else n
    ax.imshow(montage(frames[middle], columns))
    height, width = frames.shape[1:3]
    gap = width // 24 + 1
    for k in range(n):
        x, y = k % columns * (width + gap), k // columns * (height + gap)
        ax.text(
            x + width * 0.06, y + height * 0.06, str(k + 1), va="top", fontsize=9, color=INK,
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8},
        )  # fmt: skip
    ax.set_axis_off()
    ax.set_anchor("N")


@shows
def reweighting_illustration(videos: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> Figure:
    """Show step by step the mixture p = s·p_I + (1 - s)·p_D for a few videos.

    Args:
        videos: per video `frames` `[N, H, W, 3]`, `p_inv`, `p_dist`, `p_mix` and optionally
            `p_student` (probabilities `[K]`), `s` in [0, 1], `label` (index of the true class,
            or −1 where nobody knows it).
        classes: K class names.
    """
    fig = figure(0.5 + 2.35 * len(videos))
    panels = np.atleast_1d(fig.subfigures(len(videos), 1))
    for panel, video in zip(panels, videos, strict=True):
        panel.set_facecolor("none")
        grid = panel.add_gridspec(2, 2, width_ratios=(1.25, 1), height_ratios=(3, 1))
        _video_and_slider(panel.add_subplot(grid[0, 0]), panel.add_subplot(grid[1, 0]), video)
        bars = panel.add_subplot(grid[:, 1])
        _class_bars(bars, video, classes)
        truth = classes[video["label"]] if video["label"] >= 0 else "nobody knows"
        panel.suptitle(f"true class: {truth}", fontsize=11, fontweight="bold")
    handles, labels = bars.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=4, columnspacing=1.2)
    return fig


def _video_and_slider(strip: Axes, slider: Axes, video: Mapping[str, Any]) -> None:
    frames = check_frames(video["frames"])
    at = spread(len(frames), 6)
    strip.imshow(montage(frames[at], 3))
    strip.set_axis_off()
    s = float(video["s"])
    slider.barh(0, s, color=COLOURS["invariant"], height=0.35)
    slider.barh(0, 1 - s, left=s, color=COLOURS["distinctive"], height=0.35)
    slider.plot(s, 0, "o", color="white", mec=INK, ms=11, mew=1.5, clip_on=False)
    slider.set(xlim=(0, 1), ylim=(-0.4, 0.9), yticks=[], xlabel="weight of the invariant teacher")
    slider.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    slider.text(min(max(s, 0.15), 0.85), 0.35, f"s(v) = {s:.2f}", ha="center")
    slider.spines[["left", "bottom"]].set_visible(False)


def _class_bars(ax: Axes, video: Mapping[str, Any], classes: Sequence[str], most: int = 3) -> None:
    """Draw the likeliest classes, the true one always among them, for each system."""
    systems = {key: style for key, style in SYSTEMS.items() if video.get(key) is not None}
    p = np.stack([np.asarray(video[key], dtype=float) for key in systems])
    if p.shape[1] != len(classes):
        raise DataError(f"probabilities of {p.shape[1]} classes but {len(classes)} class names.")
    others = [k for k in np.argsort(-p.max(axis=0), kind="stable") if k != video["label"]]
    known = [video["label"]] if video["label"] >= 0 else []
    chosen = [*known, *others[: most - len(known)]]
    height = 0.8 / len(systems)
    for row, (name, tint) in enumerate(systems.values()):
        at = np.arange(len(chosen)) + (row - (len(systems) - 1) / 2) * height
        ax.barh(at, p[row, chosen], height=height, color=tint, label=name)
    class_rows(ax, [classes[k] for k in chosen])
    if known:
        ax.get_yticklabels()[0].set_fontweight("bold")
    ax.set(xlim=(0, 1), xlabel="probability")
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])

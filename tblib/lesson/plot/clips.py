"""Figures of videos and of where clips sit in them: a video on paper is a strip of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure

from .style import INK, WIDTH, check_frames, figure, show_strip, spread
from .words import shows

SLOT_COLOURS = ("#440154", "#31688E", "#2A9D6F", "#C9A400")


@shows
def frame_strip(
    frames: np.ndarray,
    indices: Sequence[int] | None = None,
    n: int = 8,
    title: str | None = None,
) -> Figure:
    """Show a video as a row of frames with their frame numbers.

    Args:
        frames: `[N, H, W, 3]`, uint8 or float in [0, 1].
        indices: which frames; default `n` evenly spread ones, first and last included.

    Raises:
        DataError: `frames` are not RGB frames.
    """
    frames = check_frames(frames)
    indices = spread(len(frames), n) if indices is None else np.asarray(indices)
    fig = figure(_strip_height(frames, len(indices)) + (0.75 if title else 0.5))
    ax = fig.subplots()
    show_strip(ax, frames[indices], indices)
    ax.set_xlabel("frame")
    ax.set_title(title or "", loc="left")
    return fig


def _strip_height(frames: np.ndarray, count: int, width: float = WIDTH) -> float:
    return width / count * frames.shape[1] / frames.shape[2]


@shows
def contact_sheet(strips: Mapping[str, np.ndarray], n: int = 6) -> Figure:
    """Show many videos, one row each, time from left to right.

    Args:
        strips: name → frames `[N, H, W, 3]`; names label the rows.
        n: evenly spread frames shown of each video.

    Raises:
        DataError: an entry is not RGB frames.
    """
    rows = {name: check_frames(frames, name) for name, frames in strips.items()}
    chosen = {name: frames[spread(len(frames), n)] for name, frames in rows.items()}
    fig = _rows(chosen)
    fig.supxlabel("time, from each video's first to last frame", fontsize=11)
    return fig


@shows
def views(clips: np.ndarray, n: int = 8) -> Figure:
    """Show augmented views of one video, one row each.

    Args:
        clips: `[V, T, H, W, 3]`, uint8 or float in [0, 1], not normalised.
        n: at most so many frames of each view.

    Raises:
        DataError: the shape or the range of `clips` is wrong.
    """
    clips = check_frames(clips, "views", ndim=5)
    times = spread(clips.shape[1], n)
    fig = _rows({f"view {v + 1}": clip[times] for v, clip in enumerate(clips)}, labels=times)
    fig.supxlabel("frame of the clip", fontsize=11)
    return fig


def _rows(strips: Mapping[str, np.ndarray], labels: Sequence[int] | None = None) -> Figure:
    """Draw named strips below each other; only the last row carries frame labels."""
    longest = max(len(name) for name in strips)
    usable = WIDTH - 0.095 * longest - 0.15
    heights = [_strip_height(frames, len(frames), usable) for frames in strips.values()]
    # "compressed" also counts the names' width where pictures keep their aspect.
    fig = figure(sum(heights) + 0.05 * len(heights) + 0.45, layout="compressed")
    fig.get_layout_engine().set(h_pad=0.02, hspace=0.01)
    axes = fig.subplots(len(strips), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for row, (name, frames) in enumerate(strips.items()):
        ax = axes[row, 0]
        show_strip(ax, frames, labels if row == len(strips) - 1 else None)
        ax.set_yticks([(frames.shape[1] - 1) / 2], [name], fontsize=10)
    return fig


@shows
def clip_timeline(n_frames: int, global_idx: np.ndarray, local_idx: np.ndarray) -> Figure:
    """Show where the sparse clip and the dense clips sit in the video, slot by slot.

    Args:
        n_frames: length of the video, frames.
        global_idx: frame numbers of the sparse clip, `[T]`.
        local_idx: frame numbers of the dense clips, `[S, T]`; clip k covers the time of slot k.
    """
    global_idx, local_idx = np.asarray(global_idx), np.asarray(local_idx)
    slots = len(local_idx)
    fig = figure(1.15 + 0.36 * (slots + 2))
    ax = fig.subplots()
    ax.barh(0, n_frames, left=-0.5, height=0.5, color="#d9d9d9")
    for k, part in enumerate(np.array_split(global_idx, slots)):
        tint = SLOT_COLOURS[k % len(SLOT_COLOURS)]
        ax.axvspan(local_idx[k].min() - 0.5, local_idx[k].max() + 0.5, color=tint, alpha=0.13, lw=0)
        _ticks(ax, part, 1, tint)
        _ticks(ax, local_idx[k], 2 + k, tint)
        ax.text(local_idx[k].mean(), -0.6, f"slot {k + 1}", ha="center", color=INK, fontsize=10)
    names = ["video", "sparse clip", *(f"dense clip {k + 1}" for k in range(slots))]
    ax.set_yticks(range(slots + 2), names)
    ax.set(ylim=(slots + 1.6, -1.1), xlim=(-1.5, n_frames + 0.5), xlabel="frame of the video")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return fig


def _ticks(ax: Axes, at: np.ndarray, row: int, tint: str) -> None:
    """Mark the frames `at` by short vertical strokes in one row."""
    ax.vlines(at, row - 0.3, row + 0.3, color=tint, lw=1.6)


def flow_colours(flow: np.ndarray) -> np.ndarray:
    """Turn optical flow into pictures: hue is the direction, saturation the speed.

    Args:
        flow: `[N, H, W, 2]`, pixels per frame, x to the right and y down.

    Returns:
        uint8 `[N, H, W, 3]`; white does not move, full colour is the 99th percentile of speed.
    """
    speed = np.linalg.norm(flow, axis=-1)
    hue = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    saturation = np.clip(speed / max(float(np.quantile(speed, 0.99)), 1e-6), 0, 1)
    return (255 * hsv_to_rgb(np.stack([hue, saturation, np.ones_like(hue)], -1))).astype(np.uint8)

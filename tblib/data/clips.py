"""Where clips sit in time: pure index arithmetic, no pixels.

A *view sampler* says which frames of a video a method wants to see.  Its `indices(n_frames, rng)`
returns integers `[V, T]` in `[0, n_frames)`; V views of T frames each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Views(Protocol):
    """What every view sampler offers."""

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[V, T]`."""


def mirror(index: np.ndarray, n_frames: int) -> np.ndarray:
    """Fold indices beyond the last frame back into the video, as if it were played back and forth.

    Args:
        index: non-negative integers of any shape.
        n_frames: true length of the video, at least 1.
    """
    if n_frames < 1:
        raise ValueError(f"a video needs at least one frame, got {n_frames}")
    period = max(2 * (n_frames - 1), 1)
    folded = np.asarray(index) % period
    return np.minimum(folded, period - folded) if n_frames > 1 else np.zeros_like(folded)


def clip(start: int, frames: int, stride: int, n_frames: int) -> np.ndarray:
    """Return the `[T]` indices of a clip of `frames` frames, every `stride`-th from `start`."""
    return mirror(start + stride * np.arange(frames), n_frames)


def uniform_starts(n_frames: int, span: int, n: int) -> np.ndarray:
    """Spread `n` clips of `span` frames evenly over a video; all start at 0 if it is too short.

    Source: ten-clip testing of the paper (section A7).
    """
    return np.linspace(0, max(n_frames - span, 0), n).round().astype(int)


@dataclass(frozen=True)
class RandomClip:
    """One clip at a random time: training of teachers and students."""

    frames: int
    stride: int

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[1, T]`."""
        last = max(n_frames - self.frames * self.stride, 0)
        start = int(rng.integers(last + 1))
        return clip(start, self.frames, self.stride, n_frames)[None]


@dataclass(frozen=True)
class UniformClips:
    """`n` clips spread evenly over the video: testing and similarity."""

    frames: int
    stride: int
    n: int

    def indices(self, n_frames: int, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return frame indices `[n, T]`; nothing is random."""
        starts = uniform_starts(n_frames, self.frames * self.stride, self.n)
        return np.stack([clip(s, self.frames, self.stride, n_frames) for s in starts])


@dataclass(frozen=True)
class SparseDense:
    """One sparse clip over a long window and S dense clips that tile the same window, all twice.

    The sparse (global) clip has S times the stride of the dense (local) ones, so its slot k covers
    the same time as local clip k.  V = 2 + 2S rows: global view 0, global view 1, the S local
    clips of view 0, the S local clips of view 1.  Both views show the same frames; augmentation
    makes them differ.

    Source: TCLR-style sampling of the paper (section A3), S = 4.
    """

    frames: int
    stride: int
    slots: int = 4

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[2 + 2S, T]`."""
        span = self.frames * self.stride
        start = int(rng.integers(max(n_frames - self.slots * span, 0) + 1))
        sparse = clip(start, self.frames, self.stride * self.slots, n_frames)
        dense = [
            clip(start + k * span, self.frames, self.stride, n_frames) for k in range(self.slots)
        ]
        return np.stack([sparse, sparse, *dense, *dense])

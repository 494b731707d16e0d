"""Where clips sit in time: pure index arithmetic, no pixels.

A *view sampler* says which frames of a video a method wants to see.  Its `indices(n_frames, rng)`
returns integers `[V, T]` in `[0, n_frames)`; V views of T frames each.

The unit of every length and stride is the frame, not the second, also where frames are not equally
long: every container has frames, not every one has times, and the paper counts frames.
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

    Returns:
        Integers of the shape of `index`, in `[0, n_frames)`.

    Raises:
        ValueError: the video has no frame.
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

    Returns:
        Integers `[n]`, rising.

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


def place(offsets: np.ndarray, n_frames: int, rng: np.random.Generator, window: int) -> np.ndarray:
    """Put a pattern of frames at a random time of a video and return its `[T]` indices.

    A video shorter than `window` is stretched to it by repeating frames.  Folded by `mirror` it
    would run backwards, and a label that says in which order frames come would be wrong.

    Args:
        offsets: integers `[T]`, from 0 up to `window`, the frames a pattern of the task may span.

    Raises:
        ValueError: the video has no frame.
    """
    if n_frames < 1:
        raise ValueError(f"a video needs at least one frame, got {n_frames}")
    length = max(n_frames, window)
    start = int(rng.integers(length - int(offsets.max())))
    return (start + offsets) * n_frames // length


@dataclass(frozen=True)
class ClipPair:
    """Two clips of one video whose gap is the rarer the wider it is: CVRL.

    Of the gaps 0 … G between the starts that the video's length allows, gap g has a probability
    proportional to G + 1 − g.  Source: Qian et al., CVPR 2021.
    """

    frames: int
    stride: int

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[2, T]`; either clip may be the earlier one."""
        widest = max(n_frames - self.frames * self.stride, 0)
        weight = np.arange(widest + 1, 0, -1)
        gap = int(rng.choice(widest + 1, p=weight / weight.sum()))
        starts = int(rng.integers(widest - gap + 1)) + rng.permutation([0, gap])
        return np.stack([clip(s, self.frames, self.stride, n_frames) for s in starts])


@dataclass(frozen=True)
class DifferentTimes:
    """`n` clips of one video at random times, no two at the same where it is long enough.

    Source: Feichtenhofer et al., CVPR 2021: ρ clips at independent times.
    """

    frames: int
    stride: int
    n: int

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[n, T]`, in no order."""
        times = max(n_frames - self.frames * self.stride, 0) + 1
        starts = rng.choice(times, self.n, replace=times < self.n)
        return np.stack([clip(int(s), self.frames, self.stride, n_frames) for s in starts])


TRANSFORMATIONS = ("original", "periodic", "permutation", "warp")


@dataclass(frozen=True)
class Transformed:
    """One clip under each of the four temporal `TRANSFORMATIONS`, at its own random time.

    The original shows every `skip`-th frame; the periodic one runs forth and back with the same
    skip; the permutation shuffles consecutive frames; the warp changes its skip from frame to
    frame, between 1 and `fastest`.  Every video gives all four, so its looks tell nothing.
    Source: official code of Jenni et al., ECCV 2020.
    """

    frames: int
    skip: int
    fastest: int

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[4, T]` in the order of `TRANSFORMATIONS`."""
        patterns = (
            self.skip * np.arange(self.frames),
            forth_and_back(self.frames, self.skip, rng),
            rng.permutation(self.frames),
            np.append(0, rng.integers(1, self.fastest + 1, self.frames - 1).cumsum()),
        )
        span = self.frames * self.fastest
        return np.stack([place(pattern, n_frames, rng, span) for pattern in patterns])


def forth_and_back(frames: int, skip: int, rng: np.random.Generator) -> np.ndarray:
    """Frame offsets `[T]` that run forth, turn once, and come back between the frames of the way.

    At least two frames lie on either side of the turn.  With skips above 1 no frame is shown twice:
    two equal frames would give it away.  Skips and turn are those of the official code.
    """
    forth = skip * np.arange(frames - 2)
    shift = int(rng.integers(1, skip)) if skip > 1 else int(rng.integers(2))
    path = np.concatenate([forth, shift + forth[::-1]])
    part = path[int(rng.integers(frames - 3)) :][:frames]
    return part - part.min()


@dataclass(frozen=True)
class ClipTuple:
    """Clips of one video in the order of time, as one long view so that they share one crop.

    Half a clip is left out between two; adjacent clips could be ordered by pixels that go on.
    Source: Xu et al., CVPR 2019: three clips of 16 frames, 8 frames apart.
    """

    frames: int
    stride: int
    clips: int = 3

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[1, clips · T]`."""
        span = self.frames * self.stride
        gap = span // 2
        starts = (span + gap) * np.arange(self.clips)[:, None]
        offsets = (starts + self.stride * np.arange(self.frames)).ravel()
        return place(offsets, n_frames, rng, self.clips * (span + gap) - gap)[None]


@dataclass(frozen=True)
class LongClip:
    """One long clip at a random time that a method cuts into blocks: MemDPC.

    A video that is shorter is stretched: folded, it would run backwards.
    """

    frames: int
    stride: int

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[1, T]`."""
        offsets = self.stride * np.arange(self.frames)
        return place(offsets, n_frames, rng, self.frames * self.stride)[None]

"""Several looks at one moment of a video: as it is, at other speeds, and backwards.

View samplers as those of `tblib.data.clips`: `indices(n_frames, rng)` returns integers `[V, T]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clips import RandomClip, clip


@dataclass(frozen=True)
class SameTime:
    """One clip at a random time, shown several times: weak and strong, frames and motion."""

    frames: int
    stride: int
    views: int = 2

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[V, T]`, V equal rows."""
        once = RandomClip(self.frames, self.stride).indices(n_frames, rng)
        return once.repeat(self.views, 0)


@dataclass(frozen=True)
class TwoRates:
    """A fast and a slow clip of as many frames each, about the same middle: TCL on 3-D networks.

    The fast one shows every frame that `stride` asks for, the slow one leaves out `factor` − 1 of
    `factor` of them and so lasts longer.
    """

    frames: int
    stride: int
    factor: int = 2

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[2, T]`, of the fast and of the slow clip."""
        span = self.frames * self.stride
        start = int(rng.integers(max(n_frames - self.factor * span, 0) + 1))
        inside = start + (self.factor - 1) * span // 2
        return np.stack([
            clip(inside, self.frames, self.stride, n_frames),
            clip(start, self.frames, self.stride * self.factor, n_frames),
        ])  # fmt: skip


@dataclass(frozen=True)
class Tempo:
    """The clip as it is, then the same moment at other tempos, one row for each set of `tempos`.

    A tempo is a multiple of the stride, negative for backwards; 0 stands for one that changes from
    frame to frame, between half the stride and twice it.  One is drawn from every set.
    """

    frames: int
    stride: int
    tempos: tuple[tuple[float, ...], ...] = ((0.5, 2), (0,))

    def indices(self, n_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Return frame indices `[1 + sets, T]`."""
        (weak,) = RandomClip(self.frames, self.stride).indices(n_frames, rng)
        middle = int(weak[len(weak) // 2])
        others = [_at(middle, self._offsets(choices, rng), n_frames) for choices in self.tempos]
        return np.stack([weak, *others])

    def _offsets(self, choices: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
        tempo = choices[int(rng.integers(len(choices)))]
        if tempo:
            return np.round(np.arange(self.frames) * self.stride * tempo).astype(int)
        low, high = max(self.stride // 2, 1), 2 * self.stride
        return np.append(0, rng.integers(low, high + 1, self.frames - 1).cumsum())


def _at(middle: int, offsets: np.ndarray, n_frames: int) -> np.ndarray:
    """Put offsets `[T]` about a frame; inside the video where it is long enough."""
    offsets = offsets - offsets.min()
    start = min(max(middle - int(offsets.max()) // 2, 0), max(n_frames - 1 - int(offsets.max()), 0))
    length = max(n_frames, int(offsets.max()) + 1)
    return (start + offsets) * n_frames // length

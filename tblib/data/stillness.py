"""Is a film one still picture?  Said only of what was decoded, and only if nothing at all moves."""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import DecodeError

# An encoder repeats a still picture exactly, but for refinements: of 36 encoded still pictures
# those that repeat at all change by up to 24 of 255 levels, or by up to 73 where nine tenths of
# the frames are repeats; their means over blocks by up to 11.
BLOCK, BLOCK_LEVELS = 8, 12
LEVELS, MOSTLY, LEVELS_IF_MOSTLY = 32, 0.9, 80


class Stillness:
    """Looks at each frame and keeps the span of each pixel, until something has moved."""

    def __init__(self) -> None:
        self.count = self.repeats = 0
        self._last = None
        self._spans: tuple[_Span, _Span] | None = (_Span(), _Span())

    def see(self, frame: np.ndarray) -> None:
        """Take the next frame `[h, w, 3]`, uint8."""
        self.count += 1
        if self._spans is None:
            return
        self.repeats += self._last is not None and np.array_equal(frame, self._last)
        self._last = frame
        pixels, blocks = self._spans
        moved = pixels.widen(frame) > LEVELS_IF_MOSTLY
        if moved or blocks.widen(_blocks(frame)) > BLOCK_LEVELS:
            self._spans = self._last = None

    def check(self, path) -> None:
        """Refuse a film of which every frame is the same picture but for what an encoder changes.

        A film that waits and then moves, or shows each of its pictures many times, is none.

        Raises:
            DecodeError: it is one still picture.
        """
        if self._spans is None or not self.repeats:
            return
        mostly = self.repeats >= MOSTLY * (self.count - 1)
        if self._spans[0].width <= (LEVELS_IF_MOSTLY if mostly else LEVELS):
            detail = f"in {self.count} frames nothing moves but the traces of compression"
            advice = "if that is how it was filmed, take it out of the lists, else replace the file"
            raise DecodeError(path, "frozen", f"{detail}; {advice}")


class _Span:
    """Lowest and highest value of each pixel."""

    def __init__(self) -> None:
        self.low = self.high = None
        self.width = 0

    def widen(self, frame: np.ndarray) -> int:
        if self.low is None:
            self.low, self.high = frame.copy(), frame.copy()
            return 0
        np.minimum(self.low, frame, out=self.low)
        np.maximum(self.high, frame, out=self.high)
        self.width = int((self.high - self.low).max())
        return self.width


def _blocks(frame: np.ndarray) -> np.ndarray:
    height, width = (max(1, side // BLOCK) for side in frame.shape[:2])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)

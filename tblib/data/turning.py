"""How a stored picture becomes the one that is used: turned, mirrored, scaled."""

from __future__ import annotations

import struct
from typing import NamedTuple

import cv2
import numpy as np

from ..errors import DecodeError

OBLIQUE = 0.0175  # tangent of 1 degree: by less a matrix may be off a quarter turn


class Turn(NamedTuple):
    """What is done to a stored picture, in this order."""

    transposed: bool = False  # rows become columns
    left_right: bool = False
    up_down: bool = False

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture `[h, w, 3]` as it is shown, `[h, w, 3]` or `[w, h, 3]`."""
        if self.transposed:
            picture = picture.transpose(1, 0, 2)
        if self.left_right:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(picture[::-1] if self.up_down else picture)


AS_STORED = Turn()


def turn_of(path, matrix: bytes | None) -> Turn:
    """Read a display matrix: the point (x, y) is shown at (a x + c y, b x + d y).

    Args:
        path: the file, for the message.
        matrix: nine numbers a, b, u, c, d, v, x, y, w of four bytes; None if there is no matrix.

    Raises:
        DecodeError: it turns by another angle than quarter turns.

    Source: ISO/IEC 14496-12, 6.2.2.
    """
    if matrix is None or len(matrix) < 36:
        return AS_STORED
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    straight, crossed = max(abs(a), abs(d)), max(abs(b), abs(c))
    if min(straight, crossed) > OBLIQUE * max(straight, crossed):
        angle = np.degrees(np.arctan2(b, a))
        detail = f"it is to be shown turned by {angle:.0f} degrees, not by quarter turns"
        advice = "convert it: ffmpeg -i FILE NEW.mp4"
        raise DecodeError(path, "unreadable", f"{detail}; {advice}")
    if crossed > straight:
        return Turn(True, c < 0, b < 0)
    return Turn(False, a < 0, d < 0)


def resize(frames: np.ndarray, px: int | None) -> np.ndarray:
    """Scale the short side to `px`, keeping the aspect.

    Args:
        frames: uint8 `[N, H, W, 3]`.
        px: new length of the short side, or None for no change.

    Returns:
        uint8 `[N, h, w, 3]` with `min(h, w) == px`.
    """
    height, width = frames.shape[1:3]
    if px is None or min(height, width) == px:
        return frames
    scale = px / min(height, width)
    size = max(px, round(width * scale)), max(px, round(height * scale))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])

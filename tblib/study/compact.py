"""Probabilities as a short text: what a record keeps of a classifier beside right and wrong.

A probability becomes one of 4,096 steps from 0 to 1, so it is off by 1.2e-4 at most.  High and low
bytes are packed apart, since most high bytes are zero: 306 videos of nine classes take 4 kB.
"""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np

from ..errors import DataError

STEPS = 2**12 - 1
AGAIN = "record the study again"


def pack(p: np.ndarray) -> str:
    """Write probabilities `[N, K]` in [0, 1] as text: zlib and base64 of 12-bit steps."""
    steps = np.round(np.asarray(p, dtype=float) * STEPS).astype(np.uint16)
    planes = np.concatenate([steps >> 8, steps & 255]).astype(np.uint8)
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def unpack(text: str, videos: int, classes: int) -> np.ndarray:
    """Read what `pack` wrote.

    Returns:
        float64 `[videos, classes]` in [0, 1].

    Raises:
        DataError: it is damaged, has another shape, or a row is no distribution.
    """
    size = 2 * videos * classes
    try:  # never more bytes than wanted: a few can stand for gigabytes
        data = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise DataError(f"probabilities are damaged ({error}); {AGAIN}.") from None
    if len(data) != size:
        raise DataError(f"there are not {videos} × {classes} probabilities; {AGAIN}.")
    high, low = np.frombuffer(data, np.uint8).reshape(2, videos, classes).astype(np.uint16)
    p = (high * 256 + low) / STEPS
    if (p > 1).any() or (np.abs(p.sum(1) - 1) > classes / STEPS).any():
        raise DataError(f"probabilities of a video do not sum to one; {AGAIN}.")
    return p


def rounded(p: np.ndarray) -> np.ndarray:
    """Return probabilities `[N, K]` as a record gives them back."""
    return unpack(pack(p), *np.shape(p))

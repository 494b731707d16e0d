"""Random numbers that depend on what they are for, so that no two purposes share a stream."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def seeded(purpose: str, *numbers: int) -> np.random.Generator:
    """Return the random numbers of one purpose, e.g. `seeded("order", seed, epoch)`.

    NumPy seeds `[1, 2]` and `[1, 2, 0]` alike; the name of the purpose and the count of numbers
    keep streams apart.  StickActions has tags of its own, so that its videos stay as they are.

    Args:
        numbers: integers from 0 up, whatever the stream may depend on.
    """
    return np.random.default_rng([crc32(purpose.encode()), len(numbers), *numbers])

"""Quarter turns of clips, by which rotation pretexts ask where "up" is."""

from __future__ import annotations

import torch
from torch import Tensor

TURNS = 4


def turned(clips: Tensor) -> Tensor:
    """Turn square clips `[B, 3, T, H, H]` by 0, 90, 180 and 270 degrees: `[4B, 3, T, H, H]`.

    All frames of a clip turn alike, and the B clips of one angle follow each other.
    """
    return torch.cat([torch.rot90(clips, turn, (3, 4)) for turn in range(TURNS)])


def turns_of(copies: Tensor) -> Tensor:
    """Name the turn of each of `turned` copies `[4B, ...]`: quarters of a turn, `[4B]`."""
    return torch.arange(TURNS, device=copies.device).repeat_interleave(len(copies) // TURNS)

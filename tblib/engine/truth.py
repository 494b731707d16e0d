"""Pseudo-labels held against the truth, for the log alone: a method never sees the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.loader import Batch
from .distributed import gather


@dataclass(frozen=True)
class Guesses:
    """What a method takes the videos of a stream to be; returned among the values of a step.

    Attributes:
        stream: name of the stream.
        label: classes `[B]`, of the whole batch, as gathered from all processes.
        used: which of them the loss uses, booleans `[B]`.
    """

    stream: str
    label: Tensor
    used: Tensor


@torch.no_grad()
def with_truth(
    values: Mapping[str, Tensor | Guesses], batches: Mapping[str, Batch], truth: np.ndarray
) -> dict[str, Tensor]:
    """Put numbers in the place of guesses: the share that is used, and how many of those are right.

    Where none is used, the share of right ones is NaN, and left out of the means of the log.

    Args:
        values: what `forward` returned.
        batches: the batches it was given.
        truth: the class of every row of the video table, `[N]`.
    """
    found = {name: value for name, value in values.items() if not isinstance(value, Guesses)}
    for name, guess in values.items():
        if isinstance(guess, Guesses):
            rows = gather(batches[guess.stream].row).cpu().numpy()
            right = guess.label.cpu() == torch.from_numpy(truth[rows])
            used = guess.used.cpu()
            found[f"{name}_used"] = used.float().mean()
            found[f"{name}_right"] = right[used].float().mean()
    return found

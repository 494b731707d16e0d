"""Batches in shared memory, the way from the processes that load to the one that trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Any

import torch

from ..errors import UserError


@dataclass(frozen=True)
class Shared:
    """Collate into shared memory, here and not in the thread that hands batches over.

    Where that memory is full, as in a container with 64 MB, the thread would print a traceback and
    the program wait for ever for a batch that was thrown away.
    """

    collate: Callable

    def __call__(self, samples: Any) -> Any:
        """Collate samples; every tensor of the result is in shared memory.

        Raises:
            UserError: there is too little of it.
        """
        batch = self.collate(samples)
        tensors = list(_tensors(batch))
        try:
            for tensor in tensors:
                tensor.share_memory_()
        except RuntimeError as error:
            raise UserError(_too_little(sum(t.nbytes for t in tensors), error)) from None
        return batch


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in nested tuples and dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
    elif is_dataclass(value):
        yield from _tensors([getattr(value, field.name) for field in fields(value)])


def _too_little(needed: int, error: RuntimeError) -> str:
    place = Path("/dev/shm")
    room = f"{place} has {disk_usage(place).total / 1e6:.0f} MB" if place.is_dir() else ""
    return (
        f"a batch of {needed / 1e6:.0f} MB does not fit into shared memory ({room or error}), and "
        "each process of runtime.workers needs room for three; set runtime.workers to 0, or give "
        "more, for example by docker run --shm-size=2g."
    )

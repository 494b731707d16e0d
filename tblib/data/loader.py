"""Batches that depend on nothing but (seed, step): same data for any number of workers.

The order of videos in epoch e is a permutation seeded by (seed, e); the augmentation of a sample is
seeded by (seed, step, position).  A run can therefore be resumed at any step without saving any
random state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from .. import reprs
from ..errors import ConfigError
from ..randomness import seeded
from .augment import Augment
from .cache import FrameCache
from .clips import Views
from .on_device import Uncut, cut, stack, uncut
from .table import NO_LABEL

EMPTY_POOL = "a pool of videos is empty; lower data.label_fraction or data.val_groups."


@dataclass(frozen=True)
class Stream:
    """What a method wants from one pool of videos.

    Attributes:
        pool: `train` (all training videos), `labelled` or `unlabelled`.
        batch: B, videos per step.
        views: which frames of a video.
        augment: how the clips are augmented: one for all, or one for each of the V views.
        same_crop: whether later views have the crop and the mirror of the first.
        distinct: whether a batch may hold a video twice (contrastive losses must not).
        labels: whether the batch tells the classes of `known`, as the bound by all labels needs;
            those of `labelled` are always told, those of `unlabelled` never.

    Raises:
        ConfigError: labels of unlabelled videos are asked for.
    """

    pool: str
    batch: int
    views: Views
    augment: Augment | tuple[Augment, ...]
    distinct: bool = False
    labels: bool = False
    same_crop: bool = False

    def __post_init__(self) -> None:
        if self.labels and self.pool not in ("labelled", "known"):
            raise ConfigError(f"the labels of the pool {self.pool!r} are not to be known.")

    @property
    def tells(self) -> bool:
        """Whether a batch holds labels; where it does not, each is `NO_LABEL`."""
        return self.labels or self.pool == "labelled"

    def cut(self, video: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Cut and augment the views of one video: V clips uint8 `[T, px, px, 3]`."""
        index = self.views.indices(len(video), rng)
        each = isinstance(self.augment, tuple)
        augments = self.augment if each else (self.augment,) * len(index)
        seen: dict[tuple, np.ndarray] = {}  # flow is slow, and two views may show the same frames
        clips, first = [], None
        for view, augment in zip(index, augments, strict=True):
            choice = augment.draw((len(view), *video.shape[1:]), rng)
            first = first or choice
            if self.same_crop:
                choice = replace(choice, crop=first.crop, mirror=first.mirror)
            key = (augment.shows, view.tobytes())
            if key not in seen:
                seen[key] = augment.pictures(video, view)
            clips.append(augment.apply(choice, seen[key]))
        return clips


@dataclass(frozen=True)
class Batch:
    """What a method gets to see of a step, on the device.

    Attributes:
        clips: `[V, B, 3, T, H, W]` in [0, 1], V views of B videos.
        label: classes `[B]`; `NO_LABEL` in every place outside the labelled pool.
        row: rows of the video table `[B]`.
    """

    clips: torch.Tensor
    label: torch.Tensor
    row: torch.Tensor

    @classmethod
    def of(
        cls, clips: torch.Tensor, label: torch.Tensor | None = None, row: torch.Tensor | None = None
    ) -> Batch:
        """Make a batch from anybody's tensors: clips `[B, 3, T, H, W]` or `[V, B, 3, T, H, W]`."""
        views = clips[None] if clips.dim() == 5 else clips
        nobody = torch.full(views.shape[1:2], NO_LABEL, device=clips.device)
        return cls(views, nobody if label is None else label, nobody if row is None else row)

    def __repr__(self) -> str:
        return reprs.batch(self)


def rows_of_step(rows: np.ndarray, batch: int, seed: int, step: int, distinct: bool) -> np.ndarray:
    """Return the video rows of one step.

    While a pool is larger than the batch, each epoch is a fresh permutation and its incomplete
    last batch is dropped; a smaller pool is cycled, unless `distinct` forbids repetitions.

    Args:
        rows: the pool, integers `[n]`.

    Returns:
        Integers `[batch]`.

    Raises:
        ConfigError: the pool is empty, or too small for a batch of distinct videos.
    """
    n = len(rows)
    if n == 0:
        raise ConfigError(EMPTY_POOL)
    if distinct and n < batch:
        raise ConfigError(
            f"a batch of {batch} distinct videos was asked of {n}; lower pretrain.batch."
        )
    if n >= batch:
        epoch, part = divmod(step, n // batch)
        return rows[_order(seed, epoch, n)[part * batch : (part + 1) * batch]]
    position = step * batch + np.arange(batch)
    return np.array([rows[_order(seed, p // n, n)[p % n]] for p in position])


@lru_cache(maxsize=4)  # drawn once per epoch and stream, not at every step
def _order(seed: int, epoch: int, n: int) -> np.ndarray:
    order = seeded("order of videos", seed, epoch).permutation(n)
    order.flags.writeable = False
    return order


class ClipSamples(Dataset):
    """Cuts and augments the clips of one sample, addressed as (step, position, row).

    `leave_uncut` only draws the augmentation and leaves the pixels to `to_device`.

    Raises:
        ConfigError: pixels shall be left to a device that cannot augment as the stream asks.
    """

    def __init__(
        self,
        cache: FrameCache,
        labels: np.ndarray,
        stream: Stream,
        seed: int,
        leave_uncut: bool = False,
    ):
        if leave_uncut and type(stream.augment) is not Augment:
            raise ConfigError(
                "runtime.augment: device cannot give each view an augmentation of its own, strong "
                "or of motion, as this method asks for; set runtime.augment: loader."
            )
        self.cache, self.labels, self.stream, self.seed = cache, labels, stream, seed
        self.leave_uncut = leave_uncut

    def __getitem__(self, address: tuple[int, int, int]) -> tuple[np.ndarray | Uncut, int, int]:
        """Return clips uint8 `[V, T, H, W, 3]` or what they are cut from, label, row."""
        step, position, row = address
        rng = seeded("clips", self.seed, step, position)
        video = self.cache[row]
        if self.leave_uncut:
            index = self.stream.views.indices(len(video), rng)
            clips = uncut(video, index, self.stream.augment, rng)
        else:
            views = self.stream.cut(video, rng)
            clips = np.stack(views) if len(views) > 1 else views[0][None]  # one is not copied
        label = int(self.labels[row]) if self.stream.tells else NO_LABEL
        return clips, label, int(row)


def loader(
    samples: ClipSamples, rows: np.ndarray, first: int, steps: int, workers: int = 0
) -> DataLoader:
    """Make a loader over steps `first … steps − 1`; `workers` changes speed, never data."""
    stream, seed = samples.stream, samples.seed

    def addresses() -> Iterator[list[tuple[int, int, int]]]:
        for step in range(first, steps):
            chosen = rows_of_step(rows, stream.batch, seed, step, stream.distinct)
            yield [(step, position, int(row)) for position, row in enumerate(chosen)]

    return DataLoader(
        samples,
        batch_sampler=_Once(addresses, steps - first),
        num_workers=workers,
        collate_fn=collate,
    )


class _Once:
    """A batch sampler from a generator function."""

    def __init__(self, make, length: int):
        self.make, self.length = make, length

    def __iter__(self):
        return self.make()

    def __len__(self):
        return self.length


Collated = tuple[torch.Tensor | Uncut, torch.Tensor, torch.Tensor]


def collate(samples: list[tuple[np.ndarray | Uncut, int, int]]) -> Collated:
    """Stack samples: clips uint8 `[B, V, T, H, W, 3]` or uncut, labels and rows `[B]`."""
    clips, labels, rows = zip(*samples, strict=True)
    uncut = isinstance(clips[0], Uncut)
    together = stack(clips) if uncut else torch.from_numpy(np.stack(clips))
    return together, torch.tensor(labels), torch.tensor(rows)


def to_input(clips: torch.Tensor) -> torch.Tensor:
    """Turn uint8 `[..., T, H, W, 3]` into float `[..., 3, T, H, W]` in [0, 1].

    Only strides change in the permutation, so merged to five dimensions the result is already in
    the memory format `channels_last_3d`, the fast one for 3-D convolutions.
    """
    return clips.float().div_(255).movedim(-1, -4)


def to_device(samples: Collated, device: torch.device) -> Batch:
    """Move one collated batch to the device as bytes and make it float there, views first.

    An uncut batch is augmented there.
    """
    label, row = (tensor.to(device, non_blocking=True) for tensor in samples[1:])
    if isinstance(samples[0], Uncut):
        clips = cut(samples[0].to(device))
    else:
        clips = samples[0].to(device, non_blocking=True).transpose(0, 1)
    return Batch(to_input(clips.contiguous()), label, row)

"""Augment a whole batch on the accelerator: the draws of `augment`, applied by matrix products.

The loader then only reads frames and draws numbers. Each frame of a video travels once, as bytes,
however many clips show it: a self-supervised sample of ten clips is 64 frames instead of 160.
Cropping and bilinear resizing are linear in the pixels of a row and of a column, so that both, and
the mirror, are two small matrices per clip. Results differ from OpenCV's by rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .augment import MID_GREY, Augment

DRAWN = ("index", "crop", "mirror", "colour", "box", "flicker")


@dataclass(frozen=True)
class Uncut:
    """A batch before augmentation, or with NumPy arrays and without B, one sample of it.

    Attributes:
        frames: uint8 `[B, F, h, w, 3]`, every frame once; smaller videos are padded.
        index: `[B, V, T]`, which of the F frames a clip shows.
        crop: `[B, V, 4]`, top, left, height, width in pixels of the source.
        mirror: bool `[B, V]`.
        colour: float32 `[B, V, 3, 4]`.
        box: `[B, V, 4]`, top, left, height, width in pixels of the output; zeros for no box.
        flicker: float32 `[B, V, T, 3, 4]`, or `[B, V, 0, 3, 4]` without flicker.
        px: side of the output in pixels.
    """

    frames: Tensor | np.ndarray
    index: Tensor | np.ndarray
    crop: Tensor | np.ndarray
    mirror: Tensor | np.ndarray
    colour: Tensor | np.ndarray
    box: Tensor | np.ndarray
    flicker: Tensor | np.ndarray
    px: int

    def to(self, device: torch.device) -> Uncut:
        """Move all tensors; bytes stay bytes."""
        names = ("frames", *DRAWN)
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in names}
        return replace(self, **moved)


def uncut(
    video: np.ndarray, index: np.ndarray, augment: Augment, rng: np.random.Generator
) -> Uncut:
    """Draw the augmentation of every clip of a sample without applying it.

    Args:
        video: uint8 `[N, h, w, 3]`, or what decodes to it when indexed.
        index: frames of each clip, `[V, T]`.
        rng: asked for the same numbers in the same order as by `Augment`, clip by clip.
    """
    wanted, place = np.unique(index, return_inverse=True)
    shape = (index.shape[1], *video.shape[1:])
    drawn = [augment.draw(shape, rng) for _ in index]
    plain, nothing = np.eye(3, 4), np.empty((0, 3, 4))
    return Uncut(
        video[wanted],
        place.reshape(index.shape),
        np.array([c.crop for c in drawn]),
        np.array([c.mirror for c in drawn]),
        np.array([plain if c.colour is None else c.colour for c in drawn], np.float32),
        np.array([c.box or (0, 0, 0, 0) for c in drawn]),
        np.array([nothing if c.flicker is None else c.flicker for c in drawn], np.float32),
        augment.px,
    )


def stack(samples: list[Uncut]) -> Uncut:
    """Make one batch of samples; frames are padded with black to the largest video."""
    shapes = [s.frames.shape for s in samples]
    make = torch.empty if len(set(shapes)) == 1 else torch.zeros
    frames = make((len(samples), *np.max(shapes, axis=0)), dtype=torch.uint8)
    for place, sample in zip(frames, samples, strict=True):
        f, h, w, _ = sample.frames.shape
        place[:f, :h, :w] = torch.from_numpy(sample.frames)
    drawn = {name: np.stack([getattr(s, name) for s in samples]) for name in DRAWN}
    tensors = {name: torch.from_numpy(values) for name, values in drawn.items()}
    return Uncut(frames, **tensors, px=samples[0].px)


def cut(batch: Uncut) -> Tensor:
    """Crop, mirror, recolour and erase all clips: uint8 `[V, B, T, px, px, 3]`.

    One view of all samples at a time, to bound memory.
    """
    views = range(batch.index.shape[1])
    return torch.stack([_view(batch, view) for view in views])


def _view(batch: Uncut, view: int) -> Tensor:
    drawn = (getattr(batch, name)[:, view] for name in DRAWN)
    index, crop, mirror, colour, box, flicker = drawn
    top, left, height, width = crop.T
    sample = torch.arange(len(index), device=index.device)[:, None]
    pixels = batch.frames[sample, index].movedim(-1, 2).float()  # [B, T, 3, h, w]
    rows = resizing(top, height, pixels.shape[3], batch.px)
    columns = resizing(left, width, pixels.shape[4], batch.px)
    columns = torch.where(mirror[:, None, None], columns.flip(1), columns)
    small = rows[:, None, None] @ pixels @ columns.mT[:, None, None]  # [B, T, 3, px, px]
    out = _recolour(small.round_(), colour[:, None])
    out = torch.where(_inside(box, batch.px)[:, None, None], float(MID_GREY), out)
    out = _recolour(out, flicker) if flicker.shape[1] else out
    return out.movedim(2, -1).to(torch.uint8)


def resizing(first: Tensor, length: Tensor, size: int, px: int) -> Tensor:
    """Bilinear weights that cut `length` of `size` pixels from `first` on and resize them to `px`.

    Args:
        first, length: integers `[B]`, in pixels.

    Returns:
        `[B, px, size]`; every row sums to one. Pixels outside the cut have no weight: its border
        is repeated, as `cv2.resize` does.
    """
    middle = (torch.arange(px, device=first.device) + 0.5) * (length[:, None] / px) - 0.5
    at = first[:, None] + torch.minimum(middle.clamp(min=0), length[:, None] - 1)
    return (1 - (at[..., None] - torch.arange(size, device=first.device)).abs()).clamp(min=0)


def _recolour(pixels: Tensor, matrix: Tensor) -> Tensor:
    """Apply matrices `[B, T or 1, 3, 4]` to `[B, T, 3, px, px]`, rounded and clipped to bytes."""
    linear, offset = matrix[..., :3], matrix[..., 3, None, None]
    return ((linear @ pixels.flatten(3)).view_as(pixels) + offset).round_().clamp_(0, 255)


def _inside(box: Tensor, px: int) -> Tensor:
    """Return bool `[B, px, px]`, true inside the box."""
    top, left, height, width = box.T[..., None]
    at = torch.arange(px, device=box.device)
    rows = (at >= top) & (at < top + height)
    columns = (at >= left) & (at < left + width)
    return rows[:, :, None] & columns[:, None]

"""Clip-consistent augmentation: one crop, one colour matrix, one erased box for all frames.

All colour changes are folded into a single 3×4 matrix per clip, applied together with the crop on
channels-last uint8.  That is about twenty times cheaper than a chain of per-frame colour operators
and is what makes the input pipeline disappear next to training.  What is drawn (`Choice`) is kept
apart from how it is applied: here by OpenCV, in `on_device` to a whole batch on the accelerator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])
TO_GREY = np.tile(LUMA, (3, 1))  # times a colour: its luminance in every channel
TO_YIQ = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
FROM_YIQ = np.linalg.inv(TO_YIQ)
MID_GREY = 127


@dataclass(frozen=True)
class Augment:
    """Strength of the augmentation of one stream of clips.

    Attributes:
        px: side of the square output, pixels.
        crop_min: smallest crop side as a share of the frame side, in (0, 1].
        jitter: colour strength in [0, 1]; 0 switches every colour change off.
        erase: probability of one grey box.
        flip: probability of a horizontal flip.
        flicker: whether each frame is also recoloured on its own, for pretext tasks that colours
            and compression must not give away.
    """

    px: int
    crop_min: float = 0.5
    jitter: float = 0.5
    erase: float = 0.0
    flip: float = 0.5
    flicker: bool = False
    shows: ClassVar[str] = "frames"  # what `pictures` returns, by name

    def __call__(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augment one clip.

        Args:
            frames: uint8 `[T, h, w, 3]`, RGB.
            rng: every random choice comes from here.

        Returns:
            uint8 `[T, px, px, 3]`.
        """
        return self.apply(self.draw(frames.shape, rng), frames)

    def pictures(self, video: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return what a clip shows of a video before it is cut: its frames `[T, h, w, 3]`."""
        return video[index]

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Choice:
        """Draw everything that is random about one clip of `shape` `[T, h, w, 3]`."""
        frames, height, width = shape[:3]
        share = rng.uniform(self.crop_min, 1.0)
        crop_h, crop_w = max(round(share * height), 1), max(round(share * width), 1)
        top = int(rng.integers(height - crop_h + 1))
        left = int(rng.integers(width - crop_w + 1))
        return Choice(
            crop=(top, left, crop_h, crop_w),
            mirror=rng.random() < self.flip,
            colour=colour_matrix(rng, self.jitter) if self.jitter > 0 else None,
            box=draw_box(self.px, rng) if rng.random() < self.erase else None,
            flicker=flicker_matrices(rng, frames) if self.flicker else None,
        )

    def apply(self, choice: Choice, frames: np.ndarray) -> np.ndarray:
        """Apply what was drawn to a clip uint8 `[T, h, w, 3]`; return uint8 `[T, px, px, 3]`."""
        return apply(choice, frames, self.px)


@dataclass(frozen=True)
class Choice:
    """What was drawn for one clip, in the order in which it is applied.

    Attributes:
        crop: top, left, height, width in pixels of the source.
        mirror: whether left and right are swapped.
        colour: `[3, 4]`, a matrix for `recolour`, or None.
        box: top, left, height, width of the grey box in pixels of the output, or None.
        flicker: `[T, 3, 4]`, a matrix for every frame, or None.
    """

    crop: tuple[int, int, int, int]
    mirror: bool
    colour: np.ndarray | None
    box: tuple[int, int, int, int] | None
    flicker: np.ndarray | None


def apply(choice: Choice, frames: np.ndarray, px: int) -> np.ndarray:
    """Apply what was drawn to a clip uint8 `[T, h, w, 3]`; return uint8 `[T, px, px, 3]`."""
    top, left, height, width = choice.crop
    out = resize(frames[:, top : top + height, left : left + width], px)
    if choice.mirror:
        out = mirrored(out)
    if choice.colour is not None:
        out = recolour(out, choice.colour)
    if choice.box is not None:
        erase_box(out, choice.box)
    if choice.flicker is not None:
        out = flicker(out, choice.flicker)
    return out


def centre_crop(frames: np.ndarray, px: int, share: float = 0.8) -> np.ndarray:
    """Cut the middle `share` of height and width and resize it to `px`×`px`, for testing.

    Args:
        frames: uint8 `[T, h, w, 3]`.
        share: in (0, 1]; the paper tests with 0.8 (section A7).
    """
    height, width = frames.shape[1:3]
    crop_h, crop_w = max(round(share * height), 1), max(round(share * width), 1)
    top, left = (height - crop_h) // 2, (width - crop_w) // 2
    return resize(frames[:, top : top + crop_h, left : left + crop_w], px)


def resize(frames: np.ndarray, px: int) -> np.ndarray:
    """Resize every frame of `[T, h, w, 3]` to `px`×`px`, bilinear."""
    out = np.empty((len(frames), px, px, 3), np.uint8)
    for frame, place in zip(frames, out, strict=True):
        cv2.resize(frame, (px, px), dst=place, interpolation=cv2.INTER_LINEAR)
    return out


def mirrored(frames: np.ndarray) -> np.ndarray:
    """Swap left and right; OpenCV takes a thirtieth of the time of copying a reversed view.

    Takes and returns uint8 `[T, h, w, 3]`.
    """
    t, h, w, _ = frames.shape
    return cv2.flip(frames.reshape(t * h, w, 3), 1).reshape(t, h, w, 3)


def recolour(frames: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply one 3×4 colour matrix (offset in grey levels) to all pixels, clipped to 0 … 255.

    Takes and returns uint8 `[T, h, w, 3]`.
    """
    t, h, w, _ = frames.shape
    flat = np.ascontiguousarray(frames).reshape(t * h, w, 3)
    return cv2.transform(flat, matrix).reshape(t, h, w, 3)


def look_up(frames: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Replace every value of uint8 `[T, h, w, 3]` by that of a table, rounded and clipped.

    Args:
        table: `[256]`, or `[256, 3]` with a column for each channel.
    """
    t, h, w, _ = frames.shape
    values = np.ascontiguousarray(table.round().clip(0, 255), np.uint8)
    flat = np.ascontiguousarray(frames).reshape(t * h, w, 3)
    return cv2.LUT(flat, values.reshape(1, 256, -1)).reshape(frames.shape)


def colour_matrix(rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draw brightness, contrast, saturation, hue and an occasional grey or dropped channel.

    Args:
        strength: 1 means factors in [0.5, 1.5] and hue turns up to ±0.2 of the circle.

    Returns:
        float `[3, 4]` for `recolour`.
    """
    brightness, contrast, saturation = 1 + 0.5 * strength * rng.uniform(-1, 1, 3)
    saturation = 0.0 if rng.random() < 0.3 * strength else saturation
    colour = saturation * np.eye(3) + (1 - saturation) * TO_GREY
    linear = (
        brightness * contrast * colour @ hue_rotation(0.4 * np.pi * strength * rng.uniform(-1, 1))
    )
    if rng.random() < 0.2 * strength:
        linear[int(rng.integers(3))] = 0.0
    offset = 127.5 * brightness * (1 - contrast)
    return np.hstack([linear, np.full((3, 1), offset)])


def hue_rotation(angle: float) -> np.ndarray:
    """Turn the chroma plane of YIQ by `angle` radians; grey stays grey.

    Returns:
        float `[3, 3]` on RGB.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return FROM_YIQ @ turn @ TO_YIQ


def flicker(frames: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Recolour each frame of `[T, h, w, 3]` by its own matrix of `[T, 3, 4]`."""
    pairs = zip(frames, matrices, strict=True)
    return np.concatenate([recolour(frame[None], matrix) for frame, matrix in pairs])


def flicker_matrices(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draw a colour matrix per frame: brightness ±32 levels, saturation 0.5 … 1.5, grey 0.2.

    Returns:
        float `[T, 3, 4]` for `recolour`.

    Source: the official code of temporal transformations (Jenni et al., ECCV 2020) for R3D.
    """
    brightness = rng.uniform(-32, 32, frames)
    saturation = rng.uniform(0.5, 1.5, frames)
    saturation[rng.random(frames) < 0.2] = 0.0
    share = saturation[:, None, None]
    offset = np.broadcast_to(brightness[:, None, None], (frames, 3, 1))
    return np.concatenate([share * np.eye(3) + (1 - share) * TO_GREY, offset], 2)


def draw_box(px: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw a box, a sixth to a third of the side: top, left, height, width in pixels."""
    height, width = (int(px * rng.uniform(1 / 6, 1 / 3)) for _ in range(2))
    top, left = int(rng.integers(px - height + 1)), int(rng.integers(px - width + 1))
    return top, left, height, width


def erase_box(frames: np.ndarray, box: tuple[int, int, int, int]) -> None:
    """Fill a box (top, left, height, width in pixels) of uint8 `[T, h, w, 3]` with mid-grey."""
    top, left, height, width = box
    frames[:, top : top + height, left : left + width] = MID_GREY

"""Clip-consistent augmentation: one crop, one colour matrix, one erased box for all frames.

All colour changes are folded into a single 3×4 matrix per clip, applied together with the crop on
channels-last uint8.  That is about twenty times cheaper than a chain of per-frame colour operators
and is what makes the input pipeline disappear next to training.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])
TO_YIQ = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


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

    def __call__(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augment one clip.

        Args:
            frames: uint8 `[T, h, w, 3]`, RGB.
            rng: every random choice comes from here.

        Returns:
            uint8 `[T, px, px, 3]`.
        """
        height, width = frames.shape[1:3]
        share = rng.uniform(self.crop_min, 1.0)
        crop_h, crop_w = max(round(share * height), 1), max(round(share * width), 1)
        top = int(rng.integers(height - crop_h + 1))
        left = int(rng.integers(width - crop_w + 1))
        out = resize(frames[:, top : top + crop_h, left : left + crop_w], self.px)
        if rng.random() < self.flip:
            out = mirrored(out)
        if self.jitter > 0:
            out = recolour(out, colour_matrix(rng, self.jitter))
        if rng.random() < self.erase:
            out = erase_box(out, rng)
        if self.flicker:
            out = flicker(out, rng)
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
    """Swap left and right; OpenCV takes a thirtieth of the time of copying a reversed view."""
    t, h, w, _ = frames.shape
    return cv2.flip(frames.reshape(t * h, w, 3), 1).reshape(t, h, w, 3)


def recolour(frames: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply one 3×4 colour matrix (offset in grey levels) to all pixels, clipped to 0 … 255."""
    t, h, w, _ = frames.shape
    flat = np.ascontiguousarray(frames).reshape(t * h, w, 3)
    return cv2.transform(flat, matrix).reshape(t, h, w, 3)


def colour_matrix(rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draw brightness, contrast, saturation, hue and an occasional grey or dropped channel.

    Args:
        strength: 1 means factors in [0.5, 1.5] and hue turns up to ±0.2 of the circle.

    Returns:
        float `[3, 4]` for `recolour`.
    """
    brightness, contrast, saturation = 1 + 0.5 * strength * rng.uniform(-1, 1, 3)
    grey = np.tile(LUMA, (3, 1))
    saturation = 0.0 if rng.random() < 0.3 * strength else saturation
    colour = saturation * np.eye(3) + (1 - saturation) * grey
    linear = (
        brightness * contrast * colour @ hue_rotation(0.4 * np.pi * strength * rng.uniform(-1, 1))
    )
    if rng.random() < 0.2 * strength:
        linear[int(rng.integers(3))] = 0.0
    offset = 127.5 * brightness * (1 - contrast)
    return np.hstack([linear, np.full((3, 1), offset)])


def hue_rotation(angle: float) -> np.ndarray:
    """Turn the chroma plane of YIQ by `angle` radians; grey stays grey."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return np.linalg.inv(TO_YIQ) @ turn @ TO_YIQ


def flicker(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Recolour each frame by its own draw: brightness ±32 levels, saturation 0.5 … 1.5, grey 0.2.

    Source: the official code of temporal transformations (Jenni et al., ECCV 2020) for R3D.
    """
    brightness = rng.uniform(-32, 32, len(frames))
    saturation = rng.uniform(0.5, 1.5, len(frames))
    saturation[rng.random(len(frames)) < 0.2] = 0.0
    grey = np.tile(LUMA, (3, 1))
    matrices = [
        np.hstack([s * np.eye(3) + (1 - s) * grey, np.full((3, 1), b)])
        for s, b in zip(saturation, brightness, strict=True)
    ]
    return np.concatenate(
        [recolour(frame[None], matrix) for frame, matrix in zip(frames, matrices, strict=True)]
    )


def erase_box(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fill one box, a sixth to a third of the side, with mid-grey in every frame."""
    px = frames.shape[1]
    height, width = (int(px * rng.uniform(1 / 6, 1 / 3)) for _ in range(2))
    top, left = int(rng.integers(px - height + 1)), int(rng.integers(px - width + 1))
    frames = frames.copy()
    frames[:, top : top + height, left : left + width] = 127
    return frames

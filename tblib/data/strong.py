"""Strong augmentation of clips: RandAugment and cutout, drawn once a clip, the same in all frames.

What depends on one pixel alone is a table of 256 values, a change of colours a matrix, a change of
place one affine map: OpenCV does each in one pass, so that a strong clip costs less than two weak.
Source: Cubuk et al., CVPR Workshops 2020; operations and ranges of FixMatch (Sohn et al., NeurIPS
2020, table 12).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .augment import LUMA, MID_GREY, TO_GREY, Augment, Choice, apply, look_up, recolour

LEVELS = np.arange(256.0)


@dataclass(frozen=True)
class Strong(Augment):
    """Crop and mirror, then `operations` of RandAugment, then a grey square.

    Attributes:
        operations: n, how many operations are drawn.
        magnitude: m in (0, 10]; each strength is drawn from the lower m tenths of its range.
        cutout: largest side of the square as a share of the output, in [0, 1]; 0 for none.
    """

    operations: int = 2
    magnitude: float = 10.0
    cutout: float = 0.5

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> StrongChoice:
        """Draw everything that is random about one clip of `shape` `[T, h, w, 3]`."""
        weak = super().draw(shape, rng)
        names, most = tuple(OPERATIONS), self.magnitude / 10
        drawn = tuple(
            (names[number], float(rng.uniform(-most, most)))
            for number in rng.integers(len(names), size=self.operations)
        )
        return StrongChoice(**vars(weak), drawn=drawn, hole=self._hole(rng))

    def _hole(self, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Draw a square with its middle anywhere: top, left, bottom, right, cut off at the edge."""
        half = self.cutout * self.px * rng.random() / 2
        middle = rng.uniform(0, self.px, 2)
        corners = np.concatenate([middle - half, middle + half]).round().clip(0, self.px)
        return tuple(int(corner) for corner in corners)

    def apply(self, choice: StrongChoice, frames: np.ndarray) -> np.ndarray:
        """Apply what was drawn to a clip uint8 `[T, h, w, 3]`; return uint8 `[T, px, px, 3]`."""
        out = apply(choice, frames, self.px)
        for name, strength in choice.drawn:
            out = OPERATIONS[name](out, strength)
        top, left, bottom, right = choice.hole
        out[:, top:bottom, left:right] = MID_GREY
        return out


@dataclass(frozen=True)
class StrongChoice(Choice):
    """What was drawn for one strong clip.

    Attributes:
        drawn: operations by name, each with its strength in [−1, 1], in their order.
        hole: top, left, bottom, right of the grey square in pixels of the output.
    """

    drawn: tuple[tuple[str, float], ...]
    hole: tuple[int, int, int, int]


def histogram(clip: np.ndarray) -> np.ndarray:
    """Count the 256 levels of each channel over all frames of uint8 `[T, h, w, 3]`: `[256, 3]`."""
    planes = cv2.split(clip.reshape(-1, clip.shape[2], 3))
    counts = [cv2.calcHist([plane], [0], None, [256], [0, 256]).ravel() for plane in planes]
    return np.stack(counts, 1)


def autocontrast(clip: np.ndarray, strength: float) -> np.ndarray:
    """Stretch each channel of a clip to the whole range; one of a single level stays."""
    planes = cv2.split(clip.reshape(-1, clip.shape[2], 3))
    low, high = np.array([cv2.minMaxLoc(plane)[:2] for plane in planes]).T
    stretched = (LEVELS[:, None] - low) * 255 / np.maximum(high - low, 1)
    return look_up(clip, np.where(high > low, stretched, LEVELS[:, None]))


def equalize(clip: np.ndarray, strength: float) -> np.ndarray:
    """Give each channel of a clip about as many pixels of every level; a single level stays."""
    counts = histogram(clip)
    below, first = counts.cumsum(0), counts[(counts > 0).argmax(0), range(3)]
    rest = below[-1] - first
    spread = (below - first) * 255 / np.maximum(rest, 1)
    return look_up(clip, np.where(rest > 0, spread, LEVELS[:, None]))


def brightness(clip: np.ndarray, strength: float) -> np.ndarray:
    """Multiply by 1 ± 0.95."""
    return look_up(clip, LEVELS * (1 + 0.95 * strength))


def contrast(clip: np.ndarray, strength: float) -> np.ndarray:
    """Multiply the distance from the clip's mean brightness by 1 ± 0.95."""
    mean = float(LUMA @ cv2.mean(clip.reshape(-1, clip.shape[2], 3))[:3])
    return look_up(clip, mean + (LEVELS - mean) * (1 + 0.95 * strength))


def saturation(clip: np.ndarray, strength: float) -> np.ndarray:
    """Multiply the distance from grey by 1 ± 0.95."""
    share = 1 + 0.95 * strength
    matrix = share * np.eye(3) + (1 - share) * TO_GREY
    return recolour(clip, np.hstack([matrix, np.zeros((3, 1))]))


def posterize(clip: np.ndarray, strength: float) -> np.ndarray:
    """Keep the upper eight to four bits."""
    step = 2 ** round(4 * abs(strength))
    return look_up(clip, LEVELS // step * step)


def solarize(clip: np.ndarray, strength: float) -> np.ndarray:
    """Invert what is brighter than a level, 255 at strength 0, down to 0."""
    return look_up(clip, np.where(255 * (1 - abs(strength)) < LEVELS, 255 - LEVELS, LEVELS))


def sharpness(clip: np.ndarray, strength: float) -> np.ndarray:
    """Multiply the distance from a smoothed picture by 1 ± 0.95."""
    share, out = 1 + 0.95 * strength, np.empty_like(clip)
    for frame, place in zip(clip, out, strict=True):
        cv2.addWeighted(frame, share, cv2.blur(frame, (3, 3)), 1 - share, 0, dst=place)
    return out


def moved(clip: np.ndarray, linear: np.ndarray, shift: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Move the pixels of all frames about their middle; what comes in from outside is grey.

    Each takes its nearest neighbour, as in FixMatch, which is also twice as fast as a mean of four.

    Args:
        linear: `[2, 2]` on (x, y) from the middle.
        shift: to the right and down, as shares of the side.
    """
    middle, side = np.array(clip.shape[2:0:-1]) / 2 - 0.5, np.array(clip.shape[2:0:-1])
    offset = middle - linear @ middle + side * shift
    matrix, out = np.hstack([linear, offset[:, None]]), np.empty_like(clip)
    size, grey = clip.shape[2:0:-1], (MID_GREY,) * 3
    for frame, place in zip(clip, out, strict=True):
        cv2.warpAffine(frame, matrix, size, place, cv2.INTER_NEAREST, borderValue=grey)
    return out


def rotate(clip: np.ndarray, strength: float) -> np.ndarray:
    """Turn by up to 30 degrees."""
    cos, sin = np.cos(strength * np.pi / 6), np.sin(strength * np.pi / 6)
    return moved(clip, np.array([[cos, -sin], [sin, cos]]))


OPERATIONS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "identity": lambda clip, strength: clip,
    "autocontrast": autocontrast,
    "equalize": equalize,
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "posterize": posterize,
    "solarize": solarize,
    "sharpness": sharpness,
    "rotate": rotate,
    "shear_x": lambda clip, s: moved(clip, np.array([[1, 0.3 * s], [0, 1]])),
    "shear_y": lambda clip, s: moved(clip, np.array([[1, 0], [0.3 * s, 1]])),
    "translate_x": lambda clip, s: moved(clip, np.eye(2), (0.3 * s, 0)),
    "translate_y": lambda clip, s: moved(clip, np.eye(2), (0, 0.3 * s)),
}

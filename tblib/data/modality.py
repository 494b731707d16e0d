"""Motion as pictures: temporal gradient and optical flow of adjacent frames, in three channels.

Both are taken of the raw frames, before any change of colour, between a frame of the clip and the
next frame of the video, whatever the stride.  Grey (`MID_GREY`) means that nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from .augment import MID_GREY, Augment, Choice, look_up

REACH = 1 / 8  # of the side of a frame: the largest displacement that a picture of flow can show


def adjacent(index: np.ndarray, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return frames of a clip `[T]` and the ones after them `[T]`; the last is followed by itself.

    Every pair is in the order of the video, also where a clip runs backwards.
    """
    return index, np.minimum(index + 1, n_frames - 1)


def temporal_gradient(frames: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Half the difference of two stacks of frames, about grey: (a − b + 255) / 2.

    Takes and returns uint8 `[T, h, w, 3]`.

    Source: official code of Xiao et al. (LTG), CVPR 2022.
    """
    first, second = (part.reshape(-1, *part.shape[2:]) for part in (frames, following))
    return cv2.addWeighted(first, 0.5, second, -0.5, 127.25).reshape(frames.shape)  # rounds down


def optical_flow(frames: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Show the way that points go from one frame to the next: right, down, and how far.

    A displacement by `REACH` of a side is 127 levels from grey; longer ones are cut off.  The flow
    is dense inverse search (Kroeger et al., ECCV 2016) at a third of the size, above 64 pixels at a
    quarter: on shifted scenes as exact as Farnebäck's at the same size and faster, see the test.

    Takes and returns uint8 `[T, h, w, 3]`.
    """
    side = max(frames.shape[1:3])
    size = max(round(side / (3 if side <= 64 else 4)), 12)
    pairs = zip(_small(frames, size), _small(following, size), strict=True)
    flow = np.stack([_search().calc(first, second, None) for first, second in pairs])
    flow *= MID_GREY / (REACH * size)
    picture = np.dstack([flow.reshape(-1, size, 2), np.hypot(*flow.reshape(-1, size, 2).T).T])
    picture = (picture + (MID_GREY + 0.5)).clip(0, 255).astype(np.uint8)
    picture = picture.reshape(-1, size, size, 3)
    out = np.empty(frames.shape, np.uint8)
    for small, place in zip(picture, out, strict=True):
        cv2.resize(small, place.shape[1::-1], dst=place, interpolation=cv2.INTER_LINEAR)
    return out


@cache
def _search() -> cv2.DISOpticalFlow:
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)


def _small(frames: np.ndarray, size: int) -> np.ndarray:
    """Make frames grey and square: `[T, size, size]`; no pixel mixes those of two frames."""
    t, h, w, _ = frames.shape
    grey = cv2.cvtColor(frames.reshape(t * h, w, 3), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (size, t * size), interpolation=cv2.INTER_AREA)
    return small.reshape(t, size, size)


def flow_table(choice: Choice, shape: tuple[int, ...]) -> np.ndarray:
    """Return the table `[256, 3]` that makes flow true after crop and mirror, for `look_up`.

    In a picture of a part of the frame the same motion is a larger share of the side, and in a
    mirror right is left.

    Args:
        shape: `[T, h, w, 3]` of the frames before the crop.
    """
    _, _, height, width = choice.crop
    right, down = shape[2] / width, shape[1] / height
    scale = np.array([-right if choice.mirror else right, down, (right + down) / 2])
    return MID_GREY + (np.arange(256)[:, None] - MID_GREY) * scale


KINDS = {"gradient": temporal_gradient, "flow": optical_flow}


@dataclass(frozen=True)
class Motion:
    """An augmentation of a view that shows motion: colours are left alone.

    Attributes:
        augment: weak or strong; its operations see the picture of motion as any other.
        shows: `gradient` or `flow`, a name in `KINDS`.
    """

    augment: Augment
    shows: str

    @property
    def px(self) -> int:
        """Side of the square output, pixels."""
        return self.augment.px

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Choice:
        """Draw everything that is random about one clip of `shape` `[T, h, w, 3]`."""
        return replace(self.augment.draw(shape, rng), colour=None, flicker=None)

    def pictures(self, video: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return motion at the frames `index` `[T]` of a video, uint8 `[T, h, w, 3]`."""
        both = video[np.concatenate(adjacent(index, len(video)))]
        return KINDS[self.shows](both[: len(index)], both[len(index) :])

    def apply(self, choice: Choice, frames: np.ndarray) -> np.ndarray:
        """Apply what was drawn to pictures uint8 `[T, h, w, 3]`: uint8 `[T, px, px, 3]`."""
        if self.shows == "flow":
            frames = look_up(frames, flow_table(choice, frames.shape))
        return self.augment.apply(choice, frames)

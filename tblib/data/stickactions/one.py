"""Make one video in memory; everything in it follows from (class, seed, group, clip)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tblib.errors import DataError, did_you_mean

from . import render, truth
from .scenes import FAMILY, Scene, compose

LOOK, CLIP, NOISE, LENGTH = range(4)  # first word of the seeds


@dataclass(frozen=True)
class Sample:
    """One video in memory.

    Attributes:
        frames: uint8 [T, H, W, 3] RGB.
        phase: int [T], sub-action (phased) or eighth of the cycle (persistent).
        mask: bool [T, H, W], pixels of the person.
        flow: float32 [T-1, H, W, 2], pixels from frame t to t+1 (right, down).
        family: `persistent` or `phased`.
        meta: everything drawn; `meta["phases"]` names the phases.
    """

    frames: np.ndarray
    phase: np.ndarray
    mask: np.ndarray
    flow: np.ndarray
    family: str
    meta: dict


def class_index(name: str) -> int:
    """Return the label of a class.

    Raises:
        DataError: there is no such class.
    """
    if name not in FAMILY:
        raise DataError(f"unknown StickActions class {name!r}; {did_you_mean(name, FAMILY)}.")
    return list(FAMILY).index(name)


def numbers_for(purpose: int, name: str, *where: int) -> np.random.Generator:
    """Return the random numbers for one purpose of one group or video, whatever else is made."""
    return np.random.default_rng([purpose, class_index(name), *where])


def scene(name: str, seed: int, group: int, clip: int, frames: int, **shared: bool) -> Scene:
    """Compose one video; every number comes from (seed, class, group, clip) alone.

    `shared` says what all videos have in common: `one_actor`, `one_gym` (see `build`).
    """
    look = numbers_for(LOOK, name, seed, group)
    return compose(name, look, numbers_for(CLIP, name, seed, group, clip), frames, **shared)


def painted(name: str, seed: int, group: int, clip: int, frames: int, px: int, **shared: bool):
    """Compose and paint one video: scene, frames uint8 [T, px, px, 3] and layers [T, px, px]."""
    made = scene(name, seed, group, clip, frames, **shared)
    clean, layer = render.paint(made, px)
    return made, render.expose(made, clean, numbers_for(NOISE, name, seed, group, clip)), layer


def sample(class_name: str, *, px: int = 224, seed: int = 0, frames: int = 64,
           one_actor: bool = False, one_gym: bool = False) -> Sample:  # fmt: skip
    """Make one video in memory, for figures.

    Args:
        class_name: a key of `FAMILY`.
        px: side length in pixels, a multiple of 2.
        seed: another seed is another actor, scene and execution.
        frames: number of frames.
        one_actor, one_gym: what all videos share, see `build`.

    Raises:
        DataError: unknown class, an impossible size, or a gym without its actor.
    """
    check_sizes(px, (frames, frames))
    check_shared(one_actor, one_gym)
    shared = {"one_actor": one_actor, "one_gym": one_gym}
    made, pictures, layer = painted(class_name, seed, 0, 0, frames, px, **shared)
    flow = truth.dense_flow(layer, render.motions(made, px))
    mask = truth.actor_mask(layer, np.array(made.stage.actor))
    family = FAMILY[class_name]
    return Sample(pictures, made.phase.astype(int), mask, flow, family, made.meta)


def check_sizes(px: int, frames: Sequence[int]) -> None:
    """Refuse sizes that cannot be encoded and videos too short to show anything.

    Raises:
        DataError: `px` is odd or below 16, or `frames` are not (least, most) from 8 up.
    """
    if px < 16 or px % 2:
        raise DataError(f"px = {px} is not possible: give an even number, 16 or more.")
    if frames[0] < 8 or frames[1] < frames[0]:
        raise DataError(f"frames = {tuple(frames)} is not possible: give (least, most) from 8 up.")


def check_shared(one_actor: bool, one_gym: bool) -> None:
    """Refuse the gym with actors of its own.

    Raises:
        DataError: `one_gym` without `one_actor`.
    """
    if one_gym and not one_actor:
        raise DataError("one_gym needs one_actor: others' clothes may be as light as its wall.")

"""What a group looks like: one actor, one set of clothes, one light, one scene."""

from __future__ import annotations

import colorsys
from dataclasses import asdict, dataclass, replace

import numpy as np

from .shapes import Colour

PATTERNS = ("plain", "panels", "planks", "dots", "hills", "windows")
HAIR = ("short", "bun", "long", "cap")
GYM = 5  # seed of the gym's look: a light, plain wall
FAINT = 0.25  # contrast of its equipment to the wall, as a share of what it is elsewhere


@dataclass(frozen=True)
class Look:
    """Everything the clips of one group share.  Colours are RGB in 0..255."""

    pattern: str
    wall: Colour
    mark: Colour
    floor: Colour
    shirt: Colour
    trim: Colour
    trousers: Colour
    shoes: Colour
    skin: Colour
    hair: Colour
    gear: tuple[Colour, Colour, Colour]
    ball: Colour
    hair_style: str
    long_sleeves: bool
    long_legs: bool
    build: float
    leg: float
    head: float
    light: float
    tint: tuple[float, float, float]
    texture: int

    def meta(self) -> dict:
        """Return the drawn values as plain JSON types."""
        return asdict(self)


def paint(hue: float, saturation: float, luma: float) -> Colour:
    """Return the RGB colour of a hue that has the given brightness (0..1), whatever the hue."""
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        r, g, b = colorsys.hls_to_rgb(hue % 1, middle, saturation)
        below = 0.299 * r + 0.587 * g + 0.114 * b < luma
        low, high = (middle, high) if below else (low, middle)
    return (round(255 * r, 1), round(255 * g, 1), round(255 * b, 1))


def shade(colour: Colour, factor: float) -> Colour:
    """Return a darker (factor below 1) or lighter colour."""
    if factor <= 1:
        return tuple(c * factor for c in colour)
    return tuple(c + (255 - c) * (factor - 1) for c in colour)


def draw_look(rng: np.random.Generator) -> Look:
    """Draw a group's appearance: a muted scene, clothes that differ from it in brightness."""
    u = rng.uniform
    hue, dark = u(), u() < 0.3
    wall = u(0.30, 0.38) if dark else u(0.76, 0.86)
    clothes = (lambda: u(0.70, 0.88)) if dark else (lambda: u(0.20, 0.40))
    floor = wall + (u(-0.09, -0.05) if dark else u(-0.16, -0.10))
    gear = (lambda: u(0.48, 0.62)) if dark else (lambda: u(0.44, 0.58))
    shirt_hue, gear_hue, muted = u(), u(), u(0.10, 0.32)
    return Look(
        pattern=str(rng.choice(PATTERNS)),
        wall=paint(hue, muted, wall),
        mark=paint(hue + u(-0.04, 0.04), muted, wall + u(0.03, 0.06) * rng.choice([-1, 1])),
        floor=paint(hue + u(-0.06, 0.06), muted, floor),
        shirt=paint(shirt_hue, u(0.5, 0.85), clothes()),
        trim=paint(shirt_hue + u(0.3, 0.7), u(0.4, 0.8), 0.55),
        trousers=paint(shirt_hue + u(0.25, 0.75), u(0.2, 0.6), clothes()),
        shoes=paint(u(), u(0.0, 0.7), 0.92 if dark else u(0.08, 0.2)),
        skin=paint(u(0.05, 0.085), u(0.4, 0.6), u(0.32, 0.74)),
        hair=paint(u(0.03, 0.13), u(0.2, 0.6), u(0.07, 0.45)),
        gear=(
            paint(gear_hue, u(0.35, 0.75), gear()),
            paint(gear_hue + u(-0.1, 0.1), u(0.2, 0.6), gear() + (0.16 if dark else -0.2)),
            paint(gear_hue + u(0.3, 0.7), u(0.2, 0.7), 0.88 if dark else 0.93),
        ),
        ball=paint(u(), u(0.6, 0.9), u(0.5, 0.6)),
        hair_style=str(rng.choice(HAIR)),
        long_sleeves=bool(u() < 0.5),
        long_legs=bool(u() < 0.6),
        build=float(u(0.9, 1.15)),
        leg=float(u(0.95, 1.05)),
        head=float(u(0.95, 1.08)),
        light=float(u(-1, 1)),
        tint=tuple(float(v) for v in u(0.97, 1.03, 3)),
        texture=int(rng.integers(2**31)),
    )


def in_gym(look: Look) -> Look:
    """Move a group into the one gym: its wall, floor and equipment, which hardly stands out.

    Light and tint stay the group's own.  Clothes do too, and may be as light as this wall: dress
    the person with `same_actor` afterwards.
    """
    gym = draw_look(np.random.default_rng(GYM))
    faint = [np.array(gym.wall) + FAINT * (np.array(c) - gym.wall) for c in gym.gear]
    return replace(
        look,
        pattern=gym.pattern,
        wall=gym.wall,
        mark=gym.mark,
        floor=gym.floor,
        gear=tuple(tuple(c.tolist()) for c in faint),
        texture=gym.texture,
    )


def same_actor(look: Look) -> Look:
    """Put the same person in the same clothes into a group's scene.

    On a dark wall the clothes are light, elsewhere dark, as those of `draw_look`; walls, light and
    equipment stay the group's own.
    """
    dark = sum(look.wall) / 3 < 128
    return replace(
        look,
        shirt=paint(0, 0, 0.8 if dark else 0.3),
        trim=paint(0, 0, 0.55),
        trousers=paint(0, 0, 0.72 if dark else 0.22),
        shoes=paint(0, 0, 0.92 if dark else 0.14),
        skin=paint(0.07, 0.5, 0.6),
        hair=paint(0.07, 0.4, 0.25),
        hair_style="short",
        long_sleeves=False,
        long_legs=True,
        build=1.0,
        leg=1.0,
        head=1.0,
    )

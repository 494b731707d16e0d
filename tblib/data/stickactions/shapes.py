"""Outlines in local coordinates, and the stage that collects what is drawn and how it moves.

World units: a standing figure is about 1 high, x points right, y points up, the ground is y = 0.
Everything drawn is a filled polygon fixed to a frame of reference; a frame of reference is a
rigid motion over time.  That is what makes the optical flow exact: a pixel moves as the frame of
reference of the topmost polygon covering it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Colour = tuple[float, float, float]


def ellipse(x: float, y: float, rx: float, ry: float | None = None, n: int = 22) -> np.ndarray:
    """Return an ellipse (a circle without `ry`) as a polygon [n, 2]."""
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([x + rx * np.cos(turn), y + (rx if ry is None else ry) * np.sin(turn)], 1)


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """Return a rectangle [4, 2]."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)


def capsule(length: float, r0: float, r1: float, n: int = 7) -> np.ndarray:
    """Return a limb along +x from the origin with round ends of radius `r0` and `r1`, [2n, 2]."""
    turn = np.linspace(-np.pi / 2, np.pi / 2, n)
    cap = np.stack([np.cos(turn), np.sin(turn)], 1)
    return np.concatenate([cap * r1 + [length, 0], -cap * r0])


def bar(a: tuple, b: tuple, r0: float, r1: float | None = None) -> np.ndarray:
    """Return a round-ended bar from point `a` to point `b`, [14, 2]."""
    (ax, ay), d = a, np.subtract(b, a)
    length = float(np.hypot(*d))
    c, s = d / length
    return capsule(length, r0, r0 if r1 is None else r1) @ np.array([[c, s], [-s, c]]) + [ax, ay]


@dataclass(frozen=True)
class Shape:
    """A filled polygon [N, 2] in the coordinates of frame of reference number `ref`."""

    points: np.ndarray
    colour: Colour
    ref: int


@dataclass
class Stage:
    """All polygons of one video in drawing order, and their frames of reference.

    Attributes:
        frames: number of video frames T.
        refs: list of rigid motions, local to world, each [T, 2, 3]; number 0 is the world itself.
        actor: for each motion, whether it belongs to the person.
        baked: polygons at rest behind everything, painted once.
        shapes: polygons painted in every frame, back to front.
    """

    frames: int
    refs: list[np.ndarray] = field(default_factory=list)
    actor: list[bool] = field(default_factory=list)
    baked: list[Shape] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)

    def __post_init__(self):
        self.ref(np.zeros(2), np.zeros(1))

    def ref(self, origin: np.ndarray, angle: np.ndarray, actor: bool = False) -> int:
        """Add a rigid motion: `origin` [T, 2] (world), `angle` [T] (radians); return its number."""
        c, s = np.cos(angle), np.sin(angle)
        motion = np.empty((self.frames, 2, 3))
        motion[:, 0, 0], motion[:, 0, 1], motion[:, 1, 0], motion[:, 1, 1] = c, -s, s, c
        motion[:, :, 2] = origin
        self.refs.append(motion)
        self.actor.append(actor)
        return len(self.refs) - 1

    def bone(self, a: np.ndarray, b: np.ndarray, actor: bool = True) -> int:
        """Add the motion of a stick whose ends are at `a` and `b` [T, 2]: +x runs along it."""
        d = b - a
        return self.ref(a, np.arctan2(d[:, 1], d[:, 0]), actor)

    def back(self, points: np.ndarray, colour: Colour) -> None:
        """Paint a polygon at rest behind the person."""
        self.baked.append(Shape(points, colour, 0))

    def add(self, points: np.ndarray, colour: Colour, ref: int = 0) -> None:
        """Paint a polygon in front of everything added so far."""
        self.shapes.append(Shape(points, colour, ref))

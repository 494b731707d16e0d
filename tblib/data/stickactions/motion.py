"""Persistent classes: where a person is at the equipment, and the motions that all classes share.

A `Station` says where pelvis, hands and feet are at rest.  The motion is one of four, shared by
all classes, so that motion tells nothing about the class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import body

MOTIONS = {  # direction and size of the hands' movement
    "alternate": (0.05, 0.11),
    "pump": (0.03, 0.11),
    "bob": (0.0, 0.05),
    "sway": (0.06, 0.0),
}


@dataclass(frozen=True)
class Station:
    """Rest posture at one piece of equipment, in world units and degrees.

    Attributes:
        pelvis, handN, handF, footN, footF: points held at rest.
        torso: lean from upright; front: 0 side view, 1 face on.
        view: side of the head that shows, `side`, `front` or `away`.
        bends: side of the elbows (near, far) and knees (near, far).
        gains: how far hands, feet and trunk may follow the motion, 0 (fixed) to about 1.
        step: radius of a pedalling or walking circle that the feet always make, or 0.
        pivot: point about which the whole person swings, or None.
        zoom: view height factor, above 1 for tall equipment.
    """

    pelvis: tuple
    handN: tuple
    handF: tuple
    footN: tuple
    footF: tuple
    torso: float = 4
    front: float = 0
    view: str = "side"
    bends: tuple = (-1, -1, 1, 1)
    gains: tuple = (0.6, 0.0, 0.6)
    step: float = 0
    pivot: tuple | None = None
    zoom: float = 1.0


@dataclass(frozen=True)
class Repetition:
    """The drawn motion: its name, phase in turns [T] and amplitude factor."""

    motion: str
    turns: np.ndarray
    amplitude: float

    @property
    def sine(self) -> np.ndarray:
        """Amplitude times the sine of the phase, [T]."""
        return self.amplitude * np.sin(2 * np.pi * self.turns)


def posture(station: Station, rep: Repetition, leg: float) -> body.Joints:
    """Let a person at a station repeat a motion; return joint positions, each [T, 2]."""
    s, (hand, foot, trunk) = rep.sine, station.gains
    zero = 0 * s
    at = {k: getattr(station, k) + np.zeros((len(s), 2))
          for k in ("pelvis", "handN", "handF", "footN", "footF")}  # fmt: skip
    lean = station.torso + zero
    shift = hand * s[:, None] * MOTIONS[rep.motion]
    at["handN"] += shift
    at["handF"] += -shift if rep.motion == "alternate" else shift
    if rep.motion == "bob":
        at["pelvis"][:, 1] += trunk * 0.05 * (s - 1)
    if rep.motion == "sway":
        lean = lean + 9 * trunk * s
        at["pelvis"][:, 0] -= 0.03 * trunk * s
    _step(at, rep, station.step or (0.05 * foot if rep.motion == "alternate" else 0))
    joints = body.reaching(at["pelvis"], lean, zero, station.front + zero, at, station.bends, leg)
    if station.pivot is None:
        return joints
    return {k: _turned(p, station.pivot, swing_angle(rep)) for k, p in joints.items()}


def _step(at: body.Joints, rep: Repetition, radius: float) -> None:
    """Move the feet round a circle, half a turn apart."""
    angle = -2 * np.pi * rep.turns
    circle = radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    at["footN"] += circle
    at["footF"] -= circle


def swing_angle(rep: Repetition) -> np.ndarray:
    """Return the angle [T] of the swing in radians."""
    return 0.22 * rep.sine


def _turned(points: np.ndarray, pivot: tuple, angle: np.ndarray) -> np.ndarray:
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = (points - pivot)[:, :1], (points - pivot)[:, 1:]
    return np.concatenate([c * x - s * y, s * x + c * y], 1) + pivot

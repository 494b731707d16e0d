"""Persistent classes: the label is the large thing the person is using, at rest in the video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import body
from .look import Look, shade
from .motion import Repetition, Station, swing_angle
from .shapes import Stage, bar, box, capsule, ellipse


@dataclass(frozen=True)
class Setting:
    """What a painting function gets; `person()` paints the actor."""

    stage: Stage
    look: Look
    rep: Repetition
    joints: body.Joints
    person: Callable[[], None]


def piano(s: Setting) -> None:
    """An upright piano on the right, a stool on the left."""
    a, b, c = s.look.gear
    s.stage.back(box(0.24, 0.0, 0.70, 0.92), shade(a, 0.85))
    s.stage.back(box(0.29, 0.06, 0.65, 0.36), b)
    s.stage.back(box(0.24, 0.56, 0.70, 0.86), a)
    s.stage.back(box(0.20, 0.88, 0.74, 0.95), b)
    s.stage.back(box(0.07, 0.0, 0.13, 0.44), b)
    s.stage.back(box(0.03, 0.40, 0.30, 0.47), shade(a, 0.85))
    s.stage.back(box(0.03, 0.46, 0.26, 0.52), c)
    for x in np.arange(0.06, 0.25, 0.045):
        s.stage.back(box(x, 0.485, x + 0.02, 0.52), (25.0, 25.0, 30.0))
    s.stage.back(np.array([[0.26, 0.58], [0.34, 0.58], [0.36, 0.8], [0.28, 0.8]]), c)
    for x in (-0.33, -0.13):
        s.stage.back(bar((x, 0.0), (x + 0.02, 0.26), 0.022), b)
    s.person()
    s.stage.add(capsule(0.24, 0.035, 0.035) + [-0.34, 0.265], a)


def pommel_horse(s: Setting) -> None:
    """A long padded body on two legs, with two handles."""
    a, b, c = s.look.gear
    for x in (-0.30, 0.30):
        s.stage.back(np.array([[x - 0.04, 0.3], [x + 0.04, 0.3], [x + 0.1, 0], [x - 0.1, 0]]), b)
    s.stage.back(bar((-0.48, 0.015), (0.48, 0.015), 0.025), b)
    for x in (-0.16, 0.16):
        s.stage.add(bar((x - 0.055, 0.46), (x - 0.05, 0.58), 0.022), c)
        s.stage.add(bar((x + 0.055, 0.46), (x + 0.05, 0.58), 0.022), c)
        s.stage.add(bar((x - 0.05, 0.585), (x + 0.05, 0.585), 0.026), c)
    s.stage.add(bar((-0.44, 0.38), (0.44, 0.38), 0.125), shade(a, 0.8))
    s.stage.add(bar((-0.45, 0.42), (0.45, 0.42), 0.085), a)
    s.person()


def rowing(s: Setting) -> None:
    """A long boat on water that fills the lower part of the picture, and an oar."""
    a, b, c = s.look.gear
    water = shade(s.look.floor, 0.82)
    s.stage.back(box(-2, -2, 2, 0.22), water)
    for i, y in enumerate(np.arange(0.17, -0.5, -0.11)):
        for x in np.arange(-1.6 + 0.13 * (i % 2), 1.6, 0.34):
            s.stage.back(bar((x, y), (x + 0.15, y), 0.012), shade(water, 1.25))
    s.person()
    hull = [[-0.72, 0.30], [-0.60, 0.12], [-0.45, 0.03], [0.45, 0.03], [0.60, 0.12], [0.74, 0.32]]
    s.stage.add(np.array([*hull, [0.55, 0.24], [-0.55, 0.23]]), a)
    s.stage.add(np.array([[-0.72, 0.30], [-0.55, 0.23], [0.55, 0.24], [0.74, 0.32], [0.55, 0.20],
                          [-0.55, 0.19]]), c)  # fmt: skip
    lock = np.zeros_like(s.joints["handN"]) + [0.30, 0.27]
    oar = s.stage.bone(s.joints["handN"], lock, actor=False)
    s.stage.add(capsule(0.56, 0.017, 0.017), b, oar)
    s.stage.add(capsule(0.14, 0.03, 0.055) + [0.52, 0], c, oar)


def treadmill(s: Setting) -> None:
    """A sloping belt with an upright and a console in front of the runner."""
    a, b, c = s.look.gear
    s.stage.back(bar((0.40, 0.06), (0.52, 0.72), 0.045), a)
    s.stage.back(np.array([[0.36, 0.70], [0.42, 0.64], [0.64, 0.82], [0.58, 0.90]]), b)
    s.stage.back(np.array([[0.41, 0.72], [0.44, 0.70], [0.58, 0.82], [0.56, 0.86]]), c)
    s.stage.back(bar((0.16, 0.55), (0.50, 0.60), 0.025), b)
    s.stage.add(np.array([[-0.56, 0.0], [0.56, 0.0], [0.56, 0.15], [-0.56, 0.10]]), a)
    s.stage.add(bar((-0.54, 0.085), (0.50, 0.13), 0.028), b)
    s.person()
    for x in (-0.52, 0.50):
        s.stage.add(ellipse(x, 0.07, 0.055), b)
        s.stage.add(ellipse(x, 0.07, 0.022), c)


def drum_kit(s: Setting) -> None:
    """A big bass drum, two toms and two cymbals in front of the player."""
    a, b, c = s.look.gear
    for x, y in ((-0.56, 0.78), (0.56, 0.84)):
        s.stage.add(bar((x, 0.0), (x, y), 0.016), b)
        s.stage.add(bar((x - 0.1, 0.0), (x, 0.14), 0.014), b)
        s.stage.add(bar((x + 0.1, 0.0), (x, 0.14), 0.014), b)
        tilt = 0.05 * np.sign(x)
        s.stage.add(bar((x - 0.17, y - tilt), (x + 0.17, y + tilt), 0.026), c)
    s.person()
    for hand in ("handN", "handF"):
        aim = s.joints[hand] + [0.2 if hand == "handN" else -0.2, -0.03]
        s.stage.add(capsule(0.2, 0.014, 0.012), c, s.stage.bone(s.joints[hand], aim, False))
    for x in (-0.40, 0.40):
        s.stage.add(box(x - 0.15, 0.20, x + 0.15, 0.44), a)
        s.stage.add(ellipse(x, 0.44, 0.15, 0.045), c)
        s.stage.add(ellipse(x, 0.20, 0.15, 0.03), a)
        s.stage.add(bar((x - 0.1, 0.0), (x - 0.1, 0.2), 0.016), b)
        s.stage.add(bar((x + 0.1, 0.0), (x + 0.1, 0.2), 0.016), b)
    for radius, colour in ((0.29, b), (0.26, a), (0.22, c), (0.08, a)):
        s.stage.add(ellipse(0, 0.29, radius), colour)


def trampoline(s: Setting) -> None:
    """A wide round bed on legs with padded poles on either side."""
    a, b, c = s.look.gear
    for x in (-0.66, 0.66):
        s.stage.back(bar((x, 0.0), (x, 1.16), 0.035), a)
        s.stage.back(ellipse(x, 1.18, 0.055), c)
    for y in (0.5, 0.72, 0.94, 1.12):
        s.stage.back(bar((-0.66, y), (0.66, y), 0.009), b)
    for x in (-0.5, -0.2, 0.2, 0.5):
        s.stage.back(bar((x, 0.2), (x * 1.1, -0.02), 0.028), b)
    s.stage.add(ellipse(0, 0.22, 0.72, 0.115, 30), a)
    s.stage.add(ellipse(0, 0.23, 0.60, 0.08, 30), b)
    s.person()


def climbing_wall(s: Setting) -> None:
    """A wall of big slanted panels with holds, a mat below."""
    a, b, c = s.look.gear
    panels = [[-0.7, 0.0], [-0.56, 1.6], [0.52, 1.6], [0.7, 0.0]]
    s.stage.back(np.array(panels), a)
    s.stage.back(np.array([[-0.7, 0.0], [-0.62, 0.9], [0.05, 0.55], [-0.05, 0.0]]), shade(a, 0.82))
    s.stage.back(np.array([[0.05, 0.55], [0.60, 0.85], [0.52, 1.6], [-0.1, 1.6]]), shade(a, 1.15))
    spots = [(-0.5, 0.25), (-0.45, 0.62), (-0.42, 1.0), (-0.30, 0.42), (-0.12, 0.2), (0.0, 1.28),
             (0.14, 0.3), (0.33, 0.55), (0.42, 0.22), (0.46, 0.8), (0.40, 1.2), (-0.36, 1.25),
             (-0.2, 1.02), (0.22, 1.1), (-0.24, 0.28), (0.23, 0.36)]  # fmt: skip
    for i, (x, y) in enumerate(spots):
        hold = ellipse(x, y, 0.055, 0.04, 7 + i % 3)
        s.stage.back(hold, (c, b)[i % 2])
    s.stage.back(bar((-0.72, 0.03), (0.72, 0.03), 0.06), b)
    s.person()


def punching_bag(s: Setting) -> None:
    """A heavy bag on a chain from a beam."""
    a, b, c = s.look.gear
    s.stage.back(box(-0.1, 1.22, 1.2, 1.30), b)
    pivot = np.zeros((s.stage.frames, 2)) + [0.42, 1.24]
    sway = s.stage.ref(pivot, -np.pi / 2 + 0.035 * (1 + s.rep.sine))
    s.stage.add(capsule(0.24, 0.02, 0.02), b, sway)
    s.stage.add(bar((0.27, 0.0), (0.86, 0.0), 0.15), shade(a, 0.8), sway)
    s.stage.add(bar((0.27, 0.02), (0.86, 0.02), 0.12), a, sway)
    s.stage.add(box(0.32, -0.15, 0.38, 0.15), c, sway)
    s.stage.add(box(0.74, -0.15, 0.80, 0.15), c, sway)
    s.person()
    for hand in ("handF", "handN"):
        glove = s.stage.ref(s.joints[hand], np.zeros(s.stage.frames), actor=True)
        s.stage.add(ellipse(0.01, 0, 0.062), shade(b, 0.7), glove)
        s.stage.add(ellipse(0.01, 0, 0.052), b, glove)


def exercise_bike(s: Setting) -> None:
    """A bike with one big flywheel, on a stand."""
    a, b, c = s.look.gear
    add = s.stage.add
    add(bar((-0.42, 0.02), (-0.18, 0.02), 0.03), b)
    add(bar((0.22, 0.02), (0.58, 0.02), 0.03), b)
    add(bar((-0.30, 0.03), (0.02, 0.22), 0.035), a)
    wheel = s.stage.ref(np.zeros((s.stage.frames, 2)) + [0.40, 0.28], -2 * np.pi * s.rep.turns)
    for radius, colour in ((0.26, b), (0.205, c), (0.07, b)):
        add(ellipse(0, 0, radius), colour, wheel)
    for turn in range(3):
        d = 0.21 * np.array([np.cos(turn * np.pi / 3), np.sin(turn * np.pi / 3)])
        add(bar(tuple(-d), tuple(d), 0.014), b, wheel)
    add(bar((0.02, 0.22), (-0.14, 0.50), 0.035), a)
    add(bar((0.02, 0.22), (0.34, 0.70), 0.04), a)
    add(bar((0.02, 0.22), (0.40, 0.28), 0.035), a)
    add(bar((-0.24, 0.51), (-0.06, 0.51), 0.04), b)
    s.person()
    add(bar((0.32, 0.72), (0.36, 0.86), 0.03), a)
    add(bar((0.24, 0.74), (0.40, 0.90), 0.03), b)


def swing_set(s: Setting) -> None:
    """A frame of two A-shaped supports and a beam; seat and ropes swing with the person."""
    a, b, c = s.look.gear
    for x in (-0.58, 0.58):
        s.stage.back(bar((x, 1.3), (x - 0.13, 0.0), 0.035), a)
        s.stage.back(bar((x, 1.3), (x + 0.13, 0.0), 0.035), a)
        s.stage.back(bar((x - 0.085, 0.45), (x + 0.085, 0.45), 0.025), b)
    s.stage.back(bar((-0.68, 1.3), (0.68, 1.3), 0.05), a)
    pivot = np.zeros((s.stage.frames, 2)) + [0.0, 1.3]
    rope = s.stage.ref(pivot, swing_angle(s.rep))
    s.stage.add(bar((-0.04, 0), (-0.04, -0.98), 0.014), c, rope)
    s.person()
    s.stage.add(bar((0.06, 0), (0.06, -0.98), 0.016), c, rope)
    s.stage.add(bar((-0.11, -0.99), (0.11, -0.99), 0.032), b, rope)


SCENES: dict[str, tuple[Callable[[Setting], None], Station]] = {
    "PlayingPiano": (piano, Station(
        (-0.22, 0.36), (0.10, 0.56), (0.16, 0.56), (0.05, 0.05), (0.10, 0.05), 6,
        gains=(0.45, 0.3, 0.8))),
    "PommelHorse": (pommel_horse, Station(
        (0.0, 0.665), (0.14, 0.63), (-0.14, 0.63), (0.43, 0.70), (0.40, 0.60), -8,
        bends=(-1, -1, 1, 1), gains=(0.0, 1.4, 0.6), zoom=1.06)),
    "Rowing": (rowing, Station(
        (-0.18, 0.26), (0.12, 0.44), (0.14, 0.44), (0.20, 0.13), (0.24, 0.13), 4,
        gains=(0.6, 0.2, 1.2))),
    "Treadmill": (treadmill, Station(
        (-0.08, 0.62), (0.16, 0.68), (0.10, 0.70), (-0.06, 0.23), (-0.06, 0.23), 8,
        gains=(0.9, 0.0, 0.6), step=0.10)),
    "DrumKit": (drum_kit, Station(
        (0.0, 0.50), (0.24, 0.64), (-0.24, 0.64), (0.16, 0.10), (-0.16, 0.10), 0, 1.0, "front",
        bends=(1, -1, 1, -1), gains=(0.9, 0.2, 0.7))),
    "Trampoline": (trampoline, Station(
        (0.0, 0.70), (0.27, 0.95), (-0.27, 0.95), (0.09, 0.27), (-0.09, 0.27), 0, 0.9, "front",
        bends=(-1, 1, 1, -1), gains=(0.9, 0.8, 1.0), zoom=1.1)),
    "ClimbingWall": (climbing_wall, Station(
        (0.0, 0.66), (0.24, 1.10), (-0.22, 1.02), (0.20, 0.38), (-0.22, 0.30), 0, 1.0, "away",
        bends=(-1, 1, 1, -1), gains=(0.35, 0.3, 0.9), zoom=1.06)),
    "PunchingBag": (punching_bag, Station(
        (-0.12, 0.46), (0.20, 0.82), (0.16, 0.86), (-0.02, 0.04), (-0.26, 0.04), 6,
        gains=(0.8, 0.0, 0.8))),
    "ExerciseBike": (exercise_bike, Station(
        (-0.15, 0.60), (0.30, 0.82), (0.34, 0.84), (0.02, 0.22), (0.02, 0.22), 22,
        gains=(0.15, 0.0, 0.6), step=0.09)),
    "SwingSet": (swing_set, Station(
        (0.0, 0.41), (0.09, 0.74), (-0.02, 0.76), (0.30, 0.14), (0.34, 0.16), -4,
        gains=(0.2, 0.6, 0.5), pivot=(0.0, 1.3), zoom=1.12)),
}  # fmt: skip

UPRIGHT = SCENES["PunchingBag"][1]  # where everybody stands in the one gym, whatever is there

"""Phased classes: the label is the order of sub-actions.

A program is a list of keys `(sub-action, weight, pose)`; a pose names only what differs from
standing.  Five pairs of classes use the same sub-actions in another order, so that no single
frame can tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

STAND = {
    "x": 0.0, "lift": 0.0, "roll": 0.0, "front": 0.0, "torso": 2.0, "head": 2.0,
    "armN": 10.0, "elbN": 14.0, "armF": -6.0, "elbF": 14.0,
    "hipN": 5.0, "kneeN": 6.0, "hipF": -5.0, "kneeF": 5.0,
}  # fmt: skip

Key = tuple[str, float, dict[str, float]]


def both(arm=None, elb=None, hip=None, knee=None, **rest) -> dict[str, float]:
    """Give both arms and both legs (nearly) the same angles."""
    pairs = {"arm": arm, "elb": elb, "hip": hip, "knee": knee}
    sides = {f"{k}{s}": v - 4 * (s == "F") for k, v in pairs.items() if v is not None for s in "NF"}
    return sides | rest


CROUCH = both(torso=30, hip=80, knee=120, arm=25, elb=20)
SIT = both(torso=-18, hip=100, knee=78, arm=-28, elb=0, x=-0.12)
LIE = both(torso=-88, head=0, hip=92, knee=6, arm=14, elb=5, x=-0.05)
SQUAT = both(torso=38, hip=72, knee=105, arm=-35, elb=10)
AIR = both(torso=0, hip=2, knee=4, arm=150, elb=5, lift=0.15)
BOW = both(torso=82, head=18, arm=62, elb=5, x=-0.08)
GRAB = both(torso=62, head=-25, hip=82, knee=118, arm=68, elb=8)
HOLD = both(torso=2, arm=42, elb=75)
COCK = both(torso=-18, elb=25, armN=200, elbN=70, armF=70, hipN=18, hipF=-22, kneeF=15)
THROW = both(torso=28, armN=105, elbN=8, armF=-25, elbF=20, hipN=28, kneeN=22, hipF=-28, kneeF=12)
FOLLOW = both(torso=48, armN=28, elbN=10, armF=-40, elbF=10, hipN=34, kneeN=34, hipF=-30, kneeF=14)
RAISE = both(torso=-6, head=-14, arm=174, elb=4)
CATCH = both(torso=-4, head=-10, arm=112, elb=14, hipN=12, hipF=-14)
KNEEL = {
    "torso": 4,
    "hipN": 88,
    "kneeN": 90,
    "hipF": -8,
    "kneeF": 88,
    "armN": 22,
    "elbN": 45,
    "armF": 10,
    "elbF": 40,
}
STAR = {"front": 1.0, "torso": 0, "head": 0, "armN": 158, "elbN": 0, "armF": -158, "elbF": 0,
            "hipN": 27, "kneeN": 0, "hipF": -27, "kneeF": 0}  # fmt: skip


def wave() -> list[Key]:
    """Raise one arm and wave it to and fro."""
    up = {"armN": 158, "torso": -2}
    weights, elbows = (1, *[0.5] * 5), (-8, 62) * 3
    return [("wave", w, up | {"elbN": e}) for w, e in zip(weights, elbows, strict=True)]


def bow() -> list[Key]:
    """Bend forwards, stay, come up again."""
    return [("bow", 1.1, BOW), ("bow", 0.5, BOW), ("bow", 0.9, {})]


def jump() -> list[Key]:
    """Squat, leave the ground with arms up, land, stand."""
    land = SQUAT | {"armN": 20, "armF": 16}
    steps = ((0.9, SQUAT), (0.3, SQUAT), (0.85, AIR), (0.75, land), (0.8, {}))
    return [("jump", weight, pose) for weight, pose in steps]


def run(x0: float, x1: float, strides: int = 3) -> list[Key]:
    """Run from `x0` to `x1` with alternating long strides."""
    lead = {"hip": 52, "knee": 30}, {"hip": -38, "knee": 55}
    keys = []
    for i, x in enumerate(np.linspace(x0, x1, 2 * strides + 1)[1:]):
        n, f = lead if i % 2 == 0 else lead[::-1]
        legs = {"hipN": n["hip"], "kneeN": n["knee"], "hipF": f["hip"], "kneeF": f["knee"]}
        arms = {"armN": 1.1 * f["hip"], "elbN": 75, "armF": 1.1 * n["hip"], "elbF": 75}
        pose = legs | arms | {"torso": 14, "lift": 0.04, "x": float(x)}
        keys.append(("run", 0.5, pose))
    return keys


def cartwheel(x0: float, x1: float, after: bool) -> list[Key]:
    """Turn sideways once over the hands from `x0` to `x1`; `after` ends upright, facing on."""
    keys = [("cartwheel", 0.7, STAR | {"x": x0})]
    for turn in (0.25, 0.5, 0.75, 1.0):
        x = x0 + (x1 - x0) * turn
        keys.append(("cartwheel", 0.55, STAR | {"roll": 360 * turn, "x": x}))
    return [*keys, ("finish", 0.8, {"roll": 360, "x": x1})] if after else keys


def _turned(keys: list[Key]) -> list[Key]:
    """Keys after a whole turn: the same poses, without turning back."""
    return [(label, weight, pose | {"roll": 360}) for label, weight, pose in keys]


_LIE_DOWN = [("stand", 0.7, {}), ("crouch", 1.0, CROUCH), ("sit", 1.0, SIT), ("sit", 0.4, SIT),
             ("lie", 1.3, LIE), ("lie", 0.8, LIE)]  # fmt: skip
_GET_UP = [("lie", 0.8, LIE), ("sit", 1.3, SIT), ("sit", 0.4, SIT), ("crouch", 1.0, CROUCH),
           ("stand", 1.0, {}), ("stand", 0.5, {})]  # fmt: skip
_PICK_THROW = [
    ("reach", 0.4, {}), ("reach", 1.0, GRAB), ("lift", 0.3, GRAB), ("lift", 1.0, HOLD),
    ("wind up", 0.8, COCK), ("throw", 0.45, THROW), ("throw", 0.4, FOLLOW), ("stand", 0.9, {}),
]  # fmt: skip
_CATCH_PUT = [
    ("wait", 0.5, {}), ("catch", 0.8, CATCH), ("catch", 0.3, CATCH), ("absorb", 0.6, HOLD),
    ("lower", 1.0, GRAB), ("lower", 0.3, GRAB), ("stand", 1.0, {}), ("stand", 0.4, {}),
]  # fmt: skip
_KNEEL = [("kneel", 1.2, KNEEL), ("kneel", 0.7, KNEEL), ("rise", 1.0, {})]
_RAISE = [("raise", 1.0, RAISE), ("raise", 0.7, RAISE), ("lower", 0.9, {})]
_BALL_OUT, _BALL_IN = ("held", 2, 5), ("caught", 2, 5)


@dataclass(frozen=True)
class Program:
    """Keys, the pose before the first, and what the ball does.

    `ball` is `("held", grab key, release key)`, `("caught", catch key, put-down key)` or None.
    """

    keys: list[Key]
    start: dict[str, float]
    ball: tuple[str, int, int] | None = None


PROGRAMS = {
    "LieDown": Program(_LIE_DOWN, {}),
    "GetUp": Program(_GET_UP, LIE),
    "WaveBowJump": Program([*wave(), ("wave", 0.8, {}), *bow(), *jump()], {}),
    "JumpBowWave": Program([*jump(), *bow(), *wave(), ("wave", 0.8, {})], {}),
    "PickUpThrow": Program(_PICK_THROW, {}, _BALL_OUT),
    "CatchPutDown": Program(_CATCH_PUT, {}, _BALL_IN),
    "KneelReach": Program([*_KNEEL, *_RAISE], {}),
    "ReachKneel": Program([*_RAISE, *_KNEEL], {}),
    "RunCartwheel": Program([*run(-0.44, -0.18), *cartwheel(-0.14, 0.3, True)], {"x": -0.44}),
    "CartwheelRun": Program(
        [*cartwheel(-0.32, 0.08, False), *_turned(run(0.12, 0.40)),
         ("finish", 0.6, {"roll": 360, "x": 0.44})], {"x": -0.32}),
}  # fmt: skip


@dataclass(frozen=True)
class Performance:
    """One execution: pose arrays [T], sub-action per frame [T], its names, key times (frames)."""

    pose: dict[str, np.ndarray]
    phase: np.ndarray
    names: tuple[str, ...]
    times: np.ndarray


def perform(program: Program, frames: int, rng: np.random.Generator) -> Performance:
    """Play a program once over most of the video with drawn timing, reach and posture.

    Keys are joined by monotone cubic curves (no overshoot).  Standing at either end and every
    weight vary, so that a frame number does not give the sub-action away.
    """
    start, end = frames * rng.uniform(0.0, 0.08), frames * rng.uniform(0.92, 1.0)
    labels = [label for label, _, _ in program.keys]
    weights = np.array([w for _, w, _ in program.keys]) * np.exp(rng.normal(0, 0.18, len(labels)))
    times = start + (end - start) * np.concatenate([[0], np.cumsum(weights) / weights.sum()])
    poses = [STAND | program.start, *(STAND | p for _, _, p in program.keys)]
    t, amplitude = np.arange(frames), rng.uniform(0.92, 1.06)
    breath = np.sin(2 * np.pi * (t / rng.uniform(28, 45) + rng.uniform()))
    pose = {}
    for name, rest in STAND.items():
        values = np.array([p[name] for p in poses])
        if name not in ("x", "roll", "front", "lift"):
            values = rest + (values - rest) * amplitude + rng.normal(0, 1.5)
        curve = PchipInterpolator(times, values)(np.clip(t, times[0], times[-1]))
        pose[name] = curve + (1.5 * breath if name in ("armN", "armF", "torso") else 0)
    key = np.clip(np.searchsorted(times[1:], t), 0, len(labels) - 1)
    names = list(dict.fromkeys(labels))
    order = np.array([names.index(label) for label in labels], np.int8)
    return Performance(pose, order[key], tuple(names), times)

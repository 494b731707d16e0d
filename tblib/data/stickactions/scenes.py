"""Put a whole video together: background, person, equipment or ball, and camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import body, equipment, motion
from .actions import PROGRAMS, Performance, perform
from .look import Look, draw_look, in_gym, same_actor, shade
from .orders import ORDERS
from .shapes import Stage, bar, box, ellipse

CLASSES: tuple[str, ...] = (*equipment.SCENES, *PROGRAMS)
PHASED = PROGRAMS | ORDERS
FAMILY: dict[str, str] = {
    **dict.fromkeys(equipment.SCENES, "persistent"),
    **dict.fromkeys(PHASED, "phased"),
}
CYCLE_STEPS = 8
BALL = 0.075


@dataclass(frozen=True)
class Scene:
    """One video before it is painted.

    Attributes:
        stage: polygons and their motions.
        camera: world to picture, [T, 2, 3]; the picture is the unit square, y down.
        look: the group's appearance.
        shadow: x of the soft shadow on the ground, [T]; its half width in `shadow_width`.
        phase: sub-action (phased) or eighth of the cycle (persistent), int8 [T].
        meta: everything drawn for this video, plain JSON types.
    """

    stage: Stage
    camera: np.ndarray
    look: Look
    shadow: np.ndarray
    shadow_width: float
    phase: np.ndarray
    meta: dict


def compose(
    name: str, look_rng, rng, frames: int, one_actor: bool = False, one_gym: bool = False
) -> Scene:
    """Draw one video of class `name`: `look_rng` decides what a group shares, `rng` the rest."""
    look, stage = draw_look(look_rng), Stage(frames)
    look = in_gym(look) if one_gym and FAMILY[name] == "persistent" else look
    look = same_actor(look) if one_actor else look
    _background(stage, look)
    if FAMILY[name] == "phased":
        joints, phase, meta, zoom = _phased(stage, PHASED[name], look, rng)
    else:
        joints, phase, meta, zoom = _persistent(stage, name, look, rng, one_gym)
    camera, shot = _camera(frames, zoom, rng)
    exposure = float(rng.uniform(0.93, 1.06))
    meta |= shot | {"class": name, "family": FAMILY[name], "exposure": exposure,
                    "noise": float(rng.uniform(1.0, 3.0)), "look": look.meta()}  # fmt: skip
    xs = np.stack([joints[k][:, 0] for k in ("ankleN", "ankleF", "pelvis", "neck")])
    width = 0.16 + 0.5 * float(np.mean(xs.max(0) - xs.min(0)))
    return Scene(stage, camera, look, xs.mean(0), width, phase, meta)


def _persistent(stage: Stage, name: str, look: Look, rng, one_gym: bool):
    """Draw one of the shared motions at this class's equipment, in the gym by a person upright."""
    paint, station = equipment.SCENES[name]
    station = equipment.UPRIGHT if one_gym else station
    kind = str(rng.choice(list(motion.MOTIONS)))
    period, start = float(rng.uniform(14, 30)), float(rng.uniform())
    amplitude = float(rng.uniform(0.75, 1.15))
    turns = start + np.arange(stage.frames) / period
    rep = motion.Repetition(kind, turns, amplitude)
    joints = motion.posture(station, rep, look.leg)
    person = lambda: body.draw(stage, joints, look, station.view)  # noqa: E731
    paint(equipment.Setting(stage, look, rep, joints, person))
    meta = {"motion": kind, "period": period, "start": start, "amplitude": amplitude,
            "phases": [f"cycle {i}/{CYCLE_STEPS}" for i in range(CYCLE_STEPS)]}  # fmt: skip
    return joints, (turns * CYCLE_STEPS % CYCLE_STEPS).astype(np.int8), meta, station.zoom


def _phased(stage: Stage, program, look: Look, rng):
    """Draw one execution of a sequence of sub-actions, with a ball on the floor or in the hand."""
    act = perform(program, stage.frames, rng)
    joints = body.forward(act.pose, look.leg)
    present = program.ball is not None or bool(rng.uniform() < 0.5)
    hand = _add_ball(stage, program, act, joints, look, rng) if present else False
    body.draw(stage, joints, look, "side")
    if hand:
        _paint_ball(stage, look, hand)
    meta = {"phases": list(act.names), "key_frames": act.times.tolist(), "ball": present}
    return joints, act.phase, meta, 1.0


def _add_ball(stage: Stage, program, act: Performance, joints, look: Look, rng) -> int | bool:
    """Set the ball's path; paint it at rest behind the person, or return its ref if handled."""
    if program.ball is None:
        x = float(rng.choice([-1, 1]) * rng.uniform(0.42, 0.58))
        path = np.zeros((stage.frames, 2)) + [x, BALL]
        _paint_ball(stage, look, stage.ref(path, np.zeros(stage.frames)))
        return False
    path = ball_path(program.ball, act.times, joints)
    return stage.ref(path, -(path[:, 0] - path[0, 0]) / BALL)


def _paint_ball(stage: Stage, look: Look, ref: int) -> None:
    stage.add(ellipse(0, 0, BALL + body.RIM), shade(look.ball, 0.6), ref)
    stage.add(ellipse(0, 0, BALL), look.ball, ref)
    stage.add(box(-BALL * 0.96, -0.016, BALL * 0.96, 0.016), shade(look.ball, 1.55), ref)


def ball_path(kind: tuple[str, int, int], times: np.ndarray, joints: body.Joints) -> np.ndarray:
    """Return the ball's centre [T, 2]: at rest, held near the hands, or in free flight."""
    mode, first, second = kind
    palm = np.maximum(joints["handN"] + [0.03, 0.0], [-9, BALL])
    t = np.arange(len(palm))
    take = int(np.ceil(times[first]))
    leave = int(np.ceil(times[second] + 0.6 * (times[second + 1] - times[second])))
    path = palm.copy()
    if mode == "held":
        path[:take] = [palm[take, 0], BALL]
        dt = (t[leave:] - leave)[:, None]
        path[leave:] = palm[leave] + dt * [0.075, 0.022] + dt**2 * [0, -0.0016]
    else:
        dt = (take - t[:take])[:, None]
        path[:take] = palm[take] + dt * [0.07, 0.02] + dt**2 * [0, -0.0014]
        path[leave:] = [palm[leave, 0], BALL]
    return path


def _camera(frames: int, zoom: float, rng) -> tuple[np.ndarray, dict]:
    """Draw framing, mirror and a slow drift (a few hundredths of the picture)."""
    mirror = -1 if rng.uniform() < 0.5 else 1
    height = zoom * 1.5 * float(rng.uniform(0.94, 1.08))
    left, ground = float(rng.uniform(-0.05, 0.05)), float(rng.uniform(0.12, 0.17))
    t, drift = np.arange(frames), float(rng.uniform(0.2, 1.0))
    period, turn = rng.uniform(60, 160, 4), rng.uniform(0, 2 * np.pi, 4)
    wave = drift * np.sin(2 * np.pi * t[:, None] / period + turn)
    size = (1 + 0.02 * wave[:, 2]) / height
    c, s = size * np.cos(0.012 * wave[:, 3]), size * np.sin(0.012 * wave[:, 3])
    camera = np.empty((frames, 2, 3))
    camera[:, 0, 0], camera[:, 0, 1] = mirror * c, -s
    camera[:, 1, 0], camera[:, 1, 1] = -mirror * s, -c
    camera[:, 0, 2] = 0.5 + left + 0.02 * wave[:, 0]
    camera[:, 1, 2] = 1 - ground + 0.015 * wave[:, 1]
    return camera, {"mirror": mirror < 0, "view_height": height, "drift": drift}


def _background(stage: Stage, look: Look) -> None:
    """Paint floor, wall marks of low contrast and a skirting line; the wall itself is the paper."""
    rng, pattern = np.random.default_rng(look.texture), look.pattern
    if pattern == "hills":
        for x in np.linspace(-1.2, 1.2, 5) + rng.uniform(-0.2, 0.2, 5):
            stage.back(ellipse(x, 0.0, rng.uniform(0.4, 0.7), rng.uniform(0.3, 0.7), 36), look.mark)
    elif pattern == "windows":
        for x in np.arange(-1.3, 1.4, 0.62) + rng.uniform(-0.2, 0.2):
            stage.back(box(x, 0.5, x + 0.4, 1.1), look.mark)
            stage.back(box(x + 0.19, 0.5, x + 0.21, 1.1), look.wall)
            stage.back(box(x, 0.79, x + 0.4, 0.81), look.wall)
    elif pattern == "panels":
        for x in np.arange(-1.5, 1.6, 0.44) + rng.uniform(-0.2, 0.2):
            stage.back(box(x, 0.0, x + 0.22, 2), look.mark)
    elif pattern == "planks":
        for y in np.arange(0.12, 2, 0.24):
            stage.back(box(-2, y, 2, y + 0.12), look.mark)
    elif pattern == "dots":
        for i, y in enumerate(np.arange(0.15, 1.8, 0.2)):
            for x in np.arange(-1.5 + 0.13 * (i % 2), 1.6, 0.26):
                stage.back(ellipse(x, y, 0.045, n=14), look.mark)
    stage.back(box(-2, -2, 2, 0.07), look.floor)
    for i, y in enumerate((-0.06, -0.16, -0.3)):
        stage.back(bar((-2, y), (2, y), 0.004 + 0.002 * i), shade(look.floor, 0.94))
    stage.back(box(-2, 0.06, 2, 0.085), shade(look.floor, 0.88))

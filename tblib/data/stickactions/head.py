"""The head: neck, face, hair, cap.  Local +x runs from the neck to the crown, -y is the face."""

from __future__ import annotations

import numpy as np

from .look import Look, shade
from .shapes import Stage, capsule, ellipse

NECK, HEAD = 0.05, 0.085
CENTRE = NECK + HEAD
RIM = 0.011
EYE = (30.0, 25.0, 25.0)
# Edge of the hair over the face, from nape or ear to forehead, in head radii from the centre.
HAIRLINE = {
    "side": [(-0.35, 0.42), (-0.05, 0.30), (0.10, 0.02), (0.42, -0.12), (0.52, -0.50)],
    "front": [(0.10, 0.80), (0.42, 0.45), (0.55, 0.0), (0.42, -0.45), (0.10, -0.80)],
    "away": [(-0.75, 0.45), (-0.85, 0.0), (-0.75, -0.45)],
}
ARC = {"side": (-0.27, 0.82), "front": (-0.5, 0.5), "away": (-0.78, 0.78)}  # turns of pi
EYES = {"side": [-0.60], "front": [-0.34, 0.34], "away": []}


def _hair(radius: float, view: str) -> np.ndarray:
    """Outline of the hair: round the skull, back along the hairline, [N, 2]."""
    turn = np.pi * np.linspace(*ARC[view], 14)
    outside = (radius + RIM) * np.stack([np.cos(turn), np.sin(turn)], 1)
    return np.concatenate([outside, radius * np.array(HAIRLINE[view])]) + [CENTRE, 0]


def _behind(stage: Stage, look: Look, ref: int, view: str, radius: float) -> None:
    """Long hair and bun, which the head covers in part."""
    hair = shade(look.hair, 0.85)
    if look.hair_style == "long" and view == "side":
        stage.add(capsule(0.11, 0.055, 0.075) + [CENTRE - 0.12, 0.045], hair, ref)
    elif look.hair_style == "long":
        stage.add(capsule(0.11, 0.085, 0.09) + [CENTRE - 0.11, 0.0], hair, ref)
    elif look.hair_style == "bun":
        back = 1.15 * radius if view == "side" else 0.0
        stage.add(ellipse(CENTRE + 0.055 + 0.05 * (back == 0), back, 0.045, n=14), hair, ref)


def _cap(stage: Stage, look: Look, ref: int, view: str, radius: float) -> None:
    """A cap: a dome and, where it shows, the peak."""
    turn = np.pi * np.linspace(-0.42, 0.42, 12)
    dome = (radius + 0.016) * np.stack([np.cos(turn), np.sin(turn)], 1) + [CENTRE, 0]
    stage.add(dome, look.trim, ref)
    brim, length = CENTRE + 0.022, {"side": -1.75, "front": 1.0, "away": 0.9}[view] * radius
    start = 0.2 * radius if view == "side" else -length
    peak = [[brim, start], [brim, length], [brim + 0.018, length], [brim + 0.034, start]]
    stage.add(np.array(peak), shade(look.trim, 0.72), ref)


def draw(stage: Stage, joints: dict, look: Look, view: str) -> None:
    """Paint neck and head seen from the `side`, the `front` or from behind (`away`)."""
    radius = HEAD * look.head
    ref = stage.bone(joints["neck"], joints["head"])
    _behind(stage, look, ref, view, radius)
    stage.add(capsule(CENTRE, 0.04, 0.04, 4), shade(look.skin, 0.82), ref)
    stage.add(ellipse(CENTRE, 0, radius + RIM), shade(look.skin, 0.62), ref)
    stage.add(ellipse(CENTRE, 0, radius), look.skin, ref)
    if view == "side":
        stage.add(ellipse(CENTRE - 0.012, -radius, 0.017, n=8), look.skin, ref)
    stage.add(_hair(radius, view), look.hair, ref)
    if look.hair_style == "cap":
        _cap(stage, look, ref, view, radius)
    for y in EYES[view]:
        stage.add(ellipse(CENTRE - 0.01, y * radius, 0.0125, 0.0105, 9), EYE, ref)

"""The articulated figure: bone lengths, forward and inverse kinematics, and its outline.

Angles are degrees.  A limb at 0 hangs straight down; positive swings towards the side the figure
faces (+x).  `torso` is the lean from upright; arms are measured from the torso, legs from the
vertical; elbows flex forwards, knees backwards; `roll` turns the whole body.
"""

from __future__ import annotations

import numpy as np

from . import head
from .look import Look, shade
from .shapes import Colour, Stage, capsule, ellipse

# Fractions of the standing height; a little rounder than life so that 32 pixels suffice.
TORSO, UPPER, FOREARM = 0.29, 0.16, 0.15
THIGH, SHIN, FOOT = 0.23, 0.22, 0.08
R_SHOULDER, R_HIP, R_ARM, R_HAND, R_THIGH, R_KNEE, R_ANKLE, R_FOOT = (
    0.088, 0.082, 0.043, 0.038, 0.068, 0.052, 0.042, 0.036)  # fmt: skip
SHOULDER_WIDTH, HIP_WIDTH = 0.075, 0.04
RIM = head.RIM

Joints = dict[str, np.ndarray]


def down(angle: np.ndarray) -> np.ndarray:
    """Return unit vectors [T, 2] for limb angles [T] in degrees (0 = straight down)."""
    radians = np.deg2rad(angle)
    return np.stack([np.sin(radians), -np.cos(radians)], -1)


def _trunk(pelvis: np.ndarray, lean: np.ndarray, nod: np.ndarray, front: np.ndarray) -> Joints:
    """Place spine, head, shoulders and hips; `front` is 0 seen from the side, 1 face on."""
    up = -down(-lean)
    across = np.stack([up[:, 1], -up[:, 0]], 1) * front[:, None]
    neck = pelvis + TORSO * up
    return {
        "pelvis": pelvis,
        "neck": neck,
        "head": neck - head.CENTRE * down(-(lean + nod)),
        "shoulderN": neck - 0.03 * up + SHOULDER_WIDTH * across,
        "shoulderF": neck - 0.03 * up - SHOULDER_WIDTH * across,
        "hipN": pelvis + HIP_WIDTH * across,
        "hipF": pelvis - HIP_WIDTH * across,
    }


def _foot(joints: Joints, side: str, shin: np.ndarray, front: np.ndarray, roll: np.ndarray) -> None:
    """Set the toe: level with a vertical shin, turned outwards when seen from the front."""
    level = 90 - 45 * front if side == "N" else 90 - 135 * front
    angle = level - roll + 0.4 * (shin + roll)
    joints[f"toe{side}"] = joints[f"ankle{side}"] + FOOT * down(angle)


def forward(pose: dict[str, np.ndarray], leg: float) -> Joints:
    """Turn joint angles into joint positions and put the lowest point on the ground.

    Args:
        pose: arrays [T] by parameter name (see `actions.STAND`); `lift` raises the lowest point.
        leg: leg length factor of the actor.
    """
    roll, front = pose["roll"], pose["front"]
    lean = pose["torso"] + roll
    zero = np.zeros((len(roll), 2))
    joints = _trunk(zero, lean, pose["head"], front)
    for side in "NF":
        arm = pose[f"arm{side}"] - lean
        joints[f"elbow{side}"] = joints[f"shoulder{side}"] + UPPER * down(arm)
        joints[f"hand{side}"] = joints[f"elbow{side}"] + FOREARM * down(arm + pose[f"elb{side}"])
        hip = pose[f"hip{side}"] - roll
        shin = hip - pose[f"knee{side}"]
        joints[f"knee{side}"] = joints[f"hip{side}"] + leg * THIGH * down(hip)
        joints[f"ankle{side}"] = joints[f"knee{side}"] + leg * SHIN * down(shin)
        _foot(joints, side, shin, front, roll)
    shift = np.stack([pose["x"], pose["lift"] - _lowest(joints)], 1)
    return {name: point + shift for name, point in joints.items()}


def _lowest(joints: Joints) -> np.ndarray:
    """Return the height [T] of the lowest point of the body outline."""
    radius = {"pelvis": R_HIP, "neck": R_SHOULDER, "head": head.HEAD}
    radius |= {f"knee{s}": R_KNEE for s in "NF"} | {f"hand{s}": R_HAND for s in "NF"}
    radius |= {f"{part}{s}": R_FOOT for s in "NF" for part in ("ankle", "toe")}
    return np.min([joints[name][:, 1] - r for name, r in radius.items()], axis=0)


def two_bones(root, target, first: float, second: float, bend: float):
    """Place the middle and end of a two-bone limb that reaches for `target` [T, 2].

    Args:
        bend: +1 or -1, the side to which the middle joint points.

    Returns:
        Middle joint and end [T, 2]; the end stops short of a target out of reach.
    """
    d = target - root
    distance = np.clip(np.hypot(d[:, 0], d[:, 1]), 1e-6, None)
    reach = np.clip(distance, abs(first - second) + 1e-3, first + second - 1e-3)
    cosine = (first**2 + reach**2 - second**2) / (2 * first * reach)
    angle = np.arctan2(d[:, 1], d[:, 0])
    inner = angle + bend * np.arccos(cosine)
    middle = root + first * np.stack([np.cos(inner), np.sin(inner)], 1)
    return middle, root + (d / distance[:, None]) * reach[:, None]


def reaching(pelvis, lean, nod, front, targets: Joints, bends: tuple, leg: float) -> Joints:
    """Place a figure whose hands and feet hold on to `targets` (`handN` … `footF`, each [T, 2]).

    Args:
        bends: side of elbows (near, far) and knees (near, far), each +1 or -1.
    """
    joints = _trunk(pelvis, lean, nod, front)
    for i, s in enumerate("NF"):
        joints[f"elbow{s}"], joints[f"hand{s}"] = two_bones(
            joints[f"shoulder{s}"], targets[f"hand{s}"], UPPER, FOREARM, bends[i]
        )
        joints[f"knee{s}"], joints[f"ankle{s}"] = two_bones(
            joints[f"hip{s}"], targets[f"foot{s}"], leg * THIGH, leg * SHIN, bends[2 + i]
        )
        d = joints[f"ankle{s}"] - joints[f"knee{s}"]
        _foot(joints, s, np.rad2deg(np.arctan2(d[:, 0], -d[:, 1])), front, 0 * lean)
    return joints


def _limb(stage: Stage, parts: list[tuple[int, np.ndarray, np.ndarray, Colour]]) -> None:
    """Paint a limb: dark rims of all its parts first, so that joints show no seam."""
    for ref, rim, _, colour in parts:
        stage.add(rim, shade(colour, 0.62), ref)
    for ref, _, fill, colour in parts:
        stage.add(fill, colour, ref)


def _part(stage: Stage, j: Joints, a: str, b: str, r0: float, r1: float, colour: Colour):
    """Make one bone from joint `a` to joint `b` with its rim and its filling."""
    length = float(np.hypot(*(j[b][0] - j[a][0])))
    ref = stage.bone(j[a], j[b])
    return ref, capsule(length, r0 + RIM, r1 + RIM), capsule(length, r0, r1), colour


def _leg(stage: Stage, j: Joints, look: Look, s: str, tone: float) -> None:
    trousers, b = shade(look.trousers, tone), look.build
    shin = trousers if look.long_legs else shade(look.skin, tone)
    _limb(stage, [
        _part(stage, j, f"ankle{s}", f"toe{s}", R_FOOT, 0.85 * R_FOOT, shade(look.shoes, tone)),
        _part(stage, j, f"knee{s}", f"ankle{s}", b * R_KNEE, b * R_ANKLE, shin),
        _part(stage, j, f"hip{s}", f"knee{s}", b * R_THIGH, b * R_KNEE, trousers),
    ])  # fmt: skip


def _arm(stage: Stage, j: Joints, look: Look, s: str, tone: float) -> None:
    sleeve, skin, b = shade(look.shirt, tone), shade(look.skin, tone), look.build
    lower = sleeve if look.long_sleeves else skin
    parts = [
        _part(stage, j, f"elbow{s}", f"hand{s}", 0.95 * b * R_ARM, 0.85 * b * R_ARM, lower),
        _part(stage, j, f"shoulder{s}", f"elbow{s}", 1.1 * b * R_ARM, b * R_ARM, sleeve),
    ]
    _limb(stage, parts)
    stage.add(ellipse(FOREARM, 0, R_HAND, n=10), skin, parts[0][0])


def _torso(stage: Stage, j: Joints, look: Look) -> None:
    b = look.build
    _limb(stage, [_part(stage, j, "pelvis", "neck", b * R_HIP, b * R_SHOULDER, look.shirt)])
    ref = len(stage.refs) - 1
    stage.add(_band(-0.02, b * R_HIP), shade(look.trousers, 0.9), ref)
    stage.add(_band(0.17, b * R_SHOULDER), look.trim, ref)


def _band(x: float, r: float) -> np.ndarray:
    """A stripe across the torso at height `x` above the pelvis."""
    return np.array([[x, -r], [x + 0.045, -r], [x + 0.045, r], [x, r]])


def draw(stage: Stage, joints: Joints, look: Look, view: str) -> None:
    """Paint the person back to front: far arm, far leg, near leg, torso, head, near arm.

    Args:
        view: what the camera sees, `side`, `front` or `away` (the back of the head).
    """
    far = 0.78 if view == "side" else 0.94
    _arm(stage, joints, look, "F", far)
    _leg(stage, joints, look, "F", far)
    _leg(stage, joints, look, "N", 1.0)
    _torso(stage, joints, look)
    head.draw(stage, joints, look, view)
    _arm(stage, joints, look, "N", 1.0)

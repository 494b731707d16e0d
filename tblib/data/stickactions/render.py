"""Paint a scene: anti-aliased polygons on a large canvas, then averaged down to the video size."""

from __future__ import annotations

import cv2
import numpy as np

from .scenes import Scene

SHIFT = 6  # fractional bits of the coordinates given to OpenCV
CANVAS = 128  # smallest canvas in pixels; a video is painted at a whole multiple of its size


def _apply(motion: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Move points [N, 2] by affine motions [T, 2, 3]: [T, N, 2]."""
    return points @ motion[:, :, :2].transpose(0, 2, 1) + motion[:, None, :, 2]


def _chain(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return the affine motion `outer` after `inner`, [..., 2, 3]."""
    linear = outer[..., :2] @ inner[..., :2]
    offset = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear, offset], -1)


def _inverse(motion: np.ndarray) -> np.ndarray:
    linear = np.linalg.inv(motion[..., :2])
    return np.concatenate([linear, -linear @ motion[..., 2:]], -1)


def motions(scene: Scene, px: int) -> np.ndarray:
    """Return where each frame of reference takes a pixel from frame t to t+1.

    Returns:
        float32 [T-1, R, 2, 3]: next position = A (x, y, 1), in pixels, pixel centres at +0.5.
    """
    local = np.stack(scene.stage.refs, 1)  # [T, R, 2, 3]
    place = px * _chain(scene.camera[:, None], local)
    return _chain(place[1:], _inverse(place[:-1])).astype(np.float32)


def _fixed(points: np.ndarray, size: int) -> np.ndarray:
    """Unit-square points to OpenCV's fixed-point pixel coordinates (pixel centres at 0)."""
    return np.round((points * size - 0.5) * (1 << SHIFT)).astype(np.int32)


def _paper(scene: Scene, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint everything at rest once, with a margin; return it and its world-to-pixel matrix."""
    view = 1 / np.linalg.norm(scene.camera[0, :, 0])
    wide = int(1.3 * size)
    place = np.array([[1, 0, 0.65 * view], [0, -1, 1.3 * view]]) / (1.3 * view)
    place[1, 2] = 1 - 0.22
    look = scene.look
    side = np.linspace(-1, 1, wide, dtype=np.float32)
    paper = np.empty((wide, wide, 3), np.float32)
    paper[:] = look.wall
    for shape in scene.stage.baked:
        corners = _fixed(shape.points @ place[:, :2].T + place[:, 2], wide)
        cv2.fillPoly(paper, [corners], shape.colour, cv2.LINE_8, SHIFT)
    paper *= 1 + 0.10 * look.light * side[:, None] - 0.05 * np.abs(side[:, None])
    paper *= 1 - 0.07 * side[:, None, None]
    return np.clip(paper, 0, 255).astype(np.uint8), place * wide


def _shade_floor(frame: np.ndarray, matrix: np.ndarray, x: float, width: float) -> None:
    """Darken a soft ellipse on the ground under the person, in place."""
    size = len(frame)
    cx, cy = matrix @ [x, 0.0, 1.0] * size
    rx = width * np.abs(matrix[0, 0]) * size
    ry = 0.05 * np.abs(matrix[1, 1]) * size
    top, bottom = max(0, int(cy - 1.5 * ry)), min(size, int(cy + 1.5 * ry) + 1)
    if bottom <= top:
        return
    across = ((np.arange(size, dtype=np.float32) + 0.5 - cx) / rx) ** 2
    along = ((np.arange(top, bottom, dtype=np.float32) + 0.5 - cy) / ry) ** 2
    dark = 1 - 0.30 * np.exp(-1.2 * (across[None] + along[:, None]))
    frame[top:bottom] = frame[top:bottom] * dark[..., None]


def paint(scene: Scene, px: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint all frames without sensor noise.

    Returns:
        frames uint8 [T, px, px, 3] RGB, and layers uint8 [T, px, px]: the frame of reference
        that each pixel centre shows.
    """
    fine = max(2, -(-CANVAS // px))
    size, count = px * fine, scene.stage.frames
    paper, place = _paper(scene, size)
    refs = [_chain(scene.camera, ref) for ref in scene.stage.refs]
    shapes = [(_fixed(_apply(refs[s.ref], s.points), size), s.colour, s.ref)
              for s in scene.stage.shapes]  # fmt: skip
    to_paper = np.array([_chain(place, _inverse(c * size)) for c in scene.camera])
    frames = np.empty((count, px, px, 3), np.uint8)
    layers = np.empty((count, px, px), np.uint8)
    for t in range(count):
        canvas = cv2.warpAffine(paper, to_paper[t], (size, size),
                                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                                borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        _shade_floor(canvas, scene.camera[t], scene.shadow[t], scene.shadow_width)
        layer = np.zeros((size, size), np.uint8)
        for corners, colour, ref in shapes:
            cv2.fillPoly(canvas, [corners[t]], colour, cv2.LINE_AA, SHIFT)
            cv2.fillPoly(layer, [corners[t]], ref, cv2.LINE_8, SHIFT)
        cv2.resize(canvas, (px, px), frames[t], interpolation=cv2.INTER_AREA)
        layers[t] = layer[fine // 2 :: fine, fine // 2 :: fine]
    return frames, layers


def expose(scene: Scene, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add the light's tint, the exposure and sensor noise: uint8 in, uint8 out."""
    meta = scene.meta
    gain = np.float32(meta["exposure"]) * np.array(scene.look.tint, np.float32)
    noise = rng.standard_normal(frames.shape[:3], dtype=np.float32)[..., None]
    noise *= np.float32(meta["noise"])
    exposed = frames * gain
    exposed += noise + np.float32(0.5)
    return np.clip(exposed, 0, 255, out=exposed).astype(np.uint8)

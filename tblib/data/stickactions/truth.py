"""What is known exactly about each video: phases, the person's mask and the optical flow.

Instead of dense flow, the file keeps which frame of reference each pixel shows (`layer`, uint8)
and the affine motion of every frame of reference (`motion`, float32).  Flow and mask follow from
them without rounding, and the file is some hundred times smaller.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tblib.errors import DataError


def dense_flow(layer: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Return the forward optical flow.

    Args:
        layer: frame of reference shown by each pixel, uint8 [T, H, W].
        motion: affine motion of each from t to t+1 in pixels, [T-1, R, 2, 3].

    Returns:
        float32 [T-1, H, W, 2]: displacement (right, down) in pixels from frame t to t+1.
    """
    steps, (h, w) = len(motion), layer.shape[1:]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) + np.float32(0.5)
    flow = np.empty((steps, h, w, 2), np.float32)
    for t in range(steps):
        a = motion[t][layer[t]]
        for axis, here in enumerate((x, y)):
            flow[t, ..., axis] = a[..., axis, 0] * x + a[..., axis, 1] * y + a[..., axis, 2] - here
    return flow


def actor_mask(layer: np.ndarray, actor: np.ndarray) -> np.ndarray:
    """Return bool [T, H, W]: whether a pixel shows the person; `actor` is bool [R]."""
    return np.asarray(actor, bool)[layer]


def save(path: Path, *, phase, layer, motion, actor, meta: dict) -> None:
    """Write one ground-truth file (compressed, plain arrays only)."""
    np.savez_compressed(
        path, phase=phase, layer=layer, motion=motion, actor=np.packbits(actor),
        meta=np.array(json.dumps(meta)),
    )  # fmt: skip


def ground_truth(video_path: str | Path) -> dict:
    """Read what is known about a generated video.

    Args:
        video_path: a StickActions .mp4; the .npz of the same name is read.

    Returns:
        dict with phase int8 [T], mask bool [T, H, W], flow float32 [T-1, H, W, 2] (pixels from
        frame t to t+1, right and down), family (`persistent` or `phased`) and meta (all drawn
        values; `meta["phases"]` names the phases).

    Raises:
        DataError: there is no readable ground truth beside the video.
    """
    path = Path(video_path).with_suffix(".npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            phase, layer, motion = file["phase"], file["layer"], file["motion"]
            actor = np.unpackbits(file["actor"], count=motion.shape[1]).astype(bool)
            meta = json.loads(str(file["meta"]))
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist: only StickActions videos have ground truth, beside the video."
        ) from None
    except (ValueError, KeyError, EOFError, OSError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and build again.") from None
    return {
        "phase": phase,
        "mask": actor_mask(layer, actor),
        "flow": dense_flow(layer, motion),
        "family": meta["family"],
        "meta": meta,
    }

"""Real video files, small enough to make in every test run."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

UCF_CLASSES = (
    "Archery", "BabyCrawling", "BasketballDunk", "HorseRace", "PlayingPiano", "PlayingViolin",
    "Punch", "PushUps", "Surfing",
)  # fmt: skip


def moving_frames(count: int, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """Return uint8 `[count, height, width, 3]`: a bright square that walks over noise."""
    noise = np.random.default_rng(seed)
    frames = noise.integers(60, 120, (count, height, width, 3), dtype=np.uint8)
    for at in range(count):
        left, top = (3 * at + seed) % (width - 12), (2 * at + 5 * seed) % (height - 12)
        frames[at, top : top + 12, left : left + 12] = 255 - at % 40
    return frames


def write_video(path, frames: np.ndarray, codec: str = "mpeg4", rate: int = 25, **options) -> Path:
    """Encode frames `[N, h, w, 3]` with PyAV into the container that the suffix names.

    Options go to the encoder, except `movflags`, which the mp4 container takes.
    """
    container = {"movflags": options.pop("movflags")} if "movflags" in options else {}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=container) as file:
        stream = file.add_stream(codec, rate=rate, options={k: str(v) for k, v in options.items()})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return path

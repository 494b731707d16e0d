"""Real video files, small enough to make in every test run."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest

os.environ.setdefault("TB_PROGRESS", "0")

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


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real clips and lists; tests that need it are skipped where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TB_TEST_DATA") or beside)
    if not (folder / "UCF-101").is_dir():
        pytest.skip(f"real UCF101 files are absent: no UCF-101 in {folder} (set TB_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def ucf_root(shared_data) -> Path:
    """Folder with the class folders of nine complete UCF101 classes."""
    return shared_data / "UCF-101"


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory) -> Path:
    """A UCF101-like folder: 2 classes, groups g01 (test) to g04, 2 clips each, with its lists."""
    root = tmp_path_factory.mktemp("tiny")
    lines = {"train": [], "test": []}
    for label, name in enumerate(("Walk", "Jump"), 1):
        for group in range(1, 5):
            for clip in (1, 2):
                stem = f"{name}/v_{name}_g{group:02d}_c{clip:02d}"
                seed = 100 * label + 10 * group + clip
                write_video(root / f"{stem}.avi", moving_frames(10 + clip, seed=seed), bf=2, g=4)
                part = "test" if group == 1 else "train"
                lines[part].append(f"{stem}.avi {label}" if part == "train" else f"{stem}.avi")
    lists = root / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Walk\n2 Jump\n")
    for part, content in lines.items():
        (lists / f"{part}list01.txt").write_text("\n".join(content) + "\n")
    return root

"""Videos to measure with, and fair timing: CPU time of this process, methods in turns."""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import torch

torch.set_num_threads(1)
cv2.setNumThreads(1)


def parser(text: str) -> argparse.ArgumentParser:
    """Return a parser with the number of rounds."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="each method once per round")
    return parser


def compare(methods: dict[str, Callable[[int], object]], rounds: int) -> dict[str, list[float]]:
    """Call every method once per round, after one unmeasured call; the round is its argument.

    Returns:
        CPU seconds of each call.  Process time does not count what other programs take; what they
        do to caches and clocks remains, so methods take turns and ratios are taken per round.
    """
    for call in methods.values():
        call(0)
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(1, rounds + 1):
        for name, call in methods.items():
            begin = time.process_time()
            call(turn)
            seconds[name].append(time.process_time() - begin)
    return seconds


def show(title: str, seconds: dict[str, list[float]], per_call: int, unit: str) -> None:
    """Print a table: milliseconds, units per second, and gain over the first method."""
    print(f"\n### {title}\n\n| method | CPU ms per {unit} | {unit}s per CPU second | gain |")
    print("| :-- | --: | --: | --: |")
    base = next(iter(seconds.values()))
    for name, values in seconds.items():
        each = statistics.median(values) / per_call
        gains = [a / b for a, b in zip(base, values, strict=True)]
        span = f"{statistics.median(gains):.1f} ({min(gains):.1f}–{max(gains):.1f})"
        print(f"| {name} | {1e3 * each:.1f} | {1 / each:.1f} | {span} |")


def machine() -> None:
    """Print what this ran on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    load = Path("/proc/loadavg")
    busy = load.read_text().split()[0] if load.is_file() else "unknown"
    print(f"{names[0] if names else platform.machine()}, {len(names)} cores, one thread used; "
          f"torch {torch.__version__}; load of the machine {busy}")  # fmt: skip


def write_videos(folder: Path, count: int, codec: str, suffix: str, seconds: int = 7) -> list[Path]:
    """Write moving noise of UCF101's size, 320×240 at 25 frames per second."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{i}{suffix}", codec, 25 * seconds, i) for i in range(count)]


def _write(path: Path, codec: str, frames: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (480, 640, 3), dtype=np.uint8), (0, 0), 3)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.bit_rate = 400_000
        for at in range(frames):
            top, left = (at + 7 * seed) % 240, (2 * at) % 320
            picture = np.ascontiguousarray(scene[top : top + 240, left : left + 320])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return path

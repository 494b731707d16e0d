"""What grows with videos, classes and batch, apart from decoding and the network?

Peak memory of opening a data set is told per video.
"""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import compare, machine, parser
from torch.nn.functional import normalize

from tblib import losses
from tblib.data.cache import FrameCache
from tblib.data.loader import rows_of_step


def table(title: str, what: str, sizes: tuple[int, ...], calls: dict, rounds: int) -> None:
    """Print CPU milliseconds of each size, and relative to the smallest."""
    seconds = {name: float(np.median(v)) for name, v in compare(calls, rounds).items()}
    print(f"\n### {title}\n\n| {what} | CPU ms | relative to the first |\n| --: | --: | --: |")
    first = next(iter(seconds.values()))
    for size, value in zip(sizes, seconds.values(), strict=True):
        print(f"| {size:,} | {1e3 * value:.2f} | {value / first:.1f} |")


def choosing(videos: int):
    """Return a call that chooses the videos of one step."""
    rows = np.arange(videos)
    return lambda turn: [rows_of_step(rows, 32, 0, turn, False) for _ in range(10)]


def contrast(b: int):
    """Return the three losses of a batch, forwards and backwards."""
    u = [normalize(torch.randn(2, b, 4, 128), dim=-1).requires_grad_() for _ in range(2)]
    z = normalize(torch.randn(2, b, 128), dim=-1).requires_grad_()

    def call(_: int) -> None:
        total = losses.instance_contrast(z, u[1], 0.1) + losses.local_local(u[1], 0.1)
        (total + losses.global_local(*u, 0.1)).backward()

    return call


def distillation(classes: int):
    """Return the student's losses of 32 clips, without the networks, forwards and backwards."""
    logits = torch.randn(32, classes, requires_grad=True)
    p, label = torch.rand(32, classes).softmax(1), torch.arange(32) % classes

    def call(_: int) -> None:
        distance = losses.squared_distance(logits.softmax(1), p)
        (torch.nn.functional.cross_entropy(logits, label) + distance).backward()

    return call


def memory(videos: int) -> float:
    """Open a cache of so many videos; return the growth of peak memory in bytes per video."""
    digests = [f"{i:064x}" for i in range(videos)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    frames = FrameCache(Path(), 128, pd.DataFrame({"sha256": digests, "frames": 100}))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(frames) == videos
    return 1024 * grown / videos


def main() -> None:
    """Print one table per question."""
    o = parser(__doc__).parse_args()
    machine()
    videos, batches, classes = (1_000, 10_000, 100_000), (8, 16, 32, 64), (10, 100, 1_000)
    print(f"\nMemory per video of an open cache: {memory(200_000):.0f} bytes (200,000 videos)")
    calls = {str(n): choosing(n) for n in videos}
    table("choosing the videos of ten steps", "videos", videos, calls, o.rounds)
    calls = {str(n): contrast(n) for n in batches}
    table("contrastive losses of a step", "batch", batches, calls, o.rounds)
    calls = {str(n): distillation(n) for n in classes}
    table("student losses of 32 clips", "classes", classes, calls, o.rounds)


if __name__ == "__main__":
    main()

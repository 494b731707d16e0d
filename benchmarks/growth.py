"""What grows with videos, classes and batch, apart from decoding and the network?

Peak memory of opening a data set is told per video.
"""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import Report, parser
from torch.nn.functional import normalize

from tblib.data.cache import FrameCache
from tblib.data.loader import rows_of_step
from tblib.lesson.timing import compare
from tblib.methods import losses


def choosing(videos: int):
    """Return a call that chooses the videos of every step of one epoch, and the steps it has."""
    rows, steps = np.arange(videos), videos // 32

    def call(turn: int) -> None:
        for step in range(turn * steps, (turn + 1) * steps):
            rows_of_step(rows, 32, 0, step, False)

    return call, steps


def opening(videos: int):
    """Return a call that opens a cache of so many videos."""
    digests = [f"{i:064x}" for i in range(videos)]
    table = pd.DataFrame({"sha256": digests, "frames": 100})
    return lambda _: FrameCache(Path(), 128, table)


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


def grow(report: Report, title: str, what: str, unit: str, calls: dict, per_call: dict) -> None:
    """Time a call for every size, in turns."""
    seconds = compare({str(size): call for size, call in calls.items()}, report.machine["rounds"])
    each = {n: float(np.median(seconds[str(n)])) / per_call.get(n, 1) for n in calls}
    report.growth(title, what, each, unit)


def main() -> None:
    """Print one table per question."""
    o = parser(__doc__).parse_args()
    report = Report(o.rounds)
    videos, batches, classes = (1_000, 10_000, 100_000), (8, 16, 32, 64), (10, 100, 1_000)
    report.machine["bytes per video of an open cache"] = round(memory(200_000))
    chosen = {n: choosing(n) for n in videos}
    calls, steps = ({n: pair[k] for n, pair in chosen.items()} for k in (0, 1))
    grow(report, "choosing the videos of a step", "videos", "step", calls, steps)
    calls = {n: opening(n) for n in videos}
    grow(report, "opening a cache", "videos", "opening", calls, {})
    calls = {n: contrast(n) for n in batches}
    grow(report, "contrastive losses of a step", "batch", "step", calls, {})
    calls = {n: distillation(n) for n in classes}
    grow(report, "student losses of 32 clips", "classes", "step", calls, {})
    print(
        f"\nbytes per video of an open cache: {report.machine['bytes per video of an open cache']}"
    )
    if o.record:
        report.write("growth")


if __name__ == "__main__":
    main()

"""How fast is training on this GPU, what part of its matrix rate is that, and what makes it so?

Model FLOP utilisation: operations a step needs, forwards and backwards, over its time, as a share
of the rate of a large bfloat16 product measured on the same card.  A variant that computes more
than needed, or slower, shows a smaller share.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from gpu_common import options, scenes, write
from gpu_ways import (
    LARGER,
    LATER,
    OURS,
    OWN,
    PRETRAINING,
    STUDENT,
    Way,
    pretraining,
    pretraining_step,
    student_step,
)
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tblib.data.augment import Augment
from tblib.data.clips import SparseDense
from tblib.data.loader import ClipSamples, Stream, loader, to_device

PLAIN, MIXED = "pretraining, 16 videos", "student, 32 and 32 clips"
WIDE = "slow_r50 student, 16 and 16 clips of 224 px"
ROUNDS, LEAST = 3, 0.3  # rounds of at least so many seconds each


def clock(call: Callable[[], object], least: float = LEAST) -> list[float]:
    """Seconds of a call, once per round, after it was called a few times."""
    for _ in range(2):
        call()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    call()
    torch.cuda.synchronize()
    repeats = max(1, round(least / (time.perf_counter() - begin)))
    found = []
    for _ in range(ROUNDS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        torch.cuda.synchronize()
        found.append(start.elapsed_time(end) / 1e3 / repeats)
    return found


def ceilings(device: torch.device) -> dict[str, float]:
    """Measure the two rates nothing here can exceed: products of matrices, and copies."""
    n = 8192
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    product = statistics.median(clock(lambda: a @ b))
    big = torch.randn(2**29, device=device)
    other = torch.empty_like(big)
    copy = statistics.median(clock(lambda: other.copy_(big)))
    return {"matmul_tflops": 2 * n**3 / product / 1e12, "copy_gb_per_s": 8 * 2**29 / copy / 1e9}


def operations(step: Callable[[], None]) -> float:
    """Count the operations of one step, multiplications and additions apart.

    A step in torch's own form: the folded filter is filled up with zeros, which nobody needs.
    """
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


class Session:
    """What is measured on one card; each row is printed and kept as soon as it is there."""

    def __init__(self, o: argparse.Namespace):
        self.o, self.device, self.begin = o, torch.device(o.device), time.perf_counter()
        self.found: dict = {"ceilings": ceilings(self.device)}
        print(self.found["ceilings"], flush=True)
        self.video = operations(pretraining_step(OWN, 2, self.device)) / 2
        self.clip = operations(student_step(OWN, 2, self.device, "r3d_18", 112)) / 4
        self.found["flop"] = {"pretraining, per video": self.video, "student, per clip": self.clip}

    def pretraining(self, table: str, name: str, way: Way, n: int) -> None:
        """Measure pretraining on n videos."""
        self.add(table, name, lambda: pretraining_step(way, n, self.device), n, n * self.video)

    def student(self, table: str, name: str, way: Way, n: int) -> None:
        """Measure the student on n labelled and n unlabelled clips."""

        def make() -> Callable[[], None]:
            return student_step(way, n, self.device, "r3d_18", 112)

        self.add(table, name, make, 2 * n, 2 * n * self.clip)

    def add(self, table: str, name: str, make: Callable, samples: int, needed: float) -> None:
        """Measure a step and add a row; a step that does not fit, or comes too late, says so."""
        row: dict = {"name": name}
        if time.perf_counter() - self.begin > self.o.seconds:
            row["error"] = "not measured: the time was used up"
        else:
            torch.cuda.reset_peak_memory_stats()
            try:
                row |= self.row(make(), samples, needed)
            except torch.OutOfMemoryError:
                row["error"] = "out of memory"
        torch.compiler.reset()
        torch.cuda.empty_cache()
        self.found.setdefault(table, []).append(row)
        print(table, row, flush=True)
        write(self.o.out, "throughput", self.found)

    def row(self, step: Callable[[], None], samples: int, needed: float) -> dict:
        """Describe a step by time, rate, share of the matrix rate and memory."""
        begin = time.perf_counter()
        step()
        torch.cuda.synchronize()
        first = time.perf_counter() - begin
        seconds = clock(step)
        middle = statistics.median(seconds)
        return {
            "ms": 1e3 * middle,
            "spread": (max(seconds) - min(seconds)) / middle,
            "samples_per_s": samples / middle,
            "mfu": needed / middle / 1e12 / self.found["ceilings"]["matmul_tflops"],
            "peak_gb": torch.cuda.max_memory_allocated() / 1e9,
            "first_step_s": first,
        }

    def profiles(self) -> None:
        """Say which kernels a step spends its time in."""
        device = self.device
        self.found["profiles"] = {
            PLAIN: busiest(pretraining_step(OURS, 16, device)),
            MIXED: busiest(student_step(OURS, 32, device, "r3d_18", 112)),
            WIDE: busiest(student_step(OURS, 16, device, "slow_r50", 224)),
        }

    def same(self) -> None:
        """Compare gradients of a pretraining step with those of torch's own layers in float32."""
        exact = gradient(Way(precision="fp32", tf32=False), self.device)
        ways = {"bfloat16, ours": OURS, "bfloat16, all layers in torch's form": OWN}
        errors = {
            name: float((gradient(way, self.device) - exact).norm() / exact.norm())
            for name, way in ways.items()
        }
        self.found["gradients"] = errors
        print(errors, flush=True)

    def supply(self) -> None:
        """Measure how many videos a second loaders bring, alone and beside the training."""
        videos, n, step = Videos(32), self.o.workers, pretraining_step(OURS, 16, self.device)
        self.found["supply"] = {
            "workers": n,
            "alone": supplied(videos, n, self.device, None),
            "while training": supplied(videos, n, self.device, step),
            "while training, from pinned memory": supplied(videos, n, self.device, step, pin=True),
            "device augments, alone": supplied(videos, n, self.device, None, leave_uncut=True),
            "device augments, one loader": supplied(videos, 1, self.device, step, leave_uncut=True),
            "loader augments, one loader": supplied(videos, 1, self.device, step),
        }

    def larger(self) -> None:
        """Measure the student with the paper's other network and size."""

        def make(n: int = 16, way: Way = OURS) -> Callable[[], None]:
            return student_step(way, n, self.device, "slow_r50", 224)

        needed = operations(make(2, OWN)) / 4
        self.found["flop"]["slow_r50 student at 224 px, per clip"] = needed
        for name, way in LARGER.items():
            self.add(WIDE, name, lambda way=way: make(way=way), 32, 32 * needed)


def gradient(way: Way, device: torch.device) -> Tensor:
    """Return the gradient of all weights in pretraining on four videos."""
    method, loss = pretraining(way, 4, device)
    loss().backward()
    return torch.cat([p.grad.flatten() for p in method.learner.parameters()])


def busiest(step: Callable[[], None], most: int = 12) -> dict:
    """Say how long the GPU was busy in a step, and with which kernels."""
    step()
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        for _ in range(3):
            step()
        torch.cuda.synchronize()
    kernels = sorted(profiler.key_averages(), key=lambda k: -k.self_device_time_total)
    total = sum(k.self_device_time_total for k in kernels)
    return {
        "busy_ms": total / 3e3,
        "launches": sum(k.count for k in kernels) / 3,
        "kernels": [
            {"name": k.key[:90], "share": k.self_device_time_total / total, "calls": k.count / 3}
            for k in kernels[:most]
        ],
    }


class Videos:
    """Decoded videos of noise in memory, in the place of a frame cache."""

    def __init__(self, count: int):
        self.videos = list(scenes(count, 96, 128, np.random.default_rng(0)).numpy())

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.videos[row]


def supplied(
    videos: Videos,
    workers: int,
    device: torch.device,
    step: Callable | None,
    leave_uncut: bool = False,
    pin: bool = False,
) -> float:
    """Return videos per second that loaders bring to the GPU, alone or beside a training step.

    Args:
        pin: whether batches wait in pinned memory, from which a GPU copies by itself.
    """
    batch, steps = 16, 24
    stream = Stream("train", batch, SparseDense(16, 1), Augment(112, 0.5, 0.5, erase=0.5))
    samples = ClipSamples(videos, np.zeros(len(videos), np.int64), stream, 0, leave_uncut)
    supply = loader(samples, np.arange(len(videos)), 0, steps, workers)
    supply.pin_memory = pin
    supply = iter(supply)
    for _ in range(4):
        to_device(next(supply), device)
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for samples in supply:
        to_device(samples, device)
        if step:
            step()
    torch.cuda.synchronize()
    return (steps - 4) * batch / (time.perf_counter() - begin)


def main() -> None:
    """Measure ceilings, ways, kernels, the supply of batches, a larger network, and sizes."""
    session = Session(options(__doc__, seconds=150.0, workers=12))
    for name, way in PRETRAINING.items():
        session.pretraining(PLAIN, name, way, 16)
    for name, way in STUDENT.items():
        session.student(MIXED, name, way, 32)
    session.larger()
    session.same()
    session.profiles()
    session.supply()
    for name, way in LATER.items():
        session.pretraining(PLAIN, name, way, 16)
        session.student(MIXED, name, way, 32)
    for n in (8, 32, 48):
        session.pretraining("pretraining by videos per step", str(n), OURS, n)
    for n in (16, 64, 128):
        session.student("student by clips of each kind", str(n), OURS, n)


if __name__ == "__main__":
    main()

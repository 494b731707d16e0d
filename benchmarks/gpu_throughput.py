"""How fast is training on this GPU, what part of its matrix rate is that, and what makes it so?

Model FLOP utilisation: operations a step needs, forwards and backwards, over its time, as a share
of the rate of a large bfloat16 product measured on the same card.  A variant that computes more
than needed, or slower, shows a smaller share.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from gpu_common import batches, build, options, profile, scenes, write
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax
from torch.utils.flop_counter import FlopCounterMode
from training import looped, vectorised

from tblib.data.augment import Augment
from tblib.data.clips import SparseDense
from tblib.data.loader import Batch, ClipSamples, Stream, loader, to_device
from tblib.models import Backbone, fuse, pool, time_slots

ROUNDS, LEAST = 3, 0.3  # rounds of at least so many seconds each


@dataclass(frozen=True)
class Way:
    """How a step is computed; the defaults are the book's."""

    precision: str = "bf16"
    tf32: bool = True
    contiguous: bool = False
    passes: str = "few"  # `many`: a forward pass per view
    losses: str = "one Gram matrix"  # or `loops`
    teachers: str = "frozen"  # or `with gradients`
    compiled: bool = False
    tuned: bool = False  # cuDNN tries its algorithms
    wide: bool = False  # the first convolution gets eight channels, five of them zero


OURS = Way()
PRETRAINING = {
    "ours": OURS,
    "losses in loops": Way(losses="loops"),
    "ten forward passes": Way(passes="many"),
    "contiguous memory": Way(contiguous=True),
    "float32 with TF32": Way(precision="fp32"),
    "none of it: ten passes, loops, float32 with TF32, contiguous": Way(
        precision="fp32", contiguous=True, passes="many", losses="loops"
    ),
}
STUDENT = {
    "ours": OURS,
    "teachers with gradients, six passes": Way(teachers="with gradients"),
    "six forward passes": Way(passes="many"),
    "contiguous memory": Way(contiguous=True),
    "float32 with TF32": Way(precision="fp32"),
    "none of it: gradients, six passes, float32 with TF32, contiguous": Way(
        precision="fp32", contiguous=True, passes="many", teachers="with gradients"
    ),
}
LATER = {  # slow to begin with, so measured after the others
    "torch.compile": Way(compiled=True),
    "cuDNN tries its algorithms": Way(tuned=True),
    "first convolution on eight channels": Way(wide=True),
    "first convolution on eight channels, torch.compile": Way(wide=True, compiled=True),
}


class WideStem(nn.Module):
    """The first convolution on eight channels instead of three: the same sums, and zeros.

    For three channels cuDNN 9.19 has no kernel that uses the matrix units.
    """

    def __init__(self, conv: nn.Conv3d):
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` as the convolution does."""
        c, extra = self.conv, (0, 0, 0, 0, 0, 0, 0, 5)
        x, weight = (
            nn.functional.pad(t, extra).contiguous(memory_format=torch.channels_last_3d)
            for t in (x, c.weight)
        )
        return nn.functional.conv3d(x, weight, None, c.stride, c.padding)


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


def prepared(method: nn.Module, way: Way, device: torch.device) -> nn.Module:
    """Move a method to the GPU in the memory format, precision and form that are asked for."""
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = way.tf32, way.tuned
    layout = torch.contiguous_format if way.contiguous else torch.channels_last_3d
    method = method.to(device).train()
    for module in method.modules():
        if isinstance(module, Backbone):
            module.to(memory_format=layout)
            if way.wide:
                module.stages[0][0] = WideStem(module.stages[0][0])
    if way.compiled:
        fuse(method, device)
    return method


def optimised(method: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """Return a training step."""
    optimiser = torch.optim.AdamW(method.learner.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        optimiser.step()

    return step


def laid_out(found: dict[str, Batch], way: Way) -> dict[str, Batch]:
    """Lay clips out as the way wants them."""
    if not way.contiguous:
        return found
    return {k: Batch(b.clips.contiguous(), b.label, b.row) for k, b in found.items()}


def pretraining_step(way: Way, batch: int, device: torch.device) -> Callable[[], None]:
    """Return a step of the joint method: ten clips of 16 frames a video."""
    torch.manual_seed(0)
    method = build("joint", profile(112, way.precision, batch), batch)
    given = laid_out(batches(method, batch, 0, device.type), way)
    method, clips, o = prepared(method, way, device), given["videos"].clips, method.options
    loss_of = vectorised if way.losses == "one Gram matrix" else looped
    embed = method.embeddings if way.passes == "few" else ten_passes(method)
    weights = (o.weight_ic, o.weight_ll, o.weight_gl)
    return optimised(method, lambda: loss_of(*embed(clips), weights))


def ten_passes(method: nn.Module) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Return a function that encodes every view by itself, as the official code does."""
    learner, slots = method.learner, method.options.slots

    def embed(clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, u, v = [], [], []
        for clip in clips[:2]:
            features = learner.backbone(clip)
            parts = time_slots(features, slots)
            z.append(learner.head(pool(features)))
            u.append(torch.stack([learner.head(parts[:, k]) for k in range(slots)], 1))
        for clip in clips[2:]:
            v.append(learner.head(pool(learner.backbone(clip))))
        local = torch.stack([torch.stack(v[:slots], 1), torch.stack(v[slots:], 1)])
        return torch.stack(z), torch.stack(u), local

    return embed


def student_step(way: Way, batch: int, device: torch.device, net: str, px: int) -> Callable:
    """Return a step of the student on `batch` labelled and as many unlabelled clips."""
    torch.manual_seed(0)
    method = build("timebalance", profile(px, way.precision, batch, net), 2 * batch)
    given = laid_out(batches(method, 2 * batch, 0, device.type), way)
    method = prepared(method, way, device)
    method.teachers.requires_grad_(way.teachers != "frozen")
    plain = way.teachers != "frozen" or way.passes == "many"
    loss = six_passes(method, given) if plain else lambda: method(**given)["loss"]
    return optimised(method, loss)


def six_passes(method: nn.Module, given: dict[str, Batch]) -> Callable[[], Tensor]:
    """Return the student's loss as the official code computes it, one pool after the other."""
    o = method.options

    def loss() -> Tensor:
        total: Tensor | float = 0.0
        weights = {"labelled": o.weight_labelled, "unlabelled": o.weight_unlabelled}
        for name, weight in weights.items():
            batch = given[name]
            q, s = method.learner(batch.clips[0]), method.score[batch.row][:, None]
            p, r = (softmax(teacher(batch.clips[0]), 1) for teacher in method.teachers)
            distance = (softmax(q, 1) - s * p - (1 - s) * r).square().sum(1).mean()
            total = total + weight * distance
            if name == "labelled":
                total = total + cross_entropy(q, batch.label)
        return total

    return loss


def operations(step: Callable[[], None]) -> float:
    """Count the operations of one step, multiplications and additions apart."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


class Table:
    """Rows of one question, each printed and kept as soon as it is measured."""

    def __init__(self, o, found: dict, peak: float):
        self.o, self.found, self.peak = o, found, peak

    def add(self, table: str, name: str, make: Callable, samples: int, needed: float) -> None:
        """Measure a step and add it; a step that does not fit says so."""
        if time.perf_counter() - self.found["begin"] > self.o.seconds:
            row = {"name": name, "error": "not measured: the time was used up"}
        else:
            torch.cuda.reset_peak_memory_stats()
            try:
                row = {"name": name} | self.row(clock(make()), samples, needed)
            except torch.OutOfMemoryError:
                row = {"name": name, "error": "out of memory"}
        torch.compiler.reset()
        torch.cuda.empty_cache()
        self.found.setdefault(table, []).append(row)
        print(table, row, flush=True)
        write(self.o.out, "throughput", {k: v for k, v in self.found.items() if k != "begin"})

    def row(self, seconds: list[float], samples: int, needed: float) -> dict:
        """Describe times of a step by rates and by the share of the matrix rate."""
        middle = statistics.median(seconds)
        return {
            "ms": 1e3 * middle,
            "spread": (max(seconds) - min(seconds)) / middle,
            "samples_per_s": samples / middle,
            "mfu": needed / middle / 1e12 / self.peak,
            "peak_gb": torch.cuda.max_memory_allocated() / 1e9,
        }


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


def supplied(videos: Videos, workers: int, device: torch.device, step: Callable | None) -> float:
    """Return videos per second that loaders bring to the GPU, alone or beside a training step."""
    batch, steps = 16, 24
    stream = Stream("train", batch, SparseDense(16, 1), Augment(112, 0.5, 0.5, erase=0.5))
    samples = ClipSamples(videos, np.zeros(len(videos), np.int64), stream, 0)
    supply = iter(loader(samples, np.arange(len(videos)), 0, steps, workers))
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
    """Measure ceilings, sizes, ways, a larger network, and the supply of batches."""
    o = options(__doc__, seconds=150.0, workers=12)
    device = torch.device(o.device)
    found: dict = {"begin": time.perf_counter(), "ceilings": ceilings(device)}
    print(found["ceilings"], flush=True)
    table = Table(o, found, found["ceilings"]["matmul_tflops"])
    pre = operations(pretraining_step(OURS, 2, device)) / 2
    stu = operations(student_step(OURS, 2, device, "r3d_18", 112)) / 4
    found["flop"] = {"pretraining, per video": pre, "student, per clip": stu}

    def pretraining(group: str, name: str, way: Way, n: int) -> None:
        table.add(group, name, lambda: pretraining_step(way, n, device), n, n * pre)

    def student(group: str, name: str, way: Way, n: int) -> None:
        make = lambda: student_step(way, n, device, "r3d_18", 112)  # noqa: E731
        table.add(group, name, make, 2 * n, 2 * n * stu)

    plain, mixed = "pretraining, 16 videos", "student, 32 and 32 clips"
    for name, way in PRETRAINING.items():
        pretraining(plain, name, way, 16)
    for name, way in STUDENT.items():
        student(mixed, name, way, 32)
    for name, make in {
        plain: lambda: pretraining_step(OURS, 16, device),
        mixed: lambda: student_step(OURS, 32, device, "r3d_18", 112),
    }.items():
        found.setdefault("profiles", {})[name] = busiest(make())
    for name, way in LATER.items():
        student(mixed, name, way, 32)
        pretraining(plain, name, way, 16)
    videos = Videos(32)
    found["supply"] = {
        "workers": o.workers,
        "alone": supplied(videos, o.workers, device, None),
        "while training": supplied(videos, o.workers, device, pretraining_step(OURS, 16, device)),
    }
    slow = operations(student_step(OURS, 2, device, "slow_r50", 224)) / 4
    found["flop"]["slow_r50 student at 224 px, per clip"] = slow
    table.add(
        "slow_r50 student, 16 and 16 clips of 224 px", "ours",
        lambda: student_step(OURS, 16, device, "slow_r50", 224), 32, 32 * slow,
    )  # fmt: skip
    for n in (8, 32, 48):
        pretraining("pretraining by videos per step", str(n), OURS, n)
    for n in (16, 64, 128):
        student("student by clips of each kind", str(n), OURS, n)


if __name__ == "__main__":
    main()

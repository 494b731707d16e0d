"""What a clip costs: operations and memory counted, speed measured on this machine.

Operations and memory come from a run of the network on torch's `meta` device, which computes
shapes only; so they are exact for any size and take a second.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ..data import stores
from ..data.augment import Augment
from ..data.on_device import uncut
from ..engine import hardware
from ..models import Classifier, backbone, parameter_count, resolve_precision
from ..randomness import seeded
from ..settings.config import Profile

BACKWARD = 2  # the backward pass costs two forward passes
PROBE = {"cpu": 4e9, "cuda": 2e12}  # operations of one step of the measurement
SECONDS = 0.7  # and how long it is repeated


@dataclass(frozen=True)
class Clip:
    """One clip: `flop` of a forward pass, `memory` in bytes that training keeps of it.

    `largest` is its largest map inside the network, in bytes.
    """

    flop: float
    memory: float
    largest: float


@dataclass(frozen=True)
class Speed:
    """`flops` per second in training, `load` seconds a clip in the input pipeline, and whence."""

    flops: float
    load: float
    source: str


def network(config: Profile, classes: int = 1, device: str = "meta") -> Classifier:
    """Build a classifier of the profile's backbone; on `meta` it has shapes and no numbers."""
    with torch.device(device):
        return Classifier(backbone(config.model.backbone), classes)


def of_clip(config: Profile, frames: int, px: int, device: str) -> Clip:
    """Count operations and saved activations of a clip of `frames` frames and `px`×`px` pixels."""
    net = network(config)
    weights = {p.untyped_storage()._cdata for p in net.parameters()}  # counted once, elsewhere
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        memory = tensor.untyped_storage()
        if tensor.dim() == 5 and memory._cdata not in weights:
            kept[memory._cdata] = memory.nbytes()
        return tensor

    counter = FlopCounterMode(display=False)
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with counter, hooks:
        out = net.backbone.layers(torch.empty(1, 3, frames, px, px, device="meta"))
    share = 0.5 if resolve_precision(config.model.precision, device) == "bf16" else 1.0
    del out
    sizes = [share * size for size in kept.values()]
    return Clip(counter.get_total_flops(), sum(sizes), max(sizes))


def weights(config: Profile, classes: int) -> int:
    """Return the bytes of a model's weights."""
    return 4 * parameter_count(network(config, classes))


def measure(config: Profile, device: torch.device) -> Speed:
    """Train the profile's network on noise for a second and cut clips from noise for a fraction.

    On a CPU the clips are shrunk until a step is short, for operations per second are what is
    wanted, and CPU time is taken: what a quiet machine would need.
    """
    frames, px, limit = config.finetune.clip.frames, config.data.crop_px, PROBE[device.type]
    while px > 32 and (1 + BACKWARD) * of_clip(config, frames, px, device.type).flop > limit:
        px //= 2
    flop = (1 + BACKWARD) * of_clip(config, frames, px, device.type).flop
    batch = int(np.clip(limit // flop, 1, config.finetune.batch))
    threads = torch.get_num_threads()
    torch.set_num_threads(config.runtime.threads)
    try:
        seconds = _step_seconds(config, batch, frames, px, device)
    finally:
        torch.set_num_threads(threads)
    where = f"measured here, {device.type} with {batch} clips of {frames}×{px}×{px}"
    return Speed(batch * flop / seconds, load_seconds(config, frames), where)


def _step_seconds(config: Profile, batch: int, frames: int, px: int, device) -> float:
    """Return the shortest time of a training step, on a CPU of CPU time; neighbours only add."""
    hardware.keep_freed_memory()
    with torch.random.fork_rng(devices=[]):
        net = Classifier(backbone(config.model.backbone, config.model.precision), 10).to(device)
        clips = torch.rand(batch, 3, frames, px, px, device=device)
    clips, times = clips.to(memory_format=torch.channels_last_3d), []
    clock, workers = time.perf_counter, 1
    if device.type == "cpu":
        clock, workers = time.process_time, torch.get_num_threads()
    begin = time.monotonic()
    while len(times) < 4 or time.monotonic() - begin < SECONDS:
        start = clock()
        net(clips).square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append((clock() - start) / workers)
    return min(times)


def load_seconds(config: Profile, frames: int) -> float:
    """Measure what a clip costs the loader: read or decode it, cut and augment it or only draw."""
    d, o = config.data, config.finetune
    rng = seeded("video to time")
    coarse = rng.integers(0, 256, (frames, 8, 8, 3), dtype=np.uint8)
    scale = -(-d.cache_px // 8)
    video = coarse.repeat(scale, 1).repeat(scale, 2)
    content = stores.encode(video, d.cache_format)
    augment, times = Augment(d.crop_px, o.crop_min, o.jitter, erase=0.25), []
    for _ in range(8):
        start = time.process_time()
        clip = content if d.cache_format == "raw" else stores.JpegFrames(content)
        if config.runtime.augment == "device":
            uncut(clip, np.arange(frames)[None], augment, rng)
        else:
            augment(np.asarray(clip), rng)
        times.append(time.process_time() - start)
    return float(np.median(times))

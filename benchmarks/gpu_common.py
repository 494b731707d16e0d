"""What the programs that need a GPU share: clips to compute with, and the record they leave."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tblib.data.loader import Batch, Stream, to_input
from tblib.files import write_json
from tblib.lesson.chapters import ROOT
from tblib.methods import TimeBalance, pretrain, registry
from tblib.methods.base import Sampling
from tblib.models import Classifier, starting_backbone
from tblib.run import cards
from tblib.settings.config import Profile

BEGAN = time.time()
CLASSES = 5
METHODS = (*pretrain.METHODS, "supervised", "timebalance")


def options(text: str, **more: Any) -> argparse.Namespace:
    """Parse the command line: device, where to leave the record, and what else is asked."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="`cpu` tries the program out, no more")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "gpu", help="a folder")
    for name, value in more.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    return parser.parse_args()


def write(folder: Path, name: str, found: dict[str, Any]) -> None:
    """Keep what was found as `NAME.json`, with machine, code, seed and time."""
    print(write_json(folder / f"{name}.json", {"machine": machine()} | found), flush=True)


def machine() -> dict[str, Any]:
    """Say what this runs on, and what was run."""
    there = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name()
        if there
        else cards._device_name(torch.device("cpu")),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "torch": torch.__version__,
        "commit": cards.commit(),
        "code_hash": cards.code_hash(),
        "command": command(),
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(time.time() - BEGAN, 1),
    }


def command() -> str:
    """Return the command line without the folders of this machine."""
    words = iter(sys.argv[1:])
    kept = [word for word in words if word not in ("--out", "--scratch") or not next(words, "")]
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *kept])


def profile(px: int, precision: str, batch: int, backbone: str = "r3d_18") -> Profile:
    """Return a profile of the book's method at some size of clips."""
    return Profile(
        name="gpu-benchmark",
        data={"crop_px": px, "cache_px": px},
        model={"backbone": backbone, "precision": precision},
        pretrain={"batch": batch, "clip": {"frames": 16, "stride": 1}},
        finetune={"batch": batch},
        student={"batch_labelled": batch, "batch_unlabelled": batch},
    )


def build(name: str, config: Profile, videos: int) -> nn.Module:
    """Build a method of either shelf from torch's seed; teachers are fresh networks."""
    if name != "timebalance":
        return registry.fresh(name, config, CLASSES)
    student, *teachers = (Classifier(starting_backbone(config.model), CLASSES) for _ in range(3))
    o = config.student
    batch = (o.batch_labelled, o.batch_unlabelled)
    sampling = Sampling.of(config.finetune, config)
    return TimeBalance(student, teachers, torch.linspace(0, 1, videos), batch, sampling)


def batches(method: nn.Module, videos: int, seed: int, device: str = "cpu") -> dict[str, Batch]:
    """Make one batch of every stream a method asks for."""
    rng = np.random.default_rng(seed)
    streams = method.streams().items()
    return {name: _batch(stream, videos, rng, device) for name, stream in streams}


def _batch(stream: Stream, videos: int, rng: np.random.Generator, device: str) -> Batch:
    views, frames = stream.views.indices(100, rng).shape
    clips = scenes(views * stream.batch, frames, stream.augment.px, rng, device)
    clips = to_input(clips.unflatten(0, (views, stream.batch)))
    rows = torch.from_numpy(rng.permutation(max(videos, stream.batch))[: stream.batch]).to(device)
    return Batch(clips, rows % CLASSES, rows)


def scenes(n: int, frames: int, px: int, rng: np.random.Generator, device: str = "cpu") -> Tensor:
    """Make clips of a few coloured patches that change in time, uint8 `[n, T, px, px, 3]`."""
    seeds = torch.from_numpy(rng.random((n, 3, 4, 5, 5), dtype=np.float32)).to(device)
    wide = nn.functional.interpolate(seeds, (frames, px, px), mode="trilinear")
    return (255 * wide).byte().movedim(1, -1).contiguous()


def moved(found: dict[str, Batch], device: torch.device, dtype=torch.float32) -> dict[str, Batch]:
    """Copy batches to a device; clips keep their memory format."""
    return {
        name: Batch(b.clips.to(device, dtype), b.label.to(device), b.row.to(device))
        for name, b in found.items()
    }

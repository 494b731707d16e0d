"""Videos, pools and profiles small enough for a test, shared by several test files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from tblib.data.augment import Augment
from tblib.data.clips import RandomClip
from tblib.data.loader import ClipSamples, Stream, loader, to_device
from tblib.data.pool import Pool
from tblib.methods import registry
from tblib.methods.base import Method
from tblib.methods.job import Given, Job
from tblib.models import Classifier
from tblib.settings.profiles import load_profile

torch.set_num_threads(1)  # results depend on it, and several tests may run side by side

TINY = {
    "data.cache_px": 20,
    "data.crop_px": 16,
    "data.classes": None,
    "pretrain.dim": 16,
    "pretrain.batch": 4,
    "finetune.batch": 4,
}


def tiny_profile(**overrides):
    """Return the smoke profile at 16 pixels; `student__steps=3` overrides `student.steps`."""
    changes = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_profile("smoke", TINY | changes)


class FakeCache:
    """Frames in memory: every video has its own colours and a square that walks over them."""

    def __init__(self, videos: int = 8, frames: int = 80, px: int = 20, seed: int = 0):
        self.px = px
        self._videos = [_walk(frames + 3 * (i % 3), px, seed + i) for i in range(videos)]
        self.frames = np.array([len(video) for video in self._videos])
        digests = [hashlib.sha256(video).hexdigest() for video in self._videos]
        self.manifest = pd.DataFrame({"video": range(videos), "sha256": digests})

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, row: int) -> np.ndarray:
        return self._videos[row]


def _walk(frames: int, px: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    still = coarse.repeat(-(-px // 4), 0).repeat(-(-px // 4), 1)[:px, :px]
    video = np.repeat(still[None], frames, 0)
    for at in range(frames):
        left = round(at / (frames - 1) * (px - 6))
        video[at, 4:10, left : left + 6] = (255, 255, 0)
    return video


def fake_pool(videos: int = 8, labelled: int = 4, classes: int = 2, **options) -> Pool:
    """Return a pool whose first rows are labelled, the others unlabelled."""
    roles = ["labelled"] * labelled + ["unlabelled"] * (videos - labelled)
    return Pool(FakeCache(videos, **options), np.arange(videos) % classes, pd.Series(roles))


def same_weights(first: dict, second: dict) -> bool:
    """Say whether two state dicts hold bit-identical tensors under the same names."""
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


class TinyNet(nn.Module):
    """One 3-D convolution: a backbone that costs nothing."""

    dim = 6

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv3d(3, 6, 3, 2, 1), nn.BatchNorm3d(6), nn.ReLU())

    def forward(self, x):
        return self.layers(x)


class Invented(Given):
    """Teachers with random weights and scores from 0 to 1, for methods that ask for them."""

    def __init__(self, profile, classes: int, rows: int):
        super().__init__(profile)
        self.classes, self.rows = classes, rows

    def teachers(self, names):
        """Return as many classifiers as there are names."""
        return tuple(Classifier(self.network(), self.classes) for _ in names)

    def score(self, column):
        """Return rising scores."""
        return torch.linspace(0, 1, self.rows)


def made(name: str, profile, classes: int = 2, rows: int = 8, seed: int = 0, **options) -> Method:
    """Build any method from a profile, as a run would, with invented teachers and scores."""
    torch.manual_seed(seed)
    job = Job(name, name, 1, 0, teachers=("inv", "dist"), score="s", options=options)
    given = Invented(profile, classes, rows)
    return registry.method(name).build(profile, classes, job, given)


def batches_of(method: Method, pool: Pool, step: int = 0) -> dict:
    """Return the batches that a method sees at a step, as in a training with seed 0."""
    found = {}
    for name, stream in method.streams().items():
        samples = ClipSamples(pool.cache, pool.labels, stream, seed=0)
        (batch,) = loader(samples, pool.rows(stream.pool), step, step + 1)
        found[name] = to_device(batch, torch.device("cpu"))
    return found


class TinyMethod(Method):
    """Cross-entropy plus dropout on a tiny network: the smallest method with random numbers."""

    def __init__(self, classes: int = 2, poison: int | None = None):
        super().__init__()
        torch.manual_seed(0)
        self.learner, self.poison, self.calls = Classifier(TinyNet(), classes), poison, 0

    def streams(self):
        """Ask for two labelled and two unlabelled videos."""
        views, augment = RandomClip(4, 2), Augment(16, erase=0.5)
        return {pool: Stream(pool, 2, views, augment) for pool in ("labelled", "unlabelled")}

    def forward(self, labelled, unlabelled):
        """Return a loss that becomes NaN at call number `poison`."""
        clips = nn.functional.dropout(torch.cat([labelled.clips[0], unlabelled.clips[0]]), 0.2)
        logits = self.learner(clips)
        loss = nn.functional.cross_entropy(logits[:2], labelled.label) + logits.square().mean()
        self.calls += 1
        return {"loss": loss * torch.nan if self.calls - 1 == self.poison else loss}


def tree_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by relative name."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def opened(net: nn.Module) -> nn.Module:
    """Let all blocks of a network count, as after training; those of slow ones begin with zero."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.ones_(module.weight)
    return net

"""Videos, not clips, are scored: ten-clip testing, per-class accuracy, probes, time retrieval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize, softmax
from torch.utils.data import DataLoader, Dataset

from ..data.augment import centre_crop
from ..data.cache import FrameCache
from ..data.clips import UniformClips
from ..data.loader import EMPTY_POOL, to_input
from ..errors import ConfigError
from ..models import Classifier
from .workers import begun, loaders, loading


@torch.no_grad()
def encode(
    function: Callable[[Tensor], Tensor],
    cache: FrameCache,
    rows: np.ndarray,
    views: UniformClips,
    px: int,
    device: torch.device,
    batch: int = 128,
    crop: float = 0.8,
    workers: int = 0,
) -> Tensor:
    """Apply a network to evenly spaced centre-cropped clips of many videos.

    Args:
        function: maps clips `[N, 3, T, H, W]` to `[N, ...]`, e.g. a model in eval mode.
        rows: which videos of the table.
        views: n clips a video.
        batch: clips per forward pass, rounded up to whole videos.
        crop: share of height and width that is kept.
        workers: processes that read and cut the clips; they change the speed only.

    Returns:
        `[len(rows), n, ...]` on the CPU, float32.

    Raises:
        ConfigError: there is no video.
        UserError: one of the processes was killed.
    """
    if len(rows) == 0:
        raise ConfigError(EMPTY_POOL)
    clips = DataLoader(
        _Crops(cache, rows, views, px, crop),
        batch_size=math.ceil(batch / views.n),
        num_workers=workers,
        collate_fn=torch.cat,
        generator=torch.Generator(),  # the loader draws from it; the global one is the training's
    )
    with loading(), begun([loaders(clips)]) as (batches,):
        outputs = [function(to_input(some.to(device))).float().cpu() for some in batches]
    return torch.cat(outputs).unflatten(0, (len(rows), views.n))


@dataclass(frozen=True)
class _Crops(Dataset):
    """The centre-cropped clips of each video, uint8 `[n, T, px, px, 3]`."""

    cache: FrameCache
    rows: np.ndarray
    views: UniformClips
    px: int
    crop: float

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> Tensor:
        video = self.cache[self.rows[at]]
        indices = self.views.indices(len(video))
        return torch.from_numpy(
            np.stack([centre_crop(video[index], self.px, self.crop) for index in indices])
        )


def clip_probabilities(model: Classifier, *args, **kwargs) -> Tensor:
    """Class probabilities of every clip, `[N, n, K]`; arguments as for `encode`."""
    model.eval()
    return encode(lambda x: softmax(model(x), dim=1), *args, **kwargs)


def video_probabilities(clips: Tensor) -> Tensor:
    """Average clip probabilities `[N, n, K]` to video probabilities `[N, K]` (section A7)."""
    return clips.mean(dim=1)


def accuracy(p: Tensor, label: Tensor) -> float:
    """Top-1 accuracy in percent of probabilities `[N, K]` against labels `[N]`."""
    return 100 * (p.argmax(1) == label).float().mean().item()


def per_class_accuracy(p: Tensor, label: Tensor, classes: int) -> np.ndarray:
    """Top-1 accuracy in percent of each class, `[K]`; NaN where a class has no video."""
    right = (p.argmax(1) == label).double()
    total = torch.bincount(label, minlength=classes).double()
    return (100 * torch.bincount(label, right, minlength=classes) / total).numpy()


def time_retrieval(first: Tensor, second: Tensor) -> Tensor:
    """Can a feature tell the times of one video apart?

    Args:
        first, second: `[N, n, D]`, features of the same n clips seen in two crops.

    Returns:
        `[N]`, share of clips whose nearest neighbour in the other crop is the same time; chance
        is 1/n.  This is what "temporally distinctive" means operationally.
    """
    similarity = normalize(first, dim=-1) @ normalize(second, dim=-1).mT
    return (similarity.argmax(-1) == torch.arange(first.shape[1])).float().mean(-1)


def knn_probe(train: Tensor, train_label: Tensor, test: Tensor, k: int = 5) -> np.ndarray:
    """Classes predicted by the k nearest (cosine) training videos; features `[N, D]`."""
    from sklearn.neighbors import KNeighborsClassifier  # takes a second, which few programs need

    k = min(k, len(train))
    return KNeighborsClassifier(k, metric="cosine").fit(train, train_label).predict(test)


def linear_probe(train: Tensor, train_label: Tensor, test: Tensor) -> np.ndarray:
    """Classes predicted by logistic regression on standardised frozen features `[N, D]`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    return probe.fit(train, train_label).predict(test)

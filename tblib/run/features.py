"""What a pretrained network sees: features of a video's clips, and whether they tell time."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..data.augment import Augment
from ..data.clips import SparseDense, UniformClips
from ..data.loader import ClipSamples, Stream, collate, to_device
from ..engine import checkpoint, evaluate
from ..methods.job import Job
from ..methods.pretrain.contrast import Encoder
from ..models import pool, starting_backbone
from .directory import Run


def load_encoder(run: Run, name: str, projected: bool = False) -> tuple[Encoder, nn.Module]:
    """Load a finished pretraining, in eval mode on the run's device.

    Args:
        name: model; "" for a network that was never trained, the same one every time.
        projected: whether the projection head is wanted as well.

    Returns:
        The encoder, and what comes after its pooled backbone feature: the head, or nothing.
    """
    c = run.config
    torch.manual_seed(Job("untrained", "joint", 0, c.seed).weights_seed)
    encoder = Encoder(starting_backbone(c.model), c.pretrain.dim)
    if name and projected:
        checkpoint.load_into(encoder, run.folder(name))
    elif name:  # not every pretraining has a projection head
        checkpoint.load_into(encoder.backbone, run.folder(name), "backbone")
    encoder.to(run.device).eval()
    return encoder, encoder.head if projected else nn.Identity()


def features(
    run: Run, name: str, rows: np.ndarray, n: int, crop: float = 0.8, projected: bool = False
) -> torch.Tensor:
    """Features `[N, n, D]` of n evenly spaced clips from a finished pretraining.

    Args:
        name: model; "" for a network that was never trained.
        crop: share of height and width that is seen.
        projected: unit vectors after the projection head instead of backbone features.
    """
    c = run.config
    encoder, head = load_encoder(run, name, projected)
    views = UniformClips(c.pretrain.clip.frames, c.pretrain.clip.stride, n)
    return evaluate.encode(
        lambda x: head(pool(encoder.backbone(x))),
        run.pool.cache,
        rows,
        views,
        c.data.crop_px,
        run.device,
        c.evaluate.batch,
        crop,
        c.runtime.workers,
    )


@torch.no_grad()
def time_retrieval(run: Run, name: str, rows: np.ndarray, projected: bool) -> torch.Tensor:
    """Find the times of a video again in another random augmentation of the same clips.

    The S clips tile a window of the video without overlap, as the local clips of pretraining do,
    and each view is augmented as there, so that a comparison of pixels does not answer.

    Args:
        name: model; "" for a network that was never trained.
        projected: compare after the projection head instead of backbone features.

    Returns:
        `[N]`, share of the S times found again; chance is 1/S.
    """
    o = run.config.pretrain
    encoder, head = load_encoder(run, name, projected)
    views = SparseDense(o.clip.frames, o.clip.stride, o.slots)
    augment = Augment(run.config.data.crop_px, o.crop_min, o.jitter, erase=0.5)
    stream = Stream("test", 1, views, augment)
    samples = ClipSamples(run.pool.cache, run.pool.labels, stream, run.config.seed)
    found = []
    for first in range(0, len(rows), 16):
        some = rows[first : first + 16]
        batch = collate([samples[0, first + k, int(row)] for k, row in enumerate(some)])
        local = to_device(batch, run.device).clips[2:].flatten(0, 1)
        h = head(pool(encoder.backbone(local))).cpu().unflatten(0, (2, o.slots, len(some)))
        found.append(evaluate.time_retrieval(*h.transpose(1, 2)))
    return torch.cat(found)

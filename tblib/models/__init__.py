"""Backbones that keep time, and the heads on top of them.

Every backbone maps clips `[N, 3, T, H, W]` to a feature map `[N, D, T', H', W']`; nothing is pooled
inside, because the distinctive losses need the time axis.
"""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import ConfigError, did_you_mean
from .base import Backbone as Backbone
from .base import fuse as fuse
from .base import resolve_precision as resolve_precision
from .heads import Classifier as Classifier
from .heads import ProjectionHead as ProjectionHead
from .heads import check_slots as check_slots
from .heads import dropout_passes as dropout_passes
from .heads import parameter_count as parameter_count
from .heads import pool as pool
from .heads import staged as staged
from .heads import time_slots as time_slots
from .resnets import R3D18, TSMR18, R2Plus1D34
from .slow import SlowFastR50, SlowR50
from .tiny import HalfTinyR3D, TinyR3D
from .weights import load_torchvision

BACKBONES = {
    "tiny_r3d": TinyR3D,
    "tiny_r3d_half": HalfTinyR3D,
    "r3d_18": R3D18,
    "slow_r50": SlowR50,
    "r2plus1d_34": R2Plus1D34,
    "slowfast_r50": SlowFastR50,
    "tsm_r18": TSMR18,
}


def backbone(name: str, precision: str = "fp32", weights: str | Path | None = None) -> Backbone:
    """Build a backbone by name, randomly initialised from torch's global seed.

    Args:
        precision: `fp32`, `bf16` or `auto`, see `Backbone` and `resolve_precision`.
        weights: a file of torchvision's `r3d_18` to start from instead.

    Raises:
        ConfigError: the name is unknown, or there is no such file for this backbone.
        CheckpointError: the file is missing or of another network.
    """
    if name not in BACKBONES:
        raise ConfigError(f"backbone {name!r} is unknown; {did_you_mean(name, BACKBONES)}.")
    net = BACKBONES[name]()
    if weights is not None:
        if name != "r3d_18":
            raise ConfigError(f"model.weights fits the backbone 'r3d_18' only, not {name!r}.")
        load_torchvision(net, weights)
    net = net.to(memory_format=torch.channels_last_3d)
    net.precision = precision
    return net


def check_profile(profile) -> None:
    """Refuse a profile whose backbone leaves time steps that its slots cannot share.

    Raises:
        ConfigError: so it is.
    """
    stride, options = BACKBONES[profile.model.backbone].time_stride, profile.pretrain
    check_slots(-(-options.clip.frames // stride), options.slots)


def starting_backbone(model) -> Backbone:
    """Build the backbone that section `model` of a profile describes, with its starting weights."""
    return backbone(model.backbone, model.precision, model.weights)

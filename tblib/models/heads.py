"""From feature maps to numbers: pooling, time slots, projection, classification."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import ConfigError


def pool(features: Tensor) -> Tensor:
    """Average a feature map `[N, D, T', H', W']` over time and space: `[N, D]`."""
    return features.mean(dim=(2, 3, 4))


def time_slots(features: Tensor, slots: int) -> Tensor:
    """Average a feature map over space and into S equal time slots: `[N, S, D]`.

    Raises:
        ConfigError: the surviving time steps cannot be divided into S slots.
    """
    time = features.shape[2]
    check_slots(time, slots)
    return (
        features.mean(dim=(3, 4)).unflatten(2, (slots, time // slots)).mean(dim=3).transpose(1, 2)
    )


def check_slots(time: int, slots: int) -> None:
    """Refuse to make S slots of time steps that cannot be divided among them.

    Raises:
        ConfigError: so it is.
    """
    if time % slots:
        raise ConfigError(
            f"the backbone leaves {time} time steps, which cannot make {slots} slots; "
            "use more frames per clip (pretrain.clip.frames) or fewer slots (pretrain.slots)."
        )


class ProjectionHead(nn.Module):
    """Linear, BN, ReLU, Linear, BN, unit length: the space in which contrast is computed.

    Source: the release's heads: 512 → 512 → 128 for R3D-18, 2048 → 128 → 128 for its R3D-50.
    """

    def __init__(self, dim: int, out: int):
        super().__init__()
        hidden = dim if dim <= 512 else out
        self.layers = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, out, bias=False),
            nn.BatchNorm1d(out),
        )

    def forward(self, h: Tensor) -> Tensor:
        """Map features `[N, D_backbone]` to unit vectors `[N, D]`."""
        return nn.functional.normalize(self.layers(h), dim=1)


class Classifier(nn.Module):
    """Backbone, average over time and space, dropout of none unless asked, one linear layer."""

    def __init__(self, net: nn.Module, classes: int, dropout: float = 0.0):
        super().__init__()
        self.backbone = net
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(net.dim, classes)

    def extra_repr(self) -> str:
        """Add the number of weights and classes to what torch writes."""
        return f"{parameter_count(self):,} weights, {self.head.out_features} classes"

    def forward(self, x: Tensor) -> Tensor:
        """Map clips `[N, 3, T, H, W]` to logits `[N, K]`."""
        return self.head(self.dropout(pool(self.backbone(x))))


def staged(net: nn.Module, x: Tensor, stages: int) -> tuple[Tensor, list[Tensor]]:
    """Pass clips and return the feature map and those after the last `stages` stages, float32.

    Args:
        net: a backbone whose last layers are in `stages`, as those of all but `slowfast_r50`.
        x: clips `[N, 3, T, H, W]`.

    Raises:
        ConfigError: the backbone has no such stages.
    """
    parts = getattr(net, "stages", None)
    if not isinstance(parts, nn.Sequential) or len(parts) < stages:
        raise ConfigError(
            f"the backbone {type(net).__name__} has not {stages} stages in a row, whose maps this "
            "method compares; choose another model.backbone."
        )
    maps: list[Tensor] = []
    hooks = [
        part.register_forward_hook(lambda _, __, out: maps.append(_wide(out)))
        for part in parts[len(parts) - stages :]
    ]
    try:
        return net(x), maps
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def dropout_passes(model: Classifier, x: Tensor, passes: int) -> Tensor:
    """Classify clips several times, each time without another part of their features.

    Monte Carlo dropout.  Only dropout is as in training: batch norm keeps its running statistics
    and does not count the clips; as dropout comes last, the backbone passes once.

    Args:
        x: clips `[N, 3, T, H, W]`.

    Returns:
        Logits `[passes, N, K]`.

    Source: Gal and Ghahramani, ICML 2016.
    """
    training = model.training
    features = pool(model.eval().backbone(x))
    model.dropout.train()
    logits = torch.stack([model.head(model.dropout(features)) for _ in range(passes)])
    model.train(training)
    return logits


def parameter_count(module: nn.Module) -> int:
    """Count trainable and frozen weights."""
    return sum(p.numel() for p in module.parameters())


def _wide(x: Tensor) -> Tensor:
    """Leave reduced precision; float64 stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))

"""Backbones that keep time, and the heads on top of them.

Every backbone maps clips `[N, 3, T, H, W]` to a feature map `[N, D, T', H', W']`; nothing is pooled
inside, because the distinctive losses need the time axis.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torchvision.models.video import r3d_18 as torchvision_r3d_18

from .errors import ConfigError, did_you_mean


class Residual(nn.Module):
    """Two convolutions with batch norm and a shortcut; the first may be 3-D and may stride."""

    def __init__(
        self, c_in: int, c_out: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]
    ):
        super().__init__()
        self.branch = nn.Sequential(
            _conv(c_in, c_out, kernel, stride),
            nn.BatchNorm3d(c_out),
            nn.ReLU(inplace=True),
            _conv(c_out, c_out, (1, 3, 3), (1, 1, 1)),
            nn.BatchNorm3d(c_out),
        )
        same = c_in == c_out and stride == (1, 1, 1)
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv3d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm3d(c_out))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, c_in, T, H, W]` to `[N, c_out, T', H', W']`."""
        return torch.relu(self.branch(x) + self.shortcut(x))


def _conv(
    c_in: int, c_out: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> nn.Conv3d:
    padding = tuple(k // 2 for k in kernel)
    return nn.Conv3d(c_in, c_out, kernel, stride, padding, bias=False)


@cache
def resolve_precision(name: str, device: str) -> str:
    """Turn `auto` into `bf16` where the device has units for bfloat16 matrices, else `fp32`.

    Args:
        name: `auto`, `fp32` or `bf16`; the last two are returned as they are.
        device: `cpu` or `cuda`.
    """
    if name != "auto":
        return name
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    known = getattr(torch.cpu, "get_capabilities", dict)()  # since torch 2.11
    return "bf16" if known.get("amx_bf16") else "fp32"


class Backbone(nn.Module):
    """Base of the backbones: where reduced precision begins and ends.

    With `bf16` the layers inside run in bfloat16 where torch holds that to be safe; the feature map
    that leaves, and with it every head and loss, is float32, and so are the weights.
    """

    dim: int
    precision = "fp32"

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` to `[N, D, T', H', W']`, float32."""
        reduced = resolve_precision(self.precision, x.device.type) == "bf16"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=reduced):
            return self.layers(x).float()


class TinyR3D(Backbone):
    """A small slow-type residual network: spatial filters early, space-time filters late.

    Time 8-8-4-4 and space /16 for eight frames; about half a million parameters.  Fine appearance
    is what small networks lose first, so full 3×3×3 filters are kept for the last two stages.
    """

    dim = 128

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            _conv(3, 16, (3, 3, 3), (1, 2, 2)), nn.BatchNorm3d(16), nn.ReLU(inplace=True)
        )
        self.stages = nn.Sequential(
            Residual(16, 16, (1, 3, 3), (1, 1, 1)),
            Residual(16, 32, (1, 3, 3), (1, 2, 2)),
            Residual(32, 64, (3, 3, 3), (2, 2, 2)),
            Residual(64, 128, (3, 3, 3), (1, 2, 2)),
        )

    def layers(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` to `[N, 128, T/2, H/16, W/16]`."""
        return self.stages(self.stem(x))


class R3D18(Backbone):
    """torchvision's `r3d_18` whose last stage dilates in time instead of striding.

    Sixteen frames become 16-16-8-4-4 time steps, so four slots survive (the plain network ends
    with two).  Dilation adds no weights: 33.2 M parameters with 101 classes.
    """

    dim = 512

    def __init__(self):
        super().__init__()
        net = torchvision_r3d_18(weights=None)
        for module in net.layer4.modules():
            if isinstance(module, nn.Conv3d):
                module.stride = (1, *module.stride[1:])
                if module.kernel_size[0] == 3:
                    module.dilation, module.padding = (2, 1, 1), (2, 1, 1)
        self.stages = nn.Sequential(net.stem, net.layer1, net.layer2, net.layer3, net.layer4)

    def layers(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` to `[N, 512, T/4, H/16, W/16]`."""
        return self.stages(x)


BACKBONES = {"tiny_r3d": TinyR3D, "r3d_18": R3D18}


def backbone(name: str, precision: str = "fp32") -> Backbone:
    """Build a backbone by name, randomly initialised from torch's global seed.

    Args:
        precision: `fp32`, `bf16` or `auto`, see `Backbone` and `resolve_precision`.

    Raises:
        ConfigError: the name is unknown.
    """
    if name not in BACKBONES:
        raise ConfigError(f"backbone {name!r} is unknown; {did_you_mean(name, BACKBONES)}.")
    net = BACKBONES[name]().to(memory_format=torch.channels_last_3d)
    net.precision = precision
    return net


def pool(features: Tensor) -> Tensor:
    """Average a feature map `[N, D, T', H', W']` over time and space: `[N, D]`."""
    return features.mean(dim=(2, 3, 4))


def time_slots(features: Tensor, slots: int) -> Tensor:
    """Average a feature map over space and into S equal time slots: `[N, S, D]`.

    Raises:
        ConfigError: the surviving time steps cannot be divided into S slots.
    """
    time = features.shape[2]
    if time % slots:
        raise ConfigError(
            f"the backbone leaves {time} time steps, which cannot make {slots} slots; "
            "use more frames per clip (pretrain.clip.frames) or fewer slots (pretrain.slots)."
        )
    return (
        features.mean(dim=(3, 4)).unflatten(2, (slots, time // slots)).mean(dim=3).transpose(1, 2)
    )


class ProjectionHead(nn.Module):
    """Linear, BN, ReLU, Linear, BN, unit length: the space in which contrast is computed.

    Source: the paper's SSL head (section A2), with the backbone's own width as hidden width.
    """

    def __init__(self, dim: int, out: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, dim),
            nn.BatchNorm1d(dim),
            nn.ReLU(inplace=True),
            nn.Linear(dim, out, bias=False),
            nn.BatchNorm1d(out),
        )

    def forward(self, h: Tensor) -> Tensor:
        """Map features `[N, D_backbone]` to unit vectors `[N, D]`."""
        return nn.functional.normalize(self.layers(h), dim=1)


class Classifier(nn.Module):
    """Backbone, average over time and space, one linear layer."""

    def __init__(self, net: nn.Module, classes: int):
        super().__init__()
        self.backbone = net
        self.head = nn.Linear(net.dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map clips `[N, 3, T, H, W]` to logits `[N, K]`."""
        return self.head(pool(self.backbone(x)))


def parameter_count(module: nn.Module) -> int:
    """Count trainable and frozen weights."""
    return sum(p.numel() for p in module.parameters())

"""Slow and SlowFast networks on ResNet-50, built as PyTorchVideo builds them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .base import Backbone, conv
from .resnets import image_stem

BLOCKS = (3, 4, 6, 3)
WIDTHS = (64, 128, 256, 512)
ALPHA = 4  # the fast path sees four frames for one of the slow path …
BETA = 8  # … with an eighth of the channels
FUSION = 7  # frames the connection from fast to slow looks at


class Bottleneck(nn.Module):
    """1×1 (in time 1 or 3), 1×3×3 and 1×1×1 convolutions with a shortcut."""

    def __init__(self, c_in: int, width: int, time: int, stride: int):
        super().__init__()
        c_out, step = 4 * width, (1, stride, stride)
        self.branch = nn.Sequential(
            conv(c_in, width, (time, 1, 1), (1, 1, 1)),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            conv(width, width, (1, 3, 3), step),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            conv(width, c_out, (1, 1, 1), (1, 1, 1)),
            nn.BatchNorm3d(c_out),
        )
        self.shortcut = nn.Identity()
        if c_in != c_out or stride > 1:
            self.shortcut = nn.Sequential(conv(c_in, c_out, (1, 1, 1), step), nn.BatchNorm3d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, c_in, T, H, W]` to `[N, 4 · width, T, H', W']`."""
        return torch.relu(self.branch(x) + self.shortcut(x))


def _stage(c_in: int, width: int, blocks: int, time: int, stride: int) -> nn.Sequential:
    first = Bottleneck(c_in, width, time, stride)
    return nn.Sequential(first, *(Bottleneck(4 * width, width, time, 1) for _ in range(1, blocks)))


def _initialise(net: nn.Module) -> None:
    """Draw convolutions as PyTorchVideo does; blocks begin as their shortcuts."""
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Bottleneck):  # identity until its last batch norm has learnt
            nn.init.zeros_(module.branch[-1].weight)


class SlowR50(Backbone):
    """PyTorchVideo's `slow_r50`: 31.84 M parameters with 101 classes.

    Frames are mixed in the last two stages only, by 3×1×1 filters, and time is never reduced.
    Source: Feichtenhofer et al., ICCV 2019.
    """

    dim = 2048

    def __init__(self):
        super().__init__()
        stages, c_in = [image_stem()], 64
        for at, (width, blocks, time) in enumerate(zip(WIDTHS, BLOCKS, (1, 1, 3, 3), strict=True)):
            stages.append(_stage(c_in, width, blocks, time, 1 if at == 0 else 2))
            c_in = 4 * width
        self.stages = nn.Sequential(*stages)
        _initialise(self)

    def layers(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` to `[N, 2048, T, H/32, W/32]`."""
        return self.stages(x)


class SlowFastR50(Backbone):
    """SlowFast-R50 (8×8): 34.6 M parameters with 400 classes.

    The slow path sees every fourth frame, the fast path all of them with an eighth of the channels;
    after each stage but the last the fast features join the slow ones.  The fast features of four
    frames are averaged at the end, so both paths come out as one map with T/4 time steps; pooled,
    that is the network of Feichtenhofer et al., ICCV 2019.
    """

    dim = 2048 + 2048 // BETA
    time_stride = ALPHA

    def __init__(self):
        super().__init__()
        slow, fast, fuse = [image_stem()], [image_stem(64 // BETA, 5)], []
        c_slow, c_fast = 64, 64 // BETA
        for at, (width, blocks, time) in enumerate(zip(WIDTHS, BLOCKS, (1, 1, 3, 3), strict=True)):
            stride = 1 if at == 0 else 2
            fuse.append(_fusion(c_fast))
            slow.append(_stage(c_slow + 2 * c_fast, width, blocks, time, stride))
            fast.append(_stage(c_fast, width // BETA, blocks, 3, stride))
            c_slow, c_fast = 4 * width, 4 * width // BETA
        self.slow, self.fast, self.fuse = map(nn.ModuleList, (slow, fast, fuse))
        _initialise(self)

    def layers(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]`, T a multiple of four, to `[N, 2304, T/4, H/32, W/32]`."""
        slow, fast = self.slow[0](x[:, :, ::ALPHA]), self.fast[0](x)
        for at, join in enumerate(self.fuse, 1):
            slow = self.slow[at](torch.cat([slow, join(fast)], 1))
            fast = self.fast[at](fast)
        return torch.cat([slow, fast.unflatten(2, (-1, ALPHA)).mean(3)], 1)


def _fusion(width: int) -> nn.Sequential:
    """Bring fast features to the slow path's frame rate, with twice the channels."""
    return nn.Sequential(
        conv(width, 2 * width, (FUSION, 1, 1), (ALPHA, 1, 1)),
        nn.BatchNorm3d(2 * width),
        nn.ReLU(inplace=True),
    )

"""The book's own network: half a million weights, four time steps of eight frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .base import Backbone, conv


class Residual(nn.Module):
    """Two convolutions with batch norm and a shortcut; the first may be 3-D and may stride."""

    def __init__(
        self, c_in: int, c_out: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]
    ):
        super().__init__()
        self.branch = nn.Sequential(
            conv(c_in, c_out, kernel, stride),
            nn.BatchNorm3d(c_out),
            nn.ReLU(inplace=True),
            conv(c_out, c_out, (1, 3, 3), (1, 1, 1)),
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


class TinyR3D(Backbone):
    """A small slow-type residual network: spatial filters early, space-time filters late.

    Time 8-8-4-4 and space /16 for eight frames; about half a million parameters.  Fine appearance
    is what small networks lose first, so full 3×3×3 filters are kept for the last two stages.
    """

    width = 16
    time_stride = 2

    def __init__(self):
        super().__init__()
        w = self.width
        self.dim = 8 * w
        self.stem = nn.Sequential(
            conv(3, w, (3, 3, 3), (1, 2, 2)), nn.BatchNorm3d(w), nn.ReLU(inplace=True)
        )
        self.stages = nn.Sequential(
            Residual(w, w, (1, 3, 3), (1, 1, 1)),
            Residual(w, 2 * w, (1, 3, 3), (1, 2, 2)),
            Residual(2 * w, 4 * w, (3, 3, 3), (2, 2, 2)),
            Residual(4 * w, 8 * w, (3, 3, 3), (1, 2, 2)),
        )

    def layers(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` to `[N, 8 · width, T/2, H/16, W/16]`."""
        return self.stages(self.stem(x))


class HalfTinyR3D(TinyR3D):
    """The same at half the width, an eighth of a million parameters: a second opinion."""

    width = 8

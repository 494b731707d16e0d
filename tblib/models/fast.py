"""Layers that a GPU computes faster in another form; the sums are the same.

cuDNN and torch have their best kernels for many channels, not for three, and for images, not for
video.  On an H200 the two forms made a pretraining step of `r3d_18` 1.35 times as fast and a step
of its student 1.4 times; what each of them gains, and what was wrong with that network's last stage
when it was timed, is in `benchmarks/README.md`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

FEW = 8  # channels, in bfloat16 the 16 bytes that a matrix kernel loads at once


def folded(x: Tensor, weight: Tensor, bias, stride, padding, dilation, groups: int) -> Tensor:
    """Convolve in 3-D; few channels with a stride of two in space are folded into 2×2 squares.

    For the three channels of a video cuDNN has no kernel that uses the matrix units; the squares
    have twelve, and the filter over them is half as high and wide and does not stride.

    Args:
        x: maps `[N, C, T, H, W]`.
        weight: filters `[C_out, C, kT, kH, kW]`.
        bias, stride, padding, dilation, groups: as a `torch.nn.Conv3d` has them.
    """
    if x.shape[1] >= FEW or groups > 1 or stride[1:] != (2, 2):
        return torch.conv3d(x, weight, bias, stride, padding, dilation, groups)
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))
    border = []
    for size, k, p in zip(x.shape[:2:-1], weight.shape[:2:-1], padding[:0:-1], strict=True):
        steps = (size + 2 * p - k) // 2
        border += [p, 2 * steps + k + k % 2 - size - p]
    even = [0, weight.shape[4] % 2, 0, weight.shape[3] % 2]
    squares = (_squares(functional.pad(t, more)) for t, more in ((x, border), (weight, even)))
    return torch.conv3d(*squares, bias, (stride[0], 1, 1), (padding[0], 0, 0), dilation, 1)


def _squares(x: Tensor) -> Tensor:
    """Fold 2×2 squares of pixels into channels: `[N, C, T, H, W]` to `[N, 4C, T, H/2, W/2]`."""
    n, c, t, h, w = x.shape
    pixels = x.movedim(1, -1).reshape(n, t, h // 2, 2, w // 2, 2, c)
    return pixels.transpose(3, 4).reshape(n, t, h // 2, w // 2, 4 * c).movedim(-1, 1)


def flattened(x: Tensor, *statistics, **options) -> Tensor:
    """Normalise maps `[N, C, T, H, W]` as `[N, C, T · H, W]`: the same numbers per channel.

    For batch norm of five-dimensional channels-last maps torch falls back on a general kernel that
    copies the map to float32; with time and height joined the same memory goes to the kernel made
    for it.  The result must not be a view: ReLU in place would make autograd copy the gradient of
    the whole map, which costs more than the kernel gains.

    Args:
        statistics, options: what `torch.nn.functional.batch_norm` takes after the map.
    """
    if x.dim() != 5:
        return functional.batch_norm(x, *statistics, **options)
    flat = functional.batch_norm(x.flatten(2, 3), *statistics, **options)
    return torch.ops.aten._unsafe_view(flat, x.shape)


RULES = {torch.conv3d: folded, functional.batch_norm: flattened}


class FastKernels(TorchFunctionMode):
    """While it is active, the layers in `rules` take the other form; all else is as it was."""

    def __init__(self, rules: dict = RULES):
        super().__init__()
        self.rules = rules

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call `func`, or what stands for it."""
        return self.rules.get(func, func)(*args, **(kwargs or {}))

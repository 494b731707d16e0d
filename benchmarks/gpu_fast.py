"""Two layers that a GPU should compute faster in another form; the sums are the same.

Measured alone on an H200 they are (`gpu_layers.py`); as parts of a step they have not been yet, so
`tblib` does not use them.  The first convolution sees three channels, for which cuDNN has no good
kernel; as squares of two by two pixels it sees twelve, and needs no stride.  For batch norm of
five-dimensional channels-last maps torch falls back on a general kernel that copies the map to
float32; with time and height joined the same memory goes to the kernel made for it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

FEW = 8  # channels, in bfloat16 the 16 bytes that a matrix kernel loads at once


def folded(
    x: Tensor, weight: Tensor, bias=None, stride=1, padding=0, dilation=1, groups=1
) -> Tensor:
    """Convolve in 3-D; few channels with a stride of two in space are folded into 2×2 squares.

    Args:
        x: maps `[N, C, T, H, W]`.
        weight: filters `[C_out, C, kT, kH, kW]`.
    """
    if x.shape[1] >= FEW or groups > 1 or tuple(stride)[1:] != (2, 2):
        return torch.conv3d(x, weight, bias, stride, padding, dilation, groups)
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))
    border = []
    for size, k, p in zip(x.shape[:2:-1], weight.shape[:2:-1], padding[:0:-1], strict=True):
        steps = (size + 2 * p - k) // 2
        border += [p, 2 * steps + k + k % 2 - size - p]
    even = [0, weight.shape[4] % 2, 0, weight.shape[3] % 2]
    squares = (_squares(functional.pad(t, more)) for t, more in ((x, border), (weight, even)))
    return torch.conv3d(*squares, bias, (stride[0], 1, 1), (padding[0], 0, 0))


def _squares(x: Tensor) -> Tensor:
    """Fold 2×2 squares of pixels into channels: `[N, C, T, H, W]` to `[N, 4C, T, H/2, W/2]`."""
    n, c, t, h, w = x.shape
    pixels = x.movedim(1, -1).reshape(n, t, h // 2, 2, w // 2, 2, c)
    return pixels.transpose(3, 4).reshape(n, t, h // 2, w // 2, 4 * c).movedim(-1, 1)


def flattened(x: Tensor, *statistics, **options) -> Tensor:
    """Normalise maps `[N, C, T, H, W]` as `[N, C, T · H, W]`: the same numbers per channel.

    The result must not be a view: ReLU in place would make autograd copy the gradient of the whole
    map, which probably cost more than the kernel gained.

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

"""Two layers that a GPU computes much faster when asked in another form; the sums are the same.

Seen in profiles of `r3d_18` in bfloat16 on an H100, see `benchmarks/README.md`.  For a convolution
of three channels cuDNN has no kernel that uses the matrix units; it has for eight, five of them
zero.  For batch norm of five-dimensional channels-last maps torch falls back on a general kernel
that copies the map to float32; as maps of four dimensions, time and height joined, the same memory
goes to the kernel made for it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

CHANNELS = 8  # bfloat16 numbers in 16 bytes, the unit the matrix kernels load


def widened(
    x: Tensor, weight: Tensor, bias=None, stride=1, padding=0, dilation=1, groups=1
) -> Tensor:
    """Convolve in 3-D; fewer than eight input channels are filled up with zeros first.

    Args:
        x: maps `[N, C, T, H, W]`.
        weight: filters `[C_out, C / groups, kT, kH, kW]`.
    """
    if x.shape[1] < CHANNELS and groups == 1:
        more = (0, 0, 0, 0, 0, 0, 0, CHANNELS - x.shape[1])
        x, weight = functional.pad(x, more), functional.pad(weight, more)
    return torch.conv3d(x, weight, bias, stride, padding, dilation, groups)


def flattened(x: Tensor, *statistics, **options) -> Tensor:
    """Normalise maps `[N, C, T, H, W]` as `[N, C, T · H, W]`: a view, the same numbers per channel.

    Args:
        statistics, options: what `torch.nn.functional.batch_norm` takes after the map.
    """
    if x.dim() != 5:
        return functional.batch_norm(x, *statistics, **options)
    flat = functional.batch_norm(x.flatten(2, 3), *statistics, **options)
    return flat.unflatten(2, x.shape[2:4])


RULES = {torch.conv3d: widened, functional.batch_norm: flattened}


class FastKernels(TorchFunctionMode):
    """While it is active, the layers in `RULES` take the other form; all else is as it was."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call `func`, or what stands for it."""
        return RULES.get(func, func)(*args, **(kwargs or {}))

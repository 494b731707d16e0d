"""Convolutions whose bfloat16 gradients processors get wrong, computed in float32 instead.

torch 2.11 leaves a 3-D convolution in bfloat16 to oneDNN.  On processors with AVX-512 BF16 the
gradient of the weights is then garbage, up to 1e35 or NaN and sometimes a crash, when a map has
fewer frames than the filter, or is lower or narrower than a filter that strides.  Outputs and the
gradient of the input are right.  Eight frames at 32 px never become so small in `tiny_r3d`; clips
of four frames do, and `r3d_18` at any size with eight.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


def unsound(x: Tensor, weight: Tensor, stride: tuple[int, ...]) -> bool:
    """Say whether a convolution is one of those; a few that are right are taken for one as well.

    Args:
        x: maps `[N, C, T, H, W]`.
        weight: filters `[C_out, C, kT, kH, kW]`.
        stride: in T, H and W.
    """
    short = x.shape[2] < weight.shape[2]
    small = any(side < filt for side, filt in zip(x.shape[3:], weight.shape[3:], strict=True))
    return short or (small and max(stride[1:]) > 1)


class SoundConvolutions(TorchFunctionMode):
    """While it is active, such convolutions run in float32; all others as autocast has it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call `func`, a convolution in float32 if its bfloat16 gradient would be wrong."""
        if func is torch.conv3d and unsound(args[0], args[1], args[3]):
            with torch.autocast("cpu", enabled=False):
                x, weight = args[0].float(), args[1].float()
                return func(x, weight, *args[2:], **(kwargs or {})).bfloat16()
        return func(*args, **(kwargs or {}))

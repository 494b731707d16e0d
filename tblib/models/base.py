"""What every backbone shares: its contract, and where reduced precision begins and ends."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache

import torch
from torch import Tensor, nn

from .exact_convolutions import SoundConvolutions
from .fast import RULES, FastKernels


@cache
def resolve_precision(name: str, device: str) -> str:
    """Turn `auto` into `bf16` where the device has units for bfloat16, else `fp32`.

    On processors those are AMX and AVX-512 BF16; with the latter a pretraining step of `tiny_r3d`
    took 0.35 s instead of 0.52 on an AMD EPYC. Emulated, bfloat16 is slower than float32.

    Args:
        name: `auto`, `fp32` or `bf16`; the last two are returned as they are.
        device: `cpu` or `cuda`.
    """
    if name != "auto":
        return name
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    known = getattr(torch.cpu, "get_capabilities", dict)()  # since torch 2.11
    return "bf16" if known.get("amx_bf16") or known.get("avx512_bf16") else "fp32"


class Backbone(nn.Module):
    """Base of the backbones: where reduced precision begins and ends.

    With `bf16` the layers inside run in bfloat16 where torch holds that to be safe; the feature map
    that leaves, and with it every head and loss, is float32, and so are the weights.

    Attributes:
        dim: channels of the feature map, D.
        time_stride: frames for one of its time steps; a rest of the frames makes one more.
        rules: forms that layers take in bfloat16 on a GPU, see `tblib.models.fast`.
    """

    dim: int
    time_stride = 1
    precision = "fp32"
    rules = RULES

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` to `[N, D, T', H', W']`, float32."""
        precision = self.precision
        if precision == "auto":
            precision = resolve_precision(precision, x.device.type)
        reduced, device = precision == "bf16", x.device.type
        kernels = nullcontext()
        if reduced:
            kernels = SoundConvolutions() if device == "cpu" else FastKernels(self.rules)
        with torch.autocast(device, torch.bfloat16, enabled=reduced), kernels:
            return self.layers(x).float()


def fuse(module: nn.Module, device: torch.device) -> None:
    """Have torch.compile fuse the operations of every backbone inside; names of weights stay.

    Batch norm, ReLU and the sums between convolutions move memory and hardly compute, so they gain:
    on an H200 the student's step of `slow_r50` became 1.4 times as fast, see
    `benchmarks/README.md`.
    """
    for part in module.modules():
        if isinstance(part, Backbone):
            part.precision = resolve_precision(part.precision, device.type)  # cannot be traced
            part.compile()


def conv(
    c_in: int, c_out: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> nn.Conv3d:
    """Make a convolution without bias whose padding keeps the size at stride 1."""
    padding = tuple(k // 2 for k in kernel)
    return nn.Conv3d(c_in, c_out, kernel, stride, padding, bias=False)

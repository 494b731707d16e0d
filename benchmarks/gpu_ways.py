"""The steps of pretraining and of the student on a GPU, as the book computes them and otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from gpu_common import batches, build, profile
from torch import Tensor, nn
from training import looped, optimised, six_passes, ten_passes, vectorised

from tblib.data.loader import Batch
from tblib.models import Backbone, fuse


@dataclass(frozen=True)
class Way:
    """How a step is computed; the defaults are the book's."""

    precision: str = "bf16"
    tf32: bool = True
    contiguous: bool = False
    passes: str = "few"  # `many`: a forward pass per view
    losses: str = "one Gram matrix"  # or `loops`
    teachers: str = "frozen"  # or `with gradients`
    compiled: bool = False
    tuned: bool = False  # cuDNN tries its algorithms
    wide: bool = False  # the first convolution gets eight channels, five of them zero


OURS = Way()
PRETRAINING = {
    "ours": OURS,
    "losses in loops": Way(losses="loops"),
    "ten forward passes": Way(passes="many"),
    "contiguous memory": Way(contiguous=True),
    "float32 with TF32": Way(precision="fp32"),
    "none of it: ten passes, loops, float32 with TF32, contiguous": Way(
        precision="fp32", contiguous=True, passes="many", losses="loops"
    ),
}
STUDENT = {
    "ours": OURS,
    "teachers with gradients, six passes": Way(teachers="with gradients"),
    "six forward passes": Way(passes="many"),
    "contiguous memory": Way(contiguous=True),
    "float32 with TF32": Way(precision="fp32"),
    "none of it: gradients, six passes, float32 with TF32, contiguous": Way(
        precision="fp32", contiguous=True, passes="many", teachers="with gradients"
    ),
}
LATER = {  # slow to begin with, so measured after the others
    "torch.compile": Way(compiled=True),
    "cuDNN tries its algorithms": Way(tuned=True),
    "first convolution on eight channels": Way(wide=True),
    "first convolution on eight channels, torch.compile": Way(wide=True, compiled=True),
}


class WideStem(nn.Module):
    """The first convolution on eight channels instead of three: the same sums, and zeros.

    For three channels cuDNN 9.19 has no kernel that uses the matrix units.
    """

    def __init__(self, conv: nn.Conv3d):
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, 3, T, H, W]` as the convolution does."""
        c, extra = self.conv, (0, 0, 0, 0, 0, 0, 0, 5)
        x, weight = (
            nn.functional.pad(t, extra).contiguous(memory_format=torch.channels_last_3d)
            for t in (x, c.weight)
        )
        return nn.functional.conv3d(x, weight, None, c.stride, c.padding)


def prepared(method: nn.Module, way: Way, device: torch.device) -> nn.Module:
    """Move a method to the GPU in the memory format, precision and form that are asked for."""
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = way.tf32, way.tuned
    layout = torch.contiguous_format if way.contiguous else torch.channels_last_3d
    method = method.to(device).train()
    for module in method.modules():
        if isinstance(module, Backbone):
            module.to(memory_format=layout)
            if way.wide:
                module.stages[0][0] = WideStem(module.stages[0][0])
    if way.compiled:
        fuse(method, device)
    return method


def laid_out(found: dict[str, Batch], way: Way) -> dict[str, Batch]:
    """Lay clips out as the way wants them."""
    if not way.contiguous:
        return found
    return {k: Batch(b.clips.contiguous(), b.label, b.row) for k, b in found.items()}


def pretraining_step(way: Way, batch: int, device: torch.device) -> Callable[[], None]:
    """Return a step of the joint method: ten clips of 16 frames a video."""
    torch.manual_seed(0)
    method = build("joint", profile(112, way.precision, batch), batch)
    given = laid_out(batches(method, batch, 0, device.type), way)
    method, clips, o = prepared(method, way, device), given["videos"].clips, method.options
    loss_of = vectorised if way.losses == "one Gram matrix" else looped
    embed = method.embeddings if way.passes == "few" else ten_passes(method)
    weights = (o.weight_ic, o.weight_ll, o.weight_gl)
    return optimised(method, lambda: loss_of(*embed(clips), weights))


def student_step(way: Way, batch: int, device: torch.device, net: str, px: int) -> Callable:
    """Return a step of the student on `batch` labelled and as many unlabelled clips."""
    torch.manual_seed(0)
    method = build("timebalance", profile(px, way.precision, batch, net), 2 * batch)
    given = laid_out(batches(method, 2 * batch, 0, device.type), way)
    method = prepared(method, way, device)
    method.teachers.requires_grad_(way.teachers != "frozen")
    plain = way.teachers != "frozen" or way.passes == "many"
    loss = six_passes(method, given) if plain else lambda: method(**given)["loss"]
    return optimised(method, loss)

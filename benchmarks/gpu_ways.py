"""The steps of pretraining and of the student on a GPU, as the book computes them and otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from gpu_common import batches, build, profile
from gpu_fast import RULES, FastKernels
from torch import Tensor, nn
from torch.nn.functional import batch_norm
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
    fast: tuple[Callable, ...] = ()  # functions that take another form, see gpu_fast.py


OURS = Way()
FAST = {
    "first convolution folded": Way(fast=(torch.conv3d,)),
    "batch norm flat": Way(fast=(batch_norm,)),
    "folded and flat": Way(fast=tuple(RULES)),
}
PRETRAINING = {
    "ours": OURS,
    "losses in loops": Way(losses="loops"),
    "ten forward passes": Way(passes="many"),
    "contiguous memory": Way(contiguous=True),
    "float32 with TF32": Way(precision="fp32"),
    "none of it: ten passes, loops, float32 with TF32, contiguous": Way(
        precision="fp32", contiguous=True, passes="many", losses="loops"
    ),
    "none of it, and float32 without TF32": Way(
        precision="fp32", tf32=False, contiguous=True, passes="many", losses="loops"
    ),
    **FAST,
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
    "none of it, and float32 without TF32": Way(
        precision="fp32", tf32=False, contiguous=True, passes="many", teachers="with gradients"
    ),
    **FAST,
}
LARGER = {"ours": OURS, **FAST}
LATER = {  # slow to begin with, so measured after the others
    "torch.compile": Way(compiled=True),
    "cuDNN tries its algorithms": Way(tuned=True),
    "folded and flat, torch.compile": Way(fast=tuple(RULES), compiled=True),
}


def prepared(method: nn.Module, way: Way, device: torch.device) -> nn.Module:
    """Move a method to the GPU in the memory format, precision and form that are asked for."""
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = way.tf32, way.tuned
    layout = torch.contiguous_format if way.contiguous else torch.channels_last_3d
    method = method.to(device).train()
    for module in method.modules():
        if isinstance(module, Backbone):
            module.to(memory_format=layout)
            if way.fast:
                module.layers = quickened(module.layers, {f: RULES[f] for f in way.fast})
    if way.compiled:
        fuse(method, device)
    return method


def quickened(layers: Callable, rules: dict) -> Callable:
    """Let layers take the other form of the functions in `rules`."""

    def forward(x: Tensor) -> Tensor:
        with FastKernels(rules):
            return layers(x)

    return forward


def laid_out(found: dict[str, Batch], way: Way) -> dict[str, Batch]:
    """Lay clips out as the way wants them."""
    if not way.contiguous:
        return found
    return {k: Batch(b.clips.contiguous(), b.label, b.row) for k, b in found.items()}


def pretraining(
    way: Way, batch: int, device: torch.device
) -> tuple[nn.Module, Callable[[], Tensor]]:
    """Return the joint method and its loss on a batch: ten clips of 16 frames a video."""
    torch.manual_seed(0)
    method = build("joint", profile(112, way.precision, batch), batch)
    given = laid_out(batches(method, batch, 0, device.type), way)
    method, clips, o = prepared(method, way, device), given["videos"].clips, method.options
    loss_of = vectorised if way.losses == "one Gram matrix" else looped
    embed = method.embeddings if way.passes == "few" else ten_passes(method)
    weights = (o.weight_ic, o.weight_ll, o.weight_gl)
    return method, lambda: loss_of(*embed(clips), weights)


def pretraining_step(way: Way, batch: int, device: torch.device) -> Callable[[], None]:
    """Return a training step of the joint method."""
    return optimised(*pretraining(way, batch, device))


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

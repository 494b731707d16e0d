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
from tblib.models.fast import RULES


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
    own: tuple[str, ...] = ()  # which layers of FORMS keep torch's own form


FORMS = ("first convolution", "batch norm")
OURS = Way()
OWN = Way(own=FORMS)
LAYERS = {f"{form} in torch's form": Way(own=(form,)) for form in FORMS}
LAYERS["all layers in torch's form"] = OWN
PRETRAINING = {
    "ours": OURS,
    "losses in loops": Way(losses="loops"),
    "ten forward passes": Way(passes="many"),
    "contiguous memory, all layers in torch's form": Way(contiguous=True, own=FORMS),
    "float32 with TF32": Way(precision="fp32"),
    "none of it: ten passes, loops, float32 with TF32, contiguous": Way(
        precision="fp32", contiguous=True, passes="many", losses="loops"
    ),
    "none of it, and float32 without TF32": Way(
        precision="fp32", tf32=False, contiguous=True, passes="many", losses="loops"
    ),
    **LAYERS,
}
STUDENT = {
    "ours": OURS,
    "teachers with gradients, six passes": Way(teachers="with gradients"),
    "six forward passes": Way(passes="many"),
    "contiguous memory, all layers in torch's form": Way(contiguous=True, own=FORMS),
    "float32 with TF32": Way(precision="fp32"),
    "none of it: gradients, six passes, float32 with TF32, contiguous": Way(
        precision="fp32", contiguous=True, passes="many", teachers="with gradients"
    ),
    "none of it, and float32 without TF32": Way(
        precision="fp32", tf32=False, contiguous=True, passes="many", teachers="with gradients"
    ),
    **LAYERS,
}
LARGER = {"ours": OURS, **LAYERS, "torch.compile": Way(compiled=True)}
LATER = {  # slow to begin with, so measured after the others
    "torch.compile": Way(compiled=True),
    "cuDNN tries its algorithms": Way(tuned=True),
    "torch.compile, all layers in torch's form": Way(compiled=True, own=FORMS),
}


def prepared(method: nn.Module, way: Way, device: torch.device) -> nn.Module:
    """Move a method to the GPU in the memory format, precision and form that are asked for."""
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = way.tf32, way.tuned
    layout = torch.contiguous_format if way.contiguous else torch.channels_last_3d
    method = method.to(device).train()
    for module in method.modules():
        if isinstance(module, Backbone):
            module.to(memory_format=layout)
            module.rules = rules(way.own)
    if way.compiled:
        fuse(method, device)
    return method


def rules(own: tuple[str, ...]) -> dict[Callable, Callable]:
    """Return the forms of layers that a way uses, without those that keep torch's own."""
    return {
        f: rule for form, (f, rule) in zip(FORMS, RULES.items(), strict=True) if form not in own
    }


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
    method, clips = prepared(method, way, device), given["videos"].clips
    loss_of = vectorised if way.losses == "one Gram matrix" else looped
    embed = method.embeddings if way.passes == "few" else ten_passes(method)
    weights = tuple(method.weights.values())
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

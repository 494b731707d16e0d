"""The steps of pretraining and of the student on a GPU, as the book computes them and otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from gpu_common import batches, build, profile
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax
from training import looped, vectorised

from tblib.data.loader import Batch
from tblib.models import Backbone, fuse, pool, time_slots


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


def optimised(method: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """Return a training step."""
    optimiser = torch.optim.AdamW(method.learner.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        optimiser.step()

    return step


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


def ten_passes(method: nn.Module) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Return a function that encodes every view by itself, as the official code does."""
    learner, slots = method.learner, method.options.slots

    def embed(clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, u, v = [], [], []
        for clip in clips[:2]:
            features = learner.backbone(clip)
            parts = time_slots(features, slots)
            z.append(learner.head(pool(features)))
            u.append(torch.stack([learner.head(parts[:, k]) for k in range(slots)], 1))
        for clip in clips[2:]:
            v.append(learner.head(pool(learner.backbone(clip))))
        local = torch.stack([torch.stack(v[:slots], 1), torch.stack(v[slots:], 1)])
        return torch.stack(z), torch.stack(u), local

    return embed


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


def six_passes(method: nn.Module, given: dict[str, Batch]) -> Callable[[], Tensor]:
    """Return the student's loss as the official code computes it, one pool after the other."""
    o = method.options

    def loss() -> Tensor:
        total: Tensor | float = 0.0
        weights = {"labelled": o.weight_labelled, "unlabelled": o.weight_unlabelled}
        for name, weight in weights.items():
            batch = given[name]
            q, s = method.learner(batch.clips[0]), method.score[batch.row][:, None]
            p, r = (softmax(teacher(batch.clips[0]), 1) for teacher in method.teachers)
            distance = (softmax(q, 1) - s * p - (1 - s) * r).square().sum(1).mean()
            total = total + weight * distance
            if name == "labelled":
                total = total + cross_entropy(q, batch.label)
        return total

    return loss

"""How fast are training steps? Pretraining and student against the straightforward formulation.

Naive pretraining: ten forward passes, one NT-Xent call per pair of clips and per video, contiguous
memory.  Naive student: six forward passes, teachers that record gradients, contiguous memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from common import Report, parser
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from tblib.data.loader import Batch
from tblib.lesson.timing import compare
from tblib.methods import losses, registry
from tblib.methods.semi import TimeBalance
from tblib.models import Classifier, backbone, pool, time_slots
from tblib.settings.config import Profile

TAU = 0.1


def looped(z: Tensor, u: Tensor, v: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """The three losses as they are written down: a call per pair of clips, a call per video."""
    _, b, s, _ = v.shape
    clips = [v[view, :, k] for view in range(2) for k in range(s)]
    ic = losses.nt_xent(z[0], z[1], TAU)
    ic = ic + sum(losses.nt_xent(a, c, TAU) for a, c in itertools.permutations(clips, 2)) / s
    ll = sum(losses.nt_xent(v[0, i], v[1, i], TAU) for i in range(b)) / b
    target, terms = torch.arange(s, device=z.device), []
    for view, other, i in itertools.product(range(2), range(2), range(b)):
        logits = u[view, i] @ v[other, i].T / TAU
        terms += [cross_entropy(logits, target), cross_entropy(logits.T, target)]
    return weights[0] * ic + weights[1] * ll + weights[2] * torch.stack(terms).mean()


def vectorised(z: Tensor, u: Tensor, v: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """The same by `tblib.methods.losses`."""
    parts = (
        losses.instance_contrast(z, v, TAU),
        losses.local_local(v, TAU),
        losses.global_local(u, v, TAU),
    )
    return sum(w * part for w, part in zip(weights, parts, strict=True))


def loss_steps(b: int, s: int = 4, d: int = 128) -> dict:
    """Return both versions of the losses, forwards and backwards, after checking they agree."""
    torch.manual_seed(0)
    tensors = [torch.randn(2, b, d), torch.randn(2, b, s, d), torch.randn(2, b, s, d)]
    tensors = [torch.nn.functional.normalize(t, dim=-1).requires_grad_() for t in tensors]
    a, c = (f(*tensors, (1, 1, 1)) for f in (looped, vectorised))
    torch.testing.assert_close(a, c, rtol=1e-4, atol=1e-4)
    return {
        "losses in loops": lambda _: looped(*tensors, (1, 1, 1)).backward(),
        "losses by one Gram matrix (tblib)": lambda _: vectorised(*tensors, (1, 1, 1)).backward(),
    }


def optimised(method, loss_of):
    """Return a training step."""
    optimiser = torch.optim.AdamW(method.learner.parameters(), fused=True)

    def step(_: int = 0) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss_of().backward()
        optimiser.step()

    return step


def ten_passes(method: nn.Module) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Return a function that encodes every view by itself, as the official code does."""
    learner, slots = method.learner, method.slots

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


def pretraining_steps(b: int, px: int) -> dict:
    """Return steps of the joint method on random clips."""
    profile = Profile(name="bench", data={"crop_px": px, "cache_px": px}, pretrain={"batch": b})
    clips = torch.rand(10, b, 8, px, px, 3).movedim(-1, 2)
    ours, naive = (registry.fresh("joint", profile) for _ in range(2))
    naive.to(memory_format=torch.contiguous_format)
    plain, embed = clips.contiguous(), ten_passes(naive)
    weights = tuple(naive.weights.values())
    batch = Batch(clips, torch.zeros(b), torch.zeros(b))
    return {
        "ten passes, losses in loops, contiguous": optimised(
            naive, lambda: looped(*embed(plain), weights)
        ),
        "two passes, one Gram matrix, channels last (tblib)": optimised(
            ours, lambda: ours(batch)["loss"]
        ),
    }


def six_passes(method: nn.Module, given: dict[str, Batch]) -> Callable[[], Tensor]:
    """Return the student's loss as the official code computes it, one pool after the other."""

    def loss() -> Tensor:
        total: Tensor | float = 0.0
        weights = {"labelled": method.weight_labelled, "unlabelled": method.weight_unlabelled}
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


def student_steps(b: int, px: int, classes: int = 10) -> dict:
    """Return steps of the student on random clips; the naive one trains through its teachers."""
    shape = (1, b, 8, px, px, 3)
    batches = [
        Batch(torch.rand(shape).movedim(-1, 2), torch.arange(b) % classes, torch.arange(b))
        for _ in range(2)
    ]

    def method() -> TimeBalance:
        student, *teachers = (Classifier(backbone("tiny_r3d"), classes) for _ in range(3))
        return TimeBalance(student, teachers, torch.rand(b)).train()

    ours, naive = method(), method()
    naive.to(memory_format=torch.contiguous_format).teachers.requires_grad_(True)
    plain = {
        name: Batch(b.clips.contiguous(), b.label, b.row)
        for name, b in zip(("labelled", "unlabelled"), batches, strict=True)
    }
    return {
        "teachers with gradients, six passes, contiguous": optimised(
            naive, six_passes(naive, plain)
        ),
        "teachers without, four passes, channels last (tblib)": optimised(
            ours, lambda: ours(*batches)["loss"]
        ),
    }


def main() -> None:
    """Measure the losses alone, then whole steps."""
    options = parser(__doc__)
    options.add_argument("--px", type=int, default=32)
    options.add_argument("--batch", type=int, default=8, help="videos per pretraining step")
    o = options.parse_args()
    report = Report(o.rounds)
    report.gains("losses alone, batch 40, float32", compare(loss_steps(40), o.rounds), 1, "step")
    title = f"pretraining step, tiny_r3d, batch {o.batch}, {o.px} px, float32"
    report.gains(title, compare(pretraining_steps(o.batch, o.px), o.rounds), 1, "step")
    title = f"student step, tiny_r3d, 16 + 16 clips, {o.px} px, float32"
    report.gains(title, compare(student_steps(16, o.px), o.rounds), 1, "step")
    if o.record:
        report.write("training")


if __name__ == "__main__":
    main()

"""What pseudo-label and consistency methods share: equations, ramps, one pass for several batches.

B clips, K classes, τ a threshold on probabilities.  Means go over all clips, also over those that a
threshold leaves out: few confident clips then weigh little, as they should.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax
from torch.nn.modules.batchnorm import _BatchNorm

from ..engine.distributed import gather
from ..engine.truth import Guesses

NEVER = 2.0  # a threshold that no probability reaches


def masked_cross_entropy(logits: Tensor, label: Tensor, used: Tensor) -> Tensor:
    """Cross-entropy with guessed labels, eq. :eq:`eq-pseudo`: the mean over all clips.

    Args:
        logits: `[B, K]`.
        label: classes `[B]`.
        used: which of them count, booleans `[B]`, or weights.

    Returns:
        Scalar, exactly 0 where none is used.
    """
    return (cross_entropy(logits, label, reduction="none") * used).mean()


def guesses(stream: str, p: Tensor, tau: float | Tensor) -> Guesses:
    """Take the most probable class of every clip for its label, and use it if p ≥ τ.

    Args:
        stream: name of the clips' stream.
        p: probabilities `[B, K]`; no gradient flows into them.
        tau: threshold, one or one for each class `[K]`.
    """
    most, label = p.detach().max(1)
    return Guesses(stream, label, most >= (tau[label] if isinstance(tau, Tensor) else tau))


def negative_cross_entropy(logits: Tensor, not_these: Tensor) -> Tensor:
    """Learn what clips are not, eq. :eq:`eq-negative`.

    Args:
        logits: `[B, K]`.
        not_these: classes that a clip is not, booleans `[B, K]`.

    Returns:
        Mean over the clips that have such classes; 0 if none has.
    """
    count = not_these.sum(1)
    other = (1 - softmax(logits, dim=1)).clamp(1e-7, 1).log()
    each = -(other * not_these).sum(1) / count.clamp(min=1)
    return each.sum() / (count > 0).sum().clamp(min=1)


def balanced(label: Tensor, uncertainty: Tensor, used: Tensor, classes: int, least: int) -> Tensor:
    """Keep as many of each class as of the rarest one, the most certain, but at least `least`.

    Args:
        label: guessed classes `[B]`.
        uncertainty: `[B]`.
        used: which guesses are chosen so far, booleans `[B]`.

    Returns:
        Booleans `[B]`.
    """
    count = torch.bincount(label[used], minlength=classes)
    most = max(least, int(count.min()))
    key = uncertainty + 1e-9 * torch.arange(len(label), device=label.device)  # ties by place
    before = (label == label[:, None]) & used & (key < key[:, None])
    return used & (before.sum(1) < most)


def linear_ramp(step: int, steps: int, share: float) -> float:
    """Rise from 0 to 1 over the first `share` of the steps; 1 throughout if that is 0."""
    return min(step / (share * steps), 1.0) if share > 0 else 1.0


def sigmoid_ramp(step: int, steps: int, share: float) -> float:
    """Rise as exp(−5 (1 − t)²) over the first `share` of the steps, from 0.0067 to 1.

    Source: official code of Tarvainen and Valpola, NeurIPS 2017.
    """
    return math.exp(-5 * (1 - linear_ramp(step, steps, share)) ** 2)


@contextmanager
def unrecorded(network: nn.Module) -> Iterator[None]:
    """Let batch norm use the statistics of its batches without keeping them for later."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def together(network: nn.Module, *clips: Tensor) -> tuple[Tensor, ...]:
    """Pass several batches at once, so that batch norm sees them as one.

    Args:
        clips: each `[B, 3, T, H, W]`, with a B of its own.

    Returns:
        Logits `[B, K]` for each, of all processes.
    """
    logits = network(torch.cat(clips)).split([len(part) for part in clips])
    return tuple(map(gather, logits))

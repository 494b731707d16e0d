"""Every equation of the method as a pure function of tensors.

Embeddings are unit vectors, τ is the temperature, B videos, S time slots, D dimensions, K classes.
Contrastive losses are cross-entropies over cosine similarities, so log(number of candidates) is
their value for features that know nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, kl_div, log_softmax


def nt_xent(z0: Tensor, z1: Tensor, tau: float) -> Tensor:
    """NT-Xent, eq. :eq:`eq-nt-xent`: row i of one view must find row i of the other among 2B − 1.

    Args:
        z0, z1: `[..., B, D]` unit vectors of two views; leading dimensions are separate problems.
        tau: temperature, > 0.

    Returns:
        Scalar, mean over all rows of all problems; log(2B − 1) for features that are all equal.
    """
    z = torch.cat([z0, z1], dim=-2)  # [..., 2B, D]
    n = z.shape[-2]
    logits = (z @ z.transpose(-1, -2) / tau).masked_fill(
        torch.eye(n, dtype=torch.bool, device=z.device), -math.inf
    )
    positive = torch.arange(n, device=z.device).roll(n // 2)
    return cross_entropy(logits.reshape(-1, n), positive.expand(logits.shape[:-1]).reshape(-1))


def instance_contrast(z: Tensor, v: Tensor, tau: float) -> Tensor:
    """Instance contrastive (temporally invariant) loss L_IC, eq. :eq:`eq-instance`.

    Clips of one video attract whatever their time; only clips of other videos repel.  One Gram
    matrix replaces the 2S(2S − 1) separate NT-Xent calls of the definition.

    Args:
        z: `[2, B, D]`, the global clip in two views.
        v: `[2, B, S, D]`, the S local clips in two views.
        tau: temperature, > 0.

    Source: paper, section A3: NTX(z_0, z_1) + 1/S times the sum over ordered pairs of local clips.
    """
    blocks = v.transpose(1, 2).flatten(0, 1)  # [M, B, D] with M = 2S
    m, b, _ = blocks.shape
    gram = torch.einsum("mid,njd->mnij", blocks, blocks) / tau  # [M, M, B, B]
    same = torch.eye(b, dtype=torch.bool, device=v.device)
    others = (
        gram.diagonal(dim1=0, dim2=1).permute(2, 0, 1).masked_fill(same, -math.inf).logsumexp(-1)
    )  # [M, B]
    rows = torch.logaddexp(gram.logsumexp(-1), others[:, None]) - gram.diagonal(
        dim1=2, dim2=3
    )  # [M, M, B]
    between = ~torch.eye(m, dtype=torch.bool, device=v.device)
    return nt_xent(z[0], z[1], tau) + rows.mean(-1)[between].sum() / v.shape[2]


def local_local(v: Tensor, tau: float) -> Tensor:
    """Local–local distinctive loss L_LL, eq. :eq:`eq-local-local`: times of one video repel.

    Inside each video, a local clip must find the same time in the other view among the 2S − 1
    other clips of that video.  Other videos take no part.

    Args:
        v: `[2, B, S, D]`, the S local clips in two views.

    Returns:
        Mean over videos (the official code sums over the batch; see *What we changed*).
    """
    return nt_xent(v[0], v[1], tau)


def global_local(u: Tensor, v: Tensor, tau: float) -> Tensor:
    """Global–local distinctive loss L_GL, eq. :eq:`eq-global-local`.

    Slot k of the long clip must match local clip k of the same video and not the others, in both
    directions and for all four pairings of views.

    Args:
        u: `[2, B, S, D]`, the slots of the global clip in two views.
        v: `[2, B, S, D]`, the local clips in two views.

    Returns:
        Mean cross-entropy; log S for features that are all equal.
    """
    logits = torch.einsum("aikd,bild->abikl", u, v) / tau  # [2, 2, B, S, S]
    s = logits.shape[-1]
    target = torch.arange(s, device=u.device).expand(logits.shape[:-1]).reshape(-1)
    forward = cross_entropy(logits.reshape(-1, s), target)
    return (forward + cross_entropy(logits.mT.reshape(-1, s), target)) / 2


def squared_distance(q: Tensor, p: Tensor) -> Tensor:
    """Distillation loss, eq. :eq:`eq-distance`: squared error of probabilities, mean over clips.

    Args:
        q: student probabilities `[B, K]`.
        p: target probabilities `[B, K]`; no gradient flows into them.

    Returns:
        Scalar in [0, 2]: a sum, not a mean, over classes, so its weight does not depend on K.
    """
    return (q - p.detach()).square().sum(dim=1).mean()


def kl_distance(logits: Tensor, p: Tensor) -> Tensor:
    """Kullback–Leibler divergence KL(p ‖ student), mean over clips: the alternative distillation.

    Args:
        logits: student logits `[B, K]`.
        p: target probabilities `[B, K]`; no gradient flows into them.
    """
    return kl_div(log_softmax(logits, dim=1), p.detach(), reduction="batchmean")


def alignment(own: Tensor, other: Tensor) -> Tensor:
    """One minus the cosine over channels, eq. :eq:`eq-alignment`, of every clip.

    Args:
        own, other: maps `[B, D, T, H, W]`; no gradient flows into the other.

    Returns:
        Means over positions `[B]`, in [0, 2].
    """
    return 1 - cosine_similarity(own, other.detach(), dim=1).mean((1, 2, 3))


def cross_contrast(z: Tensor, z_other: Tensor, tau: float) -> Tensor:
    """InfoNCE both ways, eq. :eq:`eq-cross`: row i of one must find row i of the other among B.

    Args:
        z, z_other: unit vectors `[B, D]`.

    Returns:
        Mean of both ways; log B for features that are all equal.
    """
    logits, target = z @ z_other.T / tau, torch.arange(len(z), device=z.device)
    return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2

"""Temporal similarity: how alike the clips of a video are, and what that does to the teachers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import ConfigError, did_you_mean

MAPS = ("rank", "minmax", "logistic", "identity")


def similarity_matrix(h: Tensor) -> Tensor:
    """Cosine similarity of all clips of each video.

    Args:
        h: `[..., n, D]` features of n clips.

    Returns:
        `[..., n, n]` in [−1, 1] with ones on the diagonal.
    """
    h = normalize(h, dim=-1)
    return h @ h.transpose(-1, -2)


def raw_similarity(h: Tensor) -> Tensor:
    """Average over pairs of different clips, eq. :eq:`eq-similarity`: `[..., n, D]` to `[...]`.

    A video whose clips all look alike has 1.
    """
    matrix = similarity_matrix(h)
    n = matrix.shape[-1]
    return (matrix.sum(dim=(-1, -2)) - matrix.diagonal(dim1=-1, dim2=-2).sum(-1)) / (n * (n - 1))


def fit_map(pool: Tensor, kind: str, temperature: float = 1.0) -> Callable[[Tensor], Tensor]:
    """Fit the map from raw similarity to s in [0, 1] on the training pool.

    Raw similarities occupy a narrow band, so without a map the mixture is one teacher.

    Args:
        pool: raw similarities `[N]` of training videos.
        kind: `rank` (share of the pool that is less similar), `minmax` (linear between the 1st and
            99th percentile, clipped), `logistic` (of the distance to the median in half quartile
            ranges) or `identity` (clipped at 0 and 1).
        temperature: of `logistic`: 0.1 is nearly a switch between the teachers, 10 nearly 0.5.

    Raises:
        ConfigError: the kind is unknown.
    """
    ordered = pool.sort().values
    if kind == "rank":
        return lambda raw: _rank(ordered, raw)
    if kind == "minmax":
        low, high = ordered.quantile(torch.tensor([0.01, 0.99], dtype=ordered.dtype))
        return lambda raw: ((raw - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    if kind == "logistic":
        quartiles = ordered.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=ordered.dtype))
        width = ((quartiles[2] - quartiles[0]) / 2).clamp_min(1e-12) * temperature
        return lambda raw: torch.sigmoid((raw - quartiles[1]) / width)
    if kind == "identity":
        return lambda raw: raw.clamp(0, 1)
    raise ConfigError(f"similarity.map {kind!r} is unknown; {did_you_mean(kind, MAPS)}.")


def _rank(ordered: Tensor, raw: Tensor) -> Tensor:
    """Empirical distribution function, ties counted half."""
    below = torch.searchsorted(ordered, raw, right=False)
    upto = torch.searchsorted(ordered, raw, right=True)
    return (below + upto).to(raw.dtype) / (2 * len(ordered))


def mix(p_inv: Tensor, p_dist: Tensor, s: Tensor) -> Tensor:
    """Mix the teachers, eq. :eq:`eq-mixture`: p = s · p_inv + (1 − s) · p_dist.

    Args:
        p_inv, p_dist: probabilities `[..., K]`.
        s: similarity scores in [0, 1], one per leading index.
    """
    s = s.unsqueeze(-1).to(p_inv.dtype)
    return s * p_inv + (1 - s) * p_dist


def best_constant(p_inv: Tensor, p_dist: Tensor, label: Tensor) -> float:
    """Find the one weight for all videos that makes the most accurate mixture.

    The mean of s would not do as a control: under the map `rank` it is one half, the average.

    Args:
        p_inv, p_dist: probabilities `[N, K]` on videos that are never tested on.
        label: their classes `[N]`.

    Returns:
        A weight of p_inv out of 0, 0.1, …, 1; among equally good ones the nearest to one half,
        the smaller of two.
    """
    weights = sorted((k / 10 for k in range(11)), key=lambda w: (abs(w - 0.5), w))
    hits = [
        (mix(p_inv, p_dist, torch.full((len(label),), w)).argmax(-1) == label).sum().item()
        for w in weights
    ]
    return weights[hits.index(max(hits))]


def controls(s: Tensor, oracle: Tensor, constant: float, seed: int) -> dict[str, Tensor]:
    """Scores that the measured s must beat if it carries information about the video.

    Args:
        s: the measured scores `[N]`.
        oracle: the best weights known from outside, `[N]`, e.g. 1 for persistent videos.
        constant: one weight in [0, 1] for all videos, see `best_constant`.
        seed: of the shuffling.

    Returns:
        One score `[N]` per name: single teachers, plain average, the constant, s of another video,
        inverted s, and the oracle.
    """
    order = torch.randperm(len(s), generator=torch.Generator().manual_seed(seed))
    return {
        "reweighted": s,
        "invariant_only": torch.ones_like(s),
        "distinctive_only": torch.zeros_like(s),
        "average": torch.full_like(s, 0.5),
        "constant": torch.full_like(s, constant),
        "shuffled": s[order],
        "inverted": 1 - s,
        "oracle": oracle,
    }

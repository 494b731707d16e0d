"""A moving average of a network's weights: a teacher, or what is kept in the end."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn


def decay_at(step: int, steps: int, decay: float, span: float) -> float:
    """Share of the old average that stays at a step, α of eq. :eq:`eq-average`.

    It begins at 0, so that the first weights are forgotten, and looks back over `span` of the
    training at most: 0.999, right for a million steps, would never arrive in some hundred.

    Args:
        step: counted from 0, of `steps`.
        decay: largest value, in [0, 1).
        span: share of the training, in (0, 1]; ours.

    Source: official code of Tarvainen and Valpola, NeurIPS 2017, for the start.
    """
    return min(decay, 1 - 1 / (step + 1), max(1 - 1 / (span * steps), 0.0))


def cosine_decay(step: int, steps: int, decay: float) -> float:
    """Share of the old average that stays at a step, eq. :eq:`eq-cosine-decay`: rises to 1.

    Args:
        step: counted from 0, of `steps`.
        decay: at step 0, in [0, 1].

    Source: official code of Feichtenhofer et al., CVPR 2021.
    """
    return 1 - (1 - decay) * (1 + math.cos(math.pi * step / steps)) / 2


class Average(nn.Module):
    """The average of a network that is trained, eq. :eq:`eq-average`; never has a gradient.

    The running statistics of batch norm are averaged like weights, and counts are copied.  It is
    always in eval mode, so it classifies by these statistics, as in testing, and its clips change
    none.  The official code of mean teachers keeps both networks in training mode.

    Args:
        network: what is followed.
        decay, span: see `decay_at`.
    """

    def __init__(self, network: nn.Module, decay: float = 0.999, span: float = 0.05):
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay, self.span, self.now = decay, span, 0.0

    def train(self, mode: bool = True) -> Average:
        """Stay in eval mode."""
        return super().train(False)

    def begin(self, step: int, steps: int) -> None:
        """Set α for the update after this step."""
        self.now = decay_at(step, steps, self.decay, self.span)

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Take a share 1 − α of the network's weights and statistics."""
        pairs = zip(self.network.state_dict().values(), network.state_dict().values(), strict=True)
        for mine, new in pairs:
            if mine.is_floating_point():
                mine.lerp_(new, 1 - self.now)
            else:
                mine.copy_(new)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return what the averaged network says."""
        return self.network(x)

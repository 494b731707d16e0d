"""TACL-style: FixMatch whose strong views change the tempo, with thresholds by class.

L = CE(labelled) + w · mean over both tempos of H_τc(strong | weak) + w_c · d(q₁, q₂) between them,
eq. :eq:`eq-tacl`.  Source: idea of Tong, Tang and Wang, TCSVT 2022.  Its details are not public:
the loss and both weights are inferred, and the thresholds are those of FlexMatch (Zhang et al.,
NeurIPS 2021).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot, softmax

from ...data.loader import Batch, Stream
from ...data.tempo import Tempo
from ...engine.distributed import gather
from ...engine.truth import Guesses
from ...models import Classifier
from ..base import WEAK, Sampling, SemiSupervised
from ..losses import squared_distance
from ..pseudo import guesses, masked_cross_entropy, together

CONSTANT, VARYING = (0.5, 2), (0,)  # tempos: half or twice the speed, and one that changes
AS_IT_IS = (1,)


def class_thresholds(share: Tensor, tau: float) -> Tensor:
    """Thresholds that fall for classes rarely guessed with confidence, eq. :eq:`eq-flexmatch`.

    Args:
        share: of all guesses, how many are confident and of each class, `[K]`, sum at most 1.
        tau: largest threshold.

    Returns:
        Thresholds in [0, τ], `[K]`; all 0 as long as no guess has been confident.

    Source: official code of FlexMatch: convex mapping, with its warm-up.
    """
    rest = 1 - share.sum()
    beta = share / torch.maximum(share.max(), rest).clamp(min=1e-12)
    return tau * beta / (2 - beta)


class TACL(SemiSupervised):
    """A weak view and two strong ones of the same moment, at a constant and at a varying tempo.

    The share of confident guesses by class is a running one, where FlexMatch remembers the last
    guess of each video.  Batch norm sees all clips as one batch.

    Args:
        learner, batch, sampling: see `SemiSupervised`.
        weight: w, multiplies everything unlabelled; 1, ours.
        weight_consistency: w_c, beside w; 1, ours.
        tau: τ, the largest threshold; 0.95 in FlexMatch.
        temporal: whether strong views change the tempo.
        by_class: whether thresholds differ by class.
        momentum: of the running share; ours.
        magnitude: strength of RandAugment in (0, 10]; ours.
    """

    clips_each = (1, 3)

    def __init__(
        self,
        learner: Classifier,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 1.0,
        weight_consistency: float = 1.0,
        tau: float = 0.95,
        temporal: bool = True,
        by_class: bool = True,
        momentum: float = 0.95,
        magnitude: float = 10.0,
    ):
        super().__init__(learner, batch, sampling)
        self.weight, self.weight_consistency, self.tau = weight, weight_consistency, tau
        self.temporal, self.by_class, self.momentum = temporal, by_class, momentum
        self.strong = sampling.strong(magnitude=magnitude)
        self.register_buffer("share", torch.zeros(learner.head.out_features))

    def streams(self) -> dict[str, Stream]:
        """Ask for the clips of `supervised`, and for a weak and two strong ones of one moment."""
        s = self.sampling
        tempos = (CONSTANT, VARYING) if self.temporal else (AS_IT_IS, AS_IT_IS)
        augments = (s.augment(jitter=0.0, erase=0.0), self.strong, self.strong)
        views = Stream("unlabelled", self.batch[1], Tempo(s.frames, s.stride, tempos), augments)
        return super().streams() | {"unlabelled": views}

    def guessed(self, p: Tensor) -> Guesses:
        """Guess by the thresholds so far, then count what is above the largest one."""
        bars = class_thresholds(self.share, self.tau) if self.by_class else self.tau
        guess, confident = guesses("unlabelled", p, bars), guesses("unlabelled", p, self.tau)
        now = one_hot(confident.label, p.shape[1]) * confident.used[:, None]
        self.share.lerp_(now.to(self.share).mean(0), 1 - self.momentum)
        return guess

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor | Guesses]:
        """Return the total loss, its parts, the guesses and the thresholds' range."""
        q_l, weak, *strong = together(self.learner, labelled.clips[0], *unlabelled.clips)
        guess = self.guessed(softmax(weak.detach(), dim=1))
        supervised = cross_entropy(q_l, gather(labelled.label))
        pseudo = sum(masked_cross_entropy(q, guess.label, guess.used) for q in strong) / 2
        first, second = (softmax(q, dim=1) for q in strong)
        consistency = (squared_distance(first, second) + squared_distance(second, first)) / 2
        bars = class_thresholds(self.share, self.tau)
        return {
            "loss": supervised + self.weight * (pseudo + self.weight_consistency * consistency),
            "supervised": supervised,
            "unlabelled": pseudo,
            "consistency": consistency,
            "lowest_threshold": bars.min(),
            "highest_threshold": bars.max(),
            "guess": guess,
        }

"""VideoSemi: labels, confident guesses after a warm-up, and what a frame looks like.

L = CE(labelled) + w_p · 1[t ≥ t_0] · H_δ(x_u | x_u) + w_i · H(p(frame), g(clip)), eq.
:eq:`eq-videosemi`.  Source: Jing et al., WACV 2021 (VideoSSL); their repository has the lists of
videos alone, so δ, the weights and the length of the warm-up are *inferred*, that is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from ...data.loader import Batch
from ...engine.distributed import gather
from ...engine.truth import Guesses
from ...models import Classifier
from ..base import WEAK, Sampling
from ..outside import Guided, soft_cross_entropy
from ..pseudo import guesses, masked_cross_entropy
from ..two_heads import both_heads

NEVER = 2.0  # no probability is as large


class VideoSemi(Guided):
    """One view, a threshold, a warm-up, and an image network; no average.

    The guess comes from the very view that it is the label of.  Batch norm sees labelled and
    unlabelled clips as one batch.

    Args:
        learner, teacher, batch, sampling: see `Guided`.
        weight_pseudo, weight_image: w_p and w_i; a weight of 0 switches a term off.
        tau: δ.
        warm: share of the training without guesses, t_0/T, in [0, 1].
    """

    def __init__(
        self,
        learner: Classifier,
        teacher: nn.Module,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight_pseudo: float = 1.0,
        weight_image: float = 1.0,
        tau: float = 0.95,
        warm: float = 0.3,
        **options: int,
    ):
        super().__init__(learner, teacher, batch, sampling, **options)
        self.weight_pseudo, self.weight_image = weight_pseudo, weight_image
        self.tau, self.warm, self.guessing = tau, warm, True

    def begin(self, step: int, steps: int) -> None:
        """Guess once the warm-up is over."""
        super().begin(step, steps)
        self.guessing = step >= self.warm * steps

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor | Guesses]:
        """Return the total loss, its three parts, and the guesses."""
        clips = labelled.clips[0], unlabelled.clips[0]
        (q_l, q_u), told = both_heads(self.learner, *clips)
        tau = self.tau if self.guessing else NEVER
        guess = guesses("unlabelled", softmax(q_u, dim=1), tau)
        supervised = cross_entropy(q_l, gather(labelled.label))
        pseudo = masked_cross_entropy(q_u, guess.label, guess.used)
        image = soft_cross_entropy(torch.cat(told), self.seen(*clips))
        return {
            "loss": supervised + self.weight_pseudo * pseudo + self.weight_image * image,
            "supervised": supervised,
            "unlabelled": pseudo,
            "image": image,
            "guess": guess,
        }

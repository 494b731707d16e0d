"""Pseudo-label: what the network is sure of is its label, in the very view it is sure of.

L = CE(labelled) + w · r(t) · (1/B) Σ 1[max p ≥ τ] · CE(p, arg max p), eq. :eq:`eq-pseudo-label`.
Source: Lee, ICML Workshops 2013; threshold, ramp and average of google-research/fixmatch.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, softmax

from ...data.loader import Batch
from ...engine.distributed import gather
from ...engine.truth import Guesses
from ...models import Classifier
from ..base import WEAK, Sampling, SemiSupervised
from ..pseudo import guesses, linear_ramp, masked_cross_entropy, together


class PseudoLabel(SemiSupervised):
    """One view, a threshold, a ramp, and an average that is kept.

    Batch norm sees labelled and unlabelled clips as one batch.

    Args:
        learner, batch, sampling: see `SemiSupervised`.
        weight: w; 1 in the code.
        tau: τ; 0.95 in the code, which trains a million steps.
        ramp: share of the training over which r(t) rises from 0 to 1; 0.4 in the code.
        decay: of the average; 0.999 in the code.
    """

    def __init__(
        self,
        learner: Classifier,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 1.0,
        tau: float = 0.95,
        ramp: float = 0.4,
        decay: float | None = 0.999,
    ):
        super().__init__(learner, batch, sampling, decay)
        self.weight, self.tau, self.ramp, self.now = weight, tau, ramp, 1.0

    def begin(self, step: int, steps: int) -> None:
        """Set the ramp of the step."""
        super().begin(step, steps)
        self.now = linear_ramp(step, steps, self.ramp)

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor | Guesses]:
        """Return the total loss, its parts, and the guesses."""
        q_l, q_u = together(self.learner, labelled.clips[0], unlabelled.clips[0])
        guess = guesses("unlabelled", softmax(q_u, dim=1), self.tau)
        supervised = cross_entropy(q_l, gather(labelled.label))
        pseudo = masked_cross_entropy(q_u, guess.label, guess.used)
        return {
            "loss": supervised + self.weight * self.now * pseudo,
            "supervised": supervised,
            "unlabelled": pseudo,
            "guess": guess,
        }

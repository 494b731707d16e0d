"""UPS: guesses must be confident and certain under dropout, and say also what a clip is not.

Rounds: a new network learns from labels and from what the last one is sure of, eq. :eq:`eq-ups`.
Source: Rizve et al., ICLR 2021, and their code, which is for images: thresholds, dropout and number
of passes are of that code; dropout before the classifier is ours, as R3D has none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from ...data.loader import Batch
from ...engine.distributed import gather
from ...engine.truth import Guesses
from ...models import Classifier, dropout_passes
from ..base import WEAK, Sampling, SemiSupervised
from ..job import Given
from ..pseudo import balanced, negative_cross_entropy


class UPS(SemiSupervised):
    """Rounds of new networks, four gates on the guesses of the last one, negative labels.

    The last round's network guesses for the very clip that is trained on, over passes with dropout;
    the code guesses once a round for each image.  Balance therefore is by batch.  With several
    processes dropout differs from that of one.

    Args:
        learner: the network of the first round.
        fresh: makes that of each later one.
        batch, sampling: see `SemiSupervised`.
        weight: of guessed positives and negatives, as against labels; 1 in the code.
        weight_negative: of negative learning beside; 1 in the code.
        rounds: 20 in the code.
        tau_p, kappa_p: least probability and largest deviation of a positive.
        tau_n, kappa_n: largest probability and deviation of a negative; τ_n = 0.05 of ten classes
            is scaled with their number.
        temperature: of the probabilities of negatives.
        balance: least number of a class in a batch that is kept, 0 for no balance; 25 in the code,
            which balances over a data set.
        dropout: share of features that is left out.
        passes: with dropout.
    """

    def __init__(
        self,
        learner: Classifier,
        fresh: Callable[[], Classifier],
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 1.0,
        weight_negative: float = 1.0,
        rounds: int = 3,
        tau_p: float = 0.7,
        kappa_p: float = 0.05,
        tau_n: float = 0.05,
        kappa_n: float = 0.005,
        temperature: float = 2.0,
        balance: int = 2,
        dropout: float = 0.3,
        passes: int = 10,
    ):
        super().__init__(learner, batch, sampling)
        learner.dropout.p = dropout
        self.last, self.fresh = copy.deepcopy(learner).requires_grad_(False), fresh
        self.weight, self.weight_negative, self.rounds = weight, weight_negative, rounds
        self.tau_p, self.kappa_p, self.kappa_n = tau_p, kappa_p, kappa_n
        self.tau_n = tau_n * 10 / learner.head.out_features
        self.temperature, self.balance, self.passes = temperature, balance, passes
        self.first = True

    @classmethod
    def networks(cls, given: Given, classes: int) -> tuple[nn.Module, Callable[[], Classifier]]:
        """Return the first network and what makes more, from the weights the job names, if any."""
        fresh = partial(_fresh, given, classes)
        return fresh(), fresh

    def begin(self, step: int, steps: int) -> None:
        """At the start of a round remember the last network and begin a new one."""
        at, _ = self.round_of(step, steps)
        self.first = at == step
        if at == 0 and step > 0:
            self.last.load_state_dict(self.learner.state_dict())
            self.learner.load_state_dict(self.fresh().state_dict())

    def chosen(self, logits: Tensor) -> tuple[Guesses, Tensor]:
        """Return positive guesses and negatives `[B, K]` by logits of passes `[passes, B, K]`."""
        p, flat = softmax(logits, dim=2), softmax(logits / self.temperature, dim=2)
        most, label = p.mean(0).max(1)
        uncertainty = p.std(0).gather(1, label[:, None])[:, 0]
        used = (most >= self.tau_p) & (uncertainty < self.kappa_p)
        if self.balance:
            used = balanced(label, uncertainty, used, p.shape[2], self.balance)
        negative = (flat.mean(0) < self.tau_n) & (flat.std(0) < self.kappa_n)
        negative = negative.scatter(1, label[:, None], False) & ~used[:, None]
        return Guesses("unlabelled", label, used), negative

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor | Guesses]:
        """Return the total loss, its parts, the guesses, and the negatives of a clip."""
        label, nobody = gather(labelled.label), gather(unlabelled.label)
        guess, negative = Guesses("unlabelled", nobody, nobody >= 0), None
        clips, size = labelled.clips[0], len(labelled.label)
        if not self.first:
            passes = dropout_passes(self.last, unlabelled.clips[0], self.passes)
            guess, negative = self.chosen(gather(passes, 1))
            clips = torch.cat([clips, unlabelled.clips[0]])
        logits = self.learner(clips)
        q_l, q_u = gather(logits[:size]), gather(logits[size:]) if not self.first else None
        supervised = cross_entropy(q_l, label)
        loss, zero = supervised, supervised.new_zeros(())
        values = {"positive": zero, "negative": zero, "negatives_each": zero}
        if not self.first:
            number = self.weight * guess.used.sum()
            each = cross_entropy(q_u, guess.label, reduction="none") * guess.used
            loss = (supervised * len(label) + self.weight * each.sum()) / (len(label) + number)
            against = negative_cross_entropy(q_u, negative)
            loss = loss + self.weight * self.weight_negative * against
            share = negative.sum(1).float().mean()
            values = {"positive": each.mean(), "negative": against, "negatives_each": share}
        return {"loss": loss, "supervised": supervised, **values, "guess": guess}


def _fresh(given: Given, classes: int) -> Classifier:
    return Classifier(given.network(), classes)

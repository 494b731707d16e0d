"""TCL: a clip at two frame rates must give one answer, and groups of one guessed class as well.

First L = CE(labelled), then + γ L_I + β L_G, eq. :eq:`eq-tcl`, in the end + w H_τ of the fast clip
alone.  Source: Singh et al., CVPR 2021, and their code; there on segments of TSM, here on two
strides of a clip.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, one_hot, softmax

from ...data.loader import Batch, Stream
from ...data.tempo import TwoRates
from ...engine.distributed import gather
from ...engine.truth import Guesses
from ...models import Classifier
from ..base import WEAK, Sampling, SemiSupervised
from ..losses import nt_xent
from ..pseudo import NEVER, guesses, masked_cross_entropy, together


def instance_contrast(fast: Tensor, slow: Tensor, tau: float) -> Tensor:
    """NT-Xent between class probabilities, eq. :eq:`eq-tcl-instance`: the same video attracts.

    Args:
        fast, slow: probabilities `[B, K]` of the two rates.
    """
    return nt_xent(normalize(fast, dim=1), normalize(slow, dim=1), tau)


def group_contrast(fast: Tensor, slow: Tensor, tau: float) -> Tensor:
    """The same between means over the clips of one guessed class, eq. :eq:`eq-tcl-group`.

    Classes count that are guessed at both rates.

    Args:
        fast, slow: probabilities `[B, K]` of the two rates.

    Returns:
        Scalar; 0 if one class or none is guessed at both rates.
    """
    means, there = [], torch.ones(fast.shape[1], dtype=torch.bool, device=fast.device)
    for p in (fast, slow):
        member = one_hot(p.argmax(1), p.shape[1]).to(p.dtype)  # [B, K]
        count = member.sum(0)
        means.append(member.T @ p / count.clamp(min=1)[:, None])
        there &= count > 0
    if not there.any():
        return slow.sum() * 0.0
    return instance_contrast(means[0][there], means[1][there], tau)


class TCL(SemiSupervised):
    """Two rates, shared weights, weak augmentation, three phases.

    Batch norm sees the clips of a phase as one batch (separate batches in the code).

    Args:
        learner, batch, sampling: see `SemiSupervised`; the code has 3 unlabelled videos for each.
        weight: multiplies everything unlabelled, for ablations.
        gamma, beta: γ and β; 9 and 1 in the code.
        temperature: of both contrasts; 0.5 in the code.
        tau: τ of the last phase; 0.8 in the published recipe.
        warm, last: shares of the training of the first and last phase; 50 of 400 epochs each.
    """

    clips_each = (1, 2)

    def __init__(
        self,
        learner: Classifier,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 1.0,
        gamma: float = 9.0,
        beta: float = 1.0,
        temperature: float = 0.5,
        tau: float = 0.8,
        warm: float = 0.125,
        last: float = 0.125,
    ):
        super().__init__(learner, batch, sampling)
        self.weight, self.gamma, self.beta = weight, gamma, beta
        self.temperature, self.tau, self.warm, self.last = temperature, tau, warm, last
        self.phase = 1

    def streams(self) -> dict[str, Stream]:
        """Ask for the clips of `supervised`, and for unlabelled videos at two rates."""
        s = self.sampling
        rates = Stream("unlabelled", self.batch[1], TwoRates(s.frames, s.stride), s.augment())
        return super().streams() | {"unlabelled": rates}

    def begin(self, step: int, steps: int) -> None:
        """Choose the phase: 0, 1 or 2."""
        self.phase = int(step >= self.warm * steps) + int(step >= (1 - self.last) * steps)

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor | Guesses]:
        """Return the total loss and its parts; those of other phases are 0."""
        clips = (labelled.clips[0], *unlabelled.clips)
        logits = together(self.learner, *clips[: (1, 3, 2)[self.phase]])
        supervised = cross_entropy(logits[0], gather(labelled.label))
        instance = group = pseudo = supervised.new_zeros(())
        unseen = gather(unlabelled.label)  # there is no guess yet
        guess = Guesses("unlabelled", unseen, unseen >= 0)
        if self.phase == 1:
            fast, slow = softmax(logits[1].detach(), dim=1), softmax(logits[2], dim=1)
            instance = instance_contrast(fast, slow, self.temperature)
            group = group_contrast(fast, slow, self.temperature)
        if self.phase > 0:
            bar = self.tau if self.phase == 2 else NEVER
            guess = guesses("unlabelled", softmax(logits[1], dim=1), bar)
            pseudo = masked_cross_entropy(logits[1], guess.label, guess.used)
        return {
            "loss": supervised + self.weight * (self.gamma * instance + self.beta * group + pseudo),
            "supervised": supervised,
            "instance": instance,
            "group": group,
            "unlabelled": pseudo,
            "guess": guess,
        }

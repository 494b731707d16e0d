"""MvPL: frames, flow and temporal gradient of a clip vote for its label; one network learns all.

L = mean over views of CE(labelled) + w · H_τ(strong view | mean of all weak ones), eq.
:eq:`eq-mvpl`.  Source: Xiong et al., ICCV 2021, as re-implemented in the code of Xiao et al. (LTG):
no code of their own is known.  Mean of logits, τ, weights and warm-up are of that code; flow there
is precomputed, here it is dense inverse search, see `data.modality`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softmax

from ...data.augment import Augment
from ...data.loader import Batch, Stream
from ...data.modality import Motion
from ...engine.distributed import gather
from ...engine.truth import Guesses
from ...models import Classifier
from ..base import WEAK, Sampling, SemiSupervised
from ..pseudo import NEVER, guesses, masked_cross_entropy, together, unrecorded


class MvPL(SemiSupervised):
    """Three inputs with shared weights, crops of their own, weak and strong; frames alone at test.

    Batch norm sees one kind of input at a time; for testing it keeps the statistics of frames
    (ours; the code sees all as one batch and measures statistics of frames afterwards).

    Args:
        learner, batch, sampling: see `SemiSupervised`.
        weight: w; 1 in the code.
        tau: τ; 0.3 in the code.
        warm: share of the training before guesses are used; 30 of 240 epochs in the code.
        inputs: `rgb` and any of `flow` and `gradient`, separated by spaces.
        magnitude: strength of RandAugment in (0, 10]; 9 in the code.
    """

    clips_each = (3, 6)

    def __init__(
        self,
        learner: Classifier,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 1.0,
        tau: float = 0.3,
        warm: float = 0.125,
        inputs: str = "rgb flow gradient",
        magnitude: float = 9.0,
    ):
        super().__init__(learner, batch, sampling)
        self.weight, self.tau, self.warm, self.bar = weight, tau, warm, tau
        self.inputs, self.magnitude = inputs.split(), magnitude

    def shown(self, augment: Augment) -> list[Augment | Motion]:
        """Return an augmentation for each input."""
        return [augment if kind == "rgb" else Motion(augment, kind) for kind in self.inputs]

    def streams(self) -> dict[str, Stream]:
        """Ask for every input of each video; of unlabelled ones weak, then strong."""
        look, plain = self.sampling.looks, self.sampling.augment(jitter=0.0, erase=0.0)
        strong = self.shown(self.sampling.strong(magnitude=self.magnitude))
        return {
            "labelled": look("labelled", self.batch[0], *self.shown(self.sampling.augment())),
            "unlabelled": look("unlabelled", self.batch[1], *self.shown(plain), *strong),
        }

    def begin(self, step: int, steps: int) -> None:
        """Use no guesses while it warms up."""
        self.bar = self.tau if step >= self.warm * steps else NEVER

    def passed(self, kind: str, *clips: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of one input; only frames leave statistics."""
        if kind == "rgb":
            return together(self.learner, *clips)
        with unrecorded(self.learner):
            return together(self.learner, *clips)

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor | Guesses]:
        """Return the total loss, its parts, and the guesses."""
        views = len(self.inputs)
        weak, strong = unlabelled.clips[:views], unlabelled.clips[views:]
        clips = zip(self.inputs, labelled.clips, weak, strong, strict=True)
        q_l, q_w, q_s = zip(*[self.passed(*input_) for input_ in clips], strict=True)
        guess = guesses("unlabelled", softmax(torch.stack(q_w).mean(0), dim=1), self.bar)
        label = gather(labelled.label)
        supervised = torch.stack([cross_entropy(q, label) for q in q_l]).mean()
        each = [masked_cross_entropy(q, guess.label, guess.used) for q in q_s]
        pseudo = torch.stack(each).mean()
        return {
            "loss": supervised + self.weight * pseudo,
            "supervised": supervised,
            "unlabelled": pseudo,
            "guess": guess,
        }

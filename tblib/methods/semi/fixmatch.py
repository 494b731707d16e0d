"""FixMatch: a confident guess from the weak view of a clip is the label of its strong view.

L = CE(labelled) + w · (1/B) Σ 1[max p(weak) ≥ τ] · CE(p(strong), arg max p(weak)), eq.
:eq:`eq-fixmatch`.  Source: Sohn et al., NeurIPS 2020, and their code; one draw of RandAugment for
all frames of a clip as in the code of Zou et al. (ActorCutMix).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, softmax

from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...engine.truth import Guesses
from ...models import Classifier
from ..base import WEAK, Sampling, SemiSupervised
from ..pseudo import guesses, masked_cross_entropy, together


class FixMatch(SemiSupervised):
    """Weak and strong views of one moment, a threshold, and an average that is kept.

    Weak is crop and mirror alone; strong adds RandAugment and cutout to a crop of its own.  Batch
    norm sees labelled, weak and strong clips as one batch.  The learning rate falls to zero, in the
    official code to a fifth.

    Args:
        learner, batch, sampling: see `SemiSupervised`.
        weight: w; 1 in the official code.
        tau: τ; 0.95 in the official code, which trains a million steps.  Some hundred steps need a
            lower one.
        decay: of the average; 0.999 in the official code.
        magnitude: strength of RandAugment in (0, 10].
        cutout: largest side of the grey square as a share of the picture, in [0, 1].
    """

    clips_each = (1, 2)

    def __init__(
        self,
        learner: Classifier,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 1.0,
        tau: float = 0.95,
        decay: float | None = 0.999,
        magnitude: float = 10.0,
        cutout: float = 0.5,
    ):
        super().__init__(learner, batch, sampling, decay)
        self.weight, self.tau = weight, tau
        self.weak = sampling.augment(jitter=0.0, erase=0.0)
        self.strong = sampling.strong(magnitude=magnitude, cutout=cutout)

    def streams(self) -> dict[str, Stream]:
        """Ask for the clips of `supervised`, and for weak and strong ones of unlabelled videos."""
        views = self.sampling.looks("unlabelled", self.batch[1], self.weak, self.strong)
        return super().streams() | {"unlabelled": views}

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor | Guesses]:
        """Return the total loss, its parts, and the guesses."""
        q_l, weak, strong = together(self.learner, labelled.clips[0], *unlabelled.clips)
        guess = guesses("unlabelled", softmax(weak, dim=1), self.tau)
        supervised = cross_entropy(q_l, gather(labelled.label))
        pseudo = masked_cross_entropy(strong, guess.label, guess.used)
        return {
            "loss": supervised + self.weight * pseudo,
            "supervised": supervised,
            "unlabelled": pseudo,
            "guess": guess,
        }

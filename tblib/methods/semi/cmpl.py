"""CMPL: two networks of different size label each other's strong views.

L = CE_F + CE_A + w [H_τ(F, strong | A, weak) + H_τ(A, strong | F, weak)], eq. :eq:`eq-cmpl`.
Source: Xu et al., CVPR 2022, whose code is not public: the form of the loss is inferred from the
paper's abstract and later descriptions, τ and w are from memory.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...engine.truth import Guesses
from ...models import Classifier, backbone
from ..base import WEAK, Sampling, SemiSupervised
from ..pseudo import guesses, masked_cross_entropy, together


class CMPL(SemiSupervised):
    """A primary network, which alone is kept, and an auxiliary one of half the width.

    Each has its own batch norm, which sees labelled, weak and strong clips as one batch.

    Args:
        learner: F, the primary network.
        batch, sampling: see `SemiSupervised`.
        auxiliary: A, a classifier or the name of a backbone; it starts at random.
        weight: w; 1, from memory.
        tau: τ; 0.8, from memory.
        magnitude: strength of RandAugment in (0, 10]; ours.
    """

    clips_each = (1, 2)

    def __init__(
        self,
        learner: Classifier,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        auxiliary: Classifier | str = "tiny_r3d_half",
        weight: float = 1.0,
        tau: float = 0.8,
        magnitude: float = 10.0,
    ):
        if isinstance(auxiliary, str):
            net = backbone(auxiliary, learner.backbone.precision)
            auxiliary = Classifier(net, learner.head.out_features)
        nets = nn.ModuleDict({"primary": learner, "auxiliary": auxiliary})
        super().__init__(nets, batch, sampling)
        self.weight, self.tau = weight, tau
        self.strong = sampling.strong(magnitude=magnitude)

    @property
    def classifier(self) -> nn.Module:
        """The primary network."""
        return self.learner["primary"]

    def streams(self) -> dict[str, Stream]:
        """Ask for the clips of `supervised`, and for weak and strong ones of unlabelled videos."""
        weak = self.sampling.augment(jitter=0.0, erase=0.0)
        views = self.sampling.looks("unlabelled", self.batch[1], weak, self.strong)
        return super().streams() | {"unlabelled": views}

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor | Guesses]:
        """Return the total loss, its parts, both guesses, and how often the two networks agree."""
        clips, label = (labelled.clips[0], *unlabelled.clips), gather(labelled.label)
        own, weak, strong = together(self.learner["primary"], *clips)
        own_a, weak_a, strong_a = together(self.learner["auxiliary"], *clips)
        told_a = guesses("unlabelled", softmax(weak, dim=1), self.tau)
        told = guesses("unlabelled", softmax(weak_a, dim=1), self.tau)
        supervised, supervised_a = cross_entropy(own, label), cross_entropy(own_a, label)
        pseudo = masked_cross_entropy(strong, told.label, told.used)
        pseudo_a = masked_cross_entropy(strong_a, told_a.label, told_a.used)
        return {
            "loss": supervised + supervised_a + self.weight * (pseudo + pseudo_a),
            "supervised": supervised,
            "supervised_auxiliary": supervised_a,
            "unlabelled": pseudo,
            "unlabelled_auxiliary": pseudo_a,
            "agreement": (told.label == told_a.label).float().mean(),
            "guess": told,
            "guess_for_auxiliary": told_a,
        }

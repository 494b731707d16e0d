"""LTG, the table's TG-FixMatch: a network of frames learns motion from one of temporal gradients.

L = CE/2 + CE'/2 + w (H_τ/2 + H'_τ/2) + w_a L_A + w_c L_C, the primes for the second network, labels
guessed by both together; eq. :eq:`eq-ltg`.  Source: Xiao et al., CVPR 2022, and their code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize, softmax

from ...data.loader import Batch, Stream
from ...data.modality import Motion
from ...engine.distributed import gather
from ...engine.truth import Guesses
from ...models import Classifier, staged
from ..base import WEAK, Sampling, SemiSupervised
from ..job import Given
from ..losses import alignment, cross_contrast
from ..pseudo import NEVER, guesses, masked_cross_entropy


def projection(dim: int) -> nn.Sequential:
    """Three linear layers with batch norm, the last of it without weights."""
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [nn.Linear(dim, dim, bias=False), nn.BatchNorm1d(dim), nn.ReLU(inplace=True)]
    return nn.Sequential(
        *layers, nn.Linear(dim, dim, bias=False), nn.BatchNorm1d(dim, affine=False)
    )


class LTG(SemiSupervised):
    """Two networks, one of temporal gradients, which are of the same crop and time.

    Batch norm of each sees labelled, weak and strong clips as one batch; the code measures its
    statistics again for testing (PreciseBN), here they are running ones.

    Args:
        learner: the network of frames, which alone is kept.
        gradient: the network of temporal gradients.
        batch, sampling: see `SemiSupervised`.
        weight, weight_alignment, weight_contrast: w, w_a and w_c; 1 in the code.
        weight_labelled: of each of the two cross-entropies; 0.5 in the code, also without labels.
        tau, temperature: 0.3 and, of the contrast, 0.5 in the code.
        warm: share of the training before guesses are used; 30 of 180 epochs in the code.
        stages: how many of the last stages are aligned; all 4 in the code.
        magnitude: strength of RandAugment in (0, 10]; 9 in the code.
    """

    clips_each = (2, 4)

    def __init__(
        self,
        learner: Classifier,
        gradient: Classifier,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        weight: float = 1.0,
        weight_alignment: float = 1.0,
        weight_contrast: float = 1.0,
        weight_labelled: float = 0.5,
        tau: float = 0.3,
        temperature: float = 0.5,
        warm: float = 1 / 6,
        stages: int = 4,
        magnitude: float = 9.0,
    ):
        nets = {"rgb": learner, "gradient": gradient}
        heads = {f"{name}_head": projection(net.backbone.dim) for name, net in nets.items()}
        super().__init__(nn.ModuleDict(nets | heads), batch, sampling)
        self.weight, self.weight_alignment, self.weight_contrast, self.weight_labelled = (
            weight, weight_alignment, weight_contrast, weight_labelled)  # fmt: skip
        self.tau, self.temperature, self.warm, self.bar = tau, temperature, warm, tau
        self.stages, self.strong = stages, sampling.strong(magnitude=magnitude)

    @classmethod
    def networks(cls, given: Given, classes: int) -> tuple[nn.Module, ...]:
        """Return the two classifiers; both start from the weights the job names, if any."""
        return tuple(Classifier(given.network(), classes) for _ in range(2))

    @property
    def classifier(self) -> nn.Module:
        """The network of frames."""
        return self.learner["rgb"]

    def streams(self) -> dict[str, Stream]:
        """Ask for frames and gradients of one crop, of unlabelled videos weak and strong."""
        look, labelled = self.sampling.looks, self.sampling.augment()
        pairs = [
            (augment, Motion(augment, "gradient"))
            for augment in (labelled, self.sampling.augment(jitter=0.0, erase=0.0), self.strong)
        ]
        return {
            "labelled": look("labelled", self.batch[0], *pairs[0], same_crop=True),
            "unlabelled": look("unlabelled", self.batch[1], *pairs[1], *pairs[2], same_crop=True),
        }

    def begin(self, step: int, steps: int) -> None:
        """Use no guesses while it warms up."""
        self.bar = self.tau if step >= self.warm * steps else NEVER

    def passed(self, name: str, labelled: Tensor, weak: Tensor, strong: Tensor) -> tuple:
        """Return logits of the three, and maps and unit embeddings of labelled and weak clips."""
        net, certain = self.learner[name], len(labelled) + len(weak)
        features, maps = staged(net.backbone, torch.cat([labelled, weak, strong]), self.stages)
        pooled = features.mean((2, 3, 4))
        logits = net.head(net.dropout(pooled)).split([len(labelled), len(weak), len(strong)])
        z = gather(normalize(self.learner[f"{name}_head"](pooled[:certain]), dim=1))
        return tuple(map(gather, logits)), [stage[:certain] for stage in maps], z

    def forward(self, labelled: Batch, unlabelled: Batch) -> dict[str, Tensor | Guesses]:
        """Return the total loss, its parts, the guesses, and how often the two agree."""
        (rgb, gradient), looks = labelled.clips, unlabelled.clips
        own, maps, z = self.passed("rgb", rgb, looks[0], looks[2])
        other, maps_other, z_other = self.passed("gradient", gradient, looks[1], looks[3])
        guess = guesses("unlabelled", softmax((own[1] + other[1]) / 2, dim=1), self.bar)
        label = gather(labelled.label)
        supervised = cross_entropy(own[0], label) + cross_entropy(other[0], label)
        pseudo = sum(masked_cross_entropy(q[2], guess.label, guess.used) for q in (own, other))
        stages = zip(maps, maps_other, strict=True)
        align = sum(gather(alignment(a, b)).mean() for a, b in stages)
        contrast = cross_contrast(z, z_other, self.temperature)
        return {
            "loss": self.weight_labelled * supervised
            + self.weight * pseudo / 2
            + self.weight_alignment * align
            + self.weight_contrast * contrast,
            "supervised": supervised,
            "unlabelled": pseudo,
            "alignment": align,
            "contrast": contrast,
            "agreement": (own[1].argmax(1) == other[1].argmax(1)).float().mean(),
            "guess": guess,
        }

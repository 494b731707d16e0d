"""ρMoCo: a clip finds the clips of its video at other times among a queue of older keys.

Source: Feichtenhofer et al., CVPR 2021, see `persistency`, and He et al., *Momentum Contrast*, CVPR
2020: eq. :eq:`eq-rho-moco`.  The queue is sized for hundreds of videos, not for Kinetics, and so it
remembers of which video a key is: those of the asking video repel nobody (ours, *inferred* from the
rule that a queue must be small beside the videos; `same_video` for the official way).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from ...data.loader import Batch
from ...data.table import NO_LABEL
from ...engine.distributed import gather
from ...settings.config import Profile
from .contrast import Encoder
from .persistency import Persistency, others, spread


class RhoMoCo(Persistency):
    """Contrast of clips at ρ times against a queue of keys.

    Args:
        learner, options: see `Persistency`.
        temperature: τ.
        queue: Q, keys that are remembered; 65,536 in the official code.
        same_video: whether keys of the asking video repel, too.
    """

    def __init__(
        self,
        learner: Encoder,
        temperature: float = 0.1,
        queue: int = 512,
        same_video: bool = False,
        **options,
    ):
        super().__init__(learner, **options)
        self.temperature, self.same_video = temperature, same_video
        dim = learner.head.layers[-1].num_features
        self.register_buffer("queue", normalize(torch.randn(queue, dim), dim=1))
        self.register_buffer("owner", torch.full((queue,), NO_LABEL))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))

    @staticmethod
    def own(profile: Profile) -> dict[str, float]:
        """Read the temperature."""
        return {"temperature": profile.pretrain.temperature}

    def forward(self, videos: Batch) -> dict[str, Tensor]:
        """Return the `loss`, the share of keys found, `right`, and the spread of embeddings, `std`.

        The keys of the step join the queue afterwards.
        """
        row = gather(videos.row)
        q, k = map(self.whole, self.embeddings(videos))
        asking, answer = others(q, k)
        same = (row[:, None] == self.owner) & (self.owner != NO_LABEL)  # [B, Q]
        repels = torch.ones_like(same) if self.same_video else ~same
        logits = queue_logits(asking, answer, self.queue, repels, self.temperature)
        self.remember(k.flatten(0, 1), row.repeat(self.rho))
        right = (logits.detach().argmax(-1) == 0).float().mean()
        return {"loss": queue_contrast(logits), "right": right, "std": spread(q)}

    @torch.no_grad()
    def remember(self, keys: Tensor, row: Tensor) -> None:
        """Put keys `[n, D]` of videos `[n]` into the places of the oldest ones."""
        keys, row = keys[-len(self.queue) :], row[-len(self.queue) :]
        place = (self.pointer + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[place], self.owner[place] = keys.to(self.queue), row
        self.pointer.add_(len(keys)).remainder_(len(self.queue))


def queue_logits(q: Tensor, k: Tensor, queue: Tensor, repels: Tensor, tau: float) -> Tensor:
    """Compare clips with their keys and with the queue.

    Args:
        q, k: unit vectors `[P, B, D]` of P pairs of every video; no gradient flows into k.
        queue: unit vectors `[Q, D]`.
        repels: which keys count for which video, booleans `[B, Q]`.
        tau: temperature, > 0.

    Returns:
        Logits `[P, B, 1 + Q]`, the key first.
    """
    positive = (q * k.detach()).sum(-1, keepdim=True)
    negative = (q @ queue.detach().clone().T).masked_fill(~repels, -torch.inf)
    return torch.cat([positive, negative], -1) / tau


def queue_contrast(logits: Tensor) -> Tensor:
    """Loss of ρMoCo, eq. :eq:`eq-rho-moco`: the first of logits `[P, B, 1 + Q]` is right."""
    flat = logits.flatten(0, 1)
    return cross_entropy(flat, torch.zeros(len(flat), dtype=torch.long, device=flat.device))

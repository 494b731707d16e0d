"""ρBYOL: a clip predicts what an averaged encoder says of its video at other times.

Source: Feichtenhofer et al., CVPR 2021, see `persistency`, and Grill et al., *Bootstrap Your Own
Latent*, NeurIPS 2020: eq. :eq:`eq-rho-byol`.  Nobody repels, so that all embeddings could become
one; predictor, average and batch norm prevent it, and `std` in the log shows whether they did.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize

from ...data.loader import Batch
from .contrast import Encoder
from .persistency import Persistency, others, spread


class RhoBYOL(Persistency):
    """Agreement of clips at ρ times through a predictor.

    Args:
        learner, options: see `Persistency`.
        hidden: width of the predictor; 4096 in the official code.
        predictor: whether there is one; without it collapse is expected.
    """

    def __init__(self, learner: Encoder, hidden: int = 512, predictor: bool = True, **options):
        dim = learner.head.layers[-1].num_features
        layers = (nn.Linear(dim, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True),
                  nn.Linear(hidden, dim))  # fmt: skip
        predicting = nn.Sequential(*layers) if predictor else nn.Identity()
        super().__init__(learner, parts={"predictor": predicting}, **options)

    def forward(self, videos: Batch) -> dict[str, Tensor]:
        """Return the `loss` in [0, 4] and the spread of embeddings, `std`: 0 is collapse."""
        q, k = self.embeddings(videos)
        p, z = map(self.whole, (self.learner["predictor"](q), k))
        return {"loss": agreement(*others(p, z)), "std": spread(self.whole(q.detach()))}


def agreement(p: Tensor, z: Tensor) -> Tensor:
    """Loss of ρBYOL, eq. :eq:`eq-rho-byol`: squared distance of unit vectors, 2 − 2 cos.

    Args:
        p: predictions `[..., D]` of any length.
        z: targets `[..., D]` of any length; no gradient flows into them.

    Returns:
        Scalar in [0, 4]; the official code leaves out the 2.
    """
    cosine = (normalize(p, dim=-1) * normalize(z.detach(), dim=-1)).sum(-1)
    return (2 - 2 * cosine).mean()

"""One training as data: its method, and what it is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .. import reprs
from ..errors import MissingStage
from ..models import Backbone, starting_backbone
from ..settings.config import Profile


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        name: folder of the result under `ckpt/`.
        method: its name in `registry.METHODS`.
        init: model whose weights it starts from ("" = random): the whole encoder in pretraining,
            the backbone otherwise.
        teachers: finished classifiers it learns from; of `timebalance` the invariant one first.
        score: column of `similarity.csv` that `timebalance` mixes with.
        options: arguments of the method that replace what the profile says, such as
            `{"distance": "kl"}`: how an ablation differs.
        watch: how often the accuracy on test videos is noted during training, for its curve; the
            training does not depend on it and nothing is selected by it.
        steps: length.
        seed: of every batch; with the name also of the first weights, see `weights_seed`.
    """

    name: str
    method: str
    steps: int
    seed: int
    init: str = ""
    teachers: tuple[str, ...] = ()
    score: str = ""
    options: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()
    watch: int = 0

    def __post_init__(self) -> None:
        """Keep the options as sorted pairs: a job can be a key, and is the same after JSON."""
        pairs = sorted((name, value) for name, value in dict(self.options).items())
        object.__setattr__(self, "options", tuple(pairs))
        object.__setattr__(self, "teachers", tuple(self.teachers))

    def __repr__(self) -> str:
        return reprs.call(self)

    @property
    def weights_seed(self) -> int:
        """Seed of the first weights and of whatever else the method draws before it trains.

        Two trainings of one seed see the same batches but begin with other weights: f_I and f_D
        are two networks, as in the paper, not one that was taught twice.
        """
        text = f"weights of {self.name} {self.seed}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])

    @property
    def needs(self) -> tuple[str, ...]:
        """Models that must be finished before this one starts."""
        return tuple(filter(None, (self.init, *self.teachers)))


class Given:
    """What a method may ask for when a job describes it.

    This one knows a profile alone and offers networks with their first weights; a run adds its
    finished models and scores, see `tblib.run.models`.
    """

    def __init__(self, profile: Profile):
        self.profile = profile

    def network(self) -> Backbone:
        """Return a backbone with the weights that the job starts from."""
        return starting_backbone(self.profile.model)

    def encoder(self, whole: nn.Module) -> nn.Module:
        """Return a pretraining's network with the weights of the one that the job starts from."""
        return whole

    def teachers(self, names: tuple[str, ...]) -> tuple[nn.Module, ...]:
        """Return finetuned classifiers by the names of their trainings.

        Raises:
            MissingStage: they are not there.
        """
        raise MissingStage(f"there is no run to take the models {', '.join(names)} from.")

    def score(self, column: str) -> Tensor:
        """Return a score in [0, 1] per row of the video table, `[n]`.

        Raises:
            MissingStage: it is not there.
        """
        raise MissingStage(f"there is no run to take the score {column!r} from.")

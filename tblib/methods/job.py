"""One training as data: its method, and what it is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from .. import reprs


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        name: folder of the result under `ckpt/`.
        method: a name on one of the two shelves, `pretrain.METHODS` and `semi.METHODS`.
        init: model whose weights it starts from ("" = random): the whole encoder in pretraining,
            the backbone otherwise.
        pool: labelled pool of `supervised`.
        teachers: the two finetuned teachers of `timebalance`, invariant first.
        score: column of `similarity.csv` that `timebalance` mixes with.
        distance: distillation loss of `timebalance`.
        distil: clips `timebalance` distils on: `all`, or `unlabelled` only.
        watch: how often the accuracy on test videos is noted during training, for its curve; the
            training does not depend on it and nothing is selected by it.
        steps: length.
        seed: of the initialisation and of every batch.
    """

    name: str
    method: str
    steps: int
    seed: int
    init: str = ""
    pool: str = "labelled"
    teachers: tuple[str, ...] = ()
    score: str = ""
    distance: str = "l2"
    distil: str = "all"
    watch: int = 0

    def __repr__(self) -> str:
        return reprs.call(self)

    @property
    def needs(self) -> tuple[str, ...]:
        """Models that must be finished before this one starts."""
        return tuple(filter(None, (self.init, *self.teachers)))


class Given(Protocol):
    """What a method may ask for when a job describes it: finished models and scores."""

    def teachers(self, names: tuple[str, ...]) -> tuple[nn.Module, ...]:
        """Return finetuned classifiers by the names of their trainings."""

    def score(self, column: str) -> Tensor:
        """Return a score in [0, 1] per row of the video table, `[n]`."""

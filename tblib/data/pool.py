"""The videos of a training: decoded frames, labels, and the role of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import reprs
from ..errors import DataError, did_you_mean
from .cache import FrameCache
from .table import NO_LABEL

POOLS = ("train", "known", "labelled", "unlabelled", "checked", "val", "test")
TRAINED = ("labelled", "unlabelled", "spare")


@dataclass(frozen=True)
class Pool:
    """What the training loop needs to know of the videos."""

    cache: FrameCache
    labels: np.ndarray
    roles: pd.Series

    def __repr__(self) -> str:
        return reprs.pool(self)

    def rows(self, name: str) -> np.ndarray:
        """Rows of a pool.

        `train` is every training video not kept for validation, `known` those of them that have a
        class.  `checked` is what unlabelled videos are measured on, with classes that no training
        sees: the unlabelled videos that have one, or the test videos where none has.

        Raises:
            DataError: the name is none of `POOLS`.
        """
        if name not in POOLS:
            raise DataError(f"pool {name!r} is unknown; {did_you_mean(name, POOLS)}.")
        members = {"train": TRAINED, "known": TRAINED, "checked": ("unlabelled",)}
        rows = np.flatnonzero(self.roles.isin(members.get(name, (name,))))
        if name in ("known", "checked"):
            rows = rows[self.labels[rows] != NO_LABEL]
        return self.rows("test") if name == "checked" and not len(rows) else rows

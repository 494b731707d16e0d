"""The videos of a training: decoded frames, labels, and the role of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import reprs
from ..errors import DataError, did_you_mean
from .cache import FrameCache

POOLS = ("train", "labelled", "unlabelled", "val", "test")


@dataclass(frozen=True)
class Pool:
    """What the training loop needs to know of the videos."""

    cache: FrameCache
    labels: np.ndarray
    roles: pd.Series

    def __repr__(self) -> str:
        return reprs.pool(self)

    def rows(self, name: str) -> np.ndarray:
        """Rows of a pool: `train` is every training video not kept for validation.

        Raises:
            DataError: the name is none of train, labelled, unlabelled, val, test.
        """
        members = {"train": ("labelled", "unlabelled", "spare")}.get(name, (name,))
        if name not in POOLS:
            raise DataError(f"pool {name!r} is unknown; {did_you_mean(name, POOLS)}.")
        return np.flatnonzero(self.roles.isin(members))

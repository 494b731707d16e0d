"""Can these settings be trained on these videos?  Asked by chapter 1 and `plan` before any work."""

from __future__ import annotations

import pandas as pd

from ..errors import ConfigError
from . import datasets, splits
from .pool import TRAINED


def check(profile) -> tuple[str, ...]:
    """Refuse settings that the videos cannot bear; return what a user should know about these.

    Raises:
        DataError: the videos are missing or contradict themselves, labels cannot be chosen as
            asked, or no video is unlabelled.
        ConfigError: a batch of different videos is larger than the training part.
    """
    d = profile.data
    if d.dataset == "stickactions" and d.root is None:
        check_table(profile, datasets.foreseen(profile))
        return ()
    videos = datasets.load(profile)
    check_table(profile, videos.table, videos.missing)
    return videos.notes


def check_table(profile, table: pd.DataFrame, missing: tuple[str, ...] = ()) -> pd.Series:
    """Return the role of each video unless something would stop a later chapter; see `check`."""
    d, batch = profile.data, profile.pretrain.batch
    role = splits.roles(table, d.label_fraction, profile.seed, d.val_groups, d.label_list, missing)
    splits.need_unlabelled(role)
    trained = int(role.isin(TRAINED).sum())
    if batch > trained:
        raise ConfigError(
            f"pretrain.batch = {batch} needs as many different videos, but there are {trained} to "
            f"train on; set pretrain.batch to {trained} or less."
        )
    return role

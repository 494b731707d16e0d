"""How many videos and frames a profile is about, also where the videos are not here."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..data import cache, ready, stores
from ..errors import DataError
from ..settings.config import Profile

# Training and test videos, frames a video, width over height, classes: of the published lists.
PUBLISHED = {
    "ucf101": (9537, 3783, 186, 4 / 3, 101),
    "hmdb51": (3570, 1530, 94, 4 / 3, 51),
    "kinetics400": (240_000, 19_800, 263, 4 / 3, 400),
}


@dataclass(frozen=True)
class Videos:
    """How many videos, frames in all, classes and bytes of cache; and how that is known.

    `said` are lines on roles and on how the videos were understood.
    """

    train: int
    test: int
    frames: float
    classes: int
    cache: float
    source: str
    said: tuple[str, ...] = ()


def count_videos(config: Profile) -> Videos:
    """Count the videos of a profile, or take the published numbers where they are not here."""
    from ..data import datasets

    d, s, said = config.data, config.sticks, ()
    if d.dataset == "stickactions" and d.root is None:
        from ..data.stickactions import CLASSES

        said = _roles(config, datasets.foreseen(config))
        classes = len(d.classes or CLASSES)
        train, test = (classes * g * s.clips_per_group for g in (s.train_groups, s.test_groups))
        each, shape, source = (s.frames_min + s.frames_max) / 2, 1.0, "from the settings"
    else:
        try:
            here = datasets.load(config)
        except DataError:
            if d.dataset not in PUBLISHED:
                raise
            train, test, each, shape, every = PUBLISHED[d.dataset]
            classes = len(d.classes or range(every))
            train, test = (round(n * classes / every) for n in (train, test))
            source = "published numbers; the videos are not here"
        else:
            return _count(config, here)
    frames = each * (train + test)
    size = frames * d.cache_px**2 * shape * stores.BYTES_PER_PIXEL[d.cache_format]
    return Videos(train, test, frames, classes, size, source, said)


def _count(config: Profile, here) -> Videos:
    d, paths = config.data, here.table["path"].tolist()
    size = cache.estimate(paths, d.cache_px, d.cache_format)
    parts = here.table["split"].value_counts()
    frames = size / stores.BYTES_PER_PIXEL[d.cache_format] / d.cache_px**2 / (4 / 3)
    said = _roles(config, here.table, here.missing)
    said += tuple(f"note     {note}" for note in here.notes)
    return Videos(parts["train"], parts["test"], frames, len(here.classes), size, "counted", said)


def _roles(config: Profile, table: pd.DataFrame, missing: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Say how many videos have which role; a study has several shares of labels."""
    if config.study is not None:
        return ()
    counts = ready.check_table(config, table, missing).value_counts()
    return ("roles    " + ", ".join(f"{count} {role}" for role, count in counts.items()),)

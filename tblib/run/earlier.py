"""Changing one setting repeats no chapter that does not use it: its results are taken over.

A changed setting makes a run directory of its own.  Chapters that were run in another one, with the
same values of all that they use, count there as well; trained models do if settings, code, videos
and labels are the same (`reuse.digest`).
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import DataError, MissingStage
from ..files import read_json, write_json
from ..methods.job import Job
from ..settings.config import Profile
from ..settings.profiles import runs_home
from .directory import Run, differences, open_run
from .reuse import digest

# Settings each chapter is the first to use; it uses those of the chapters it needs as well.
USES = {
    1: ("seed", "data", "sticks", "pretrain.clip", "pretrain.slots", "pretrain.jitter",
        "pretrain.crop_min"),
    2: ("model", "pretrain", "similarity.clips", "runtime.device", "runtime.threads",
        "runtime.launch", "runtime.compile", "runtime.augment"),
    3: (),
    4: ("finetune", "evaluate", "student.steps"),
    5: ("similarity",),
    6: ("student",),
    7: ("ablation",),
}  # fmt: skip
NEEDS = {2: 1, 3: 2, 4: 2, 5: 4, 6: 5, 7: 6, 8: 1}


def chain(chapter: int) -> list[int]:
    """Return the chapters that a chapter needs, in order."""
    found = []
    while chapter := NEEDS.get(chapter, 0):
        found.insert(0, chapter)
    return found


def changed(config: dict[str, Any], other: dict[str, Any], chapter: int) -> list[str]:
    """Return what differs between two settings in anything a chapter uses, as sentences."""
    used = [name for k in (*chain(chapter), chapter) for name in USES.get(k, ())]
    return [
        said
        for said in differences(other, config)
        if any(f"{said.partition(':')[0]}.".startswith(f"{name}.") for name in used)
    ]


def take_over(config: Profile, folder: Path, chapter: int) -> None:
    """Fill a new run directory with what its chapter needs and another run has; say so in a line.

    Nothing happens where the directory was begun, or where no other run has the same profile.

    Raises:
        MissingStage: a needed chapter depends on a changed setting; says which, and the command.
    """
    if chapter == 1 or (folder / "config.json").is_file() or folder.parent != runs_home():
        return
    donors = [path for path in _like(config) if path != folder]
    if not donors:
        return
    here = config.model_dump(mode="json")
    usable = {path: _usable(path, here) for path in donors}
    best = max(donors, key=lambda path: len(usable[path]))
    if missing := [k for k in chain(chapter) if k not in usable[best]]:
        raise MissingStage(_what_to_do(config, best, here, chapter, missing))
    _copy(config, folder, best, usable[best])
    said = "; ".join(differences(_settings(best), here)[:3])
    chapters = ", ".join(map(str, usable[best]))
    print(f"chapters taken over from {best.name}, where they are the same: {chapters} ({said})")


def _like(config: Profile) -> list[Path]:
    """Return the run directories of the same profile, the plain one first."""
    found = []
    for note in sorted(runs_home().glob(f"{config.name}*/config.json")):
        with suppress(ValidationError, DataError):  # of an older version, or damaged: no donor
            if _settings(note.parent)["name"] == config.name:
                found.append(note.parent)
    return found


def _settings(donor: Path) -> dict[str, Any]:
    """Return the settings of a run; one that was added since has its default."""
    return Profile.model_validate(read_json(donor / "config.json")).model_dump(mode="json")


def _usable(donor: Path, here: dict[str, Any]) -> list[int]:
    """Return the chapters of a run whose results hold with other settings."""
    there = _settings(donor)
    now = Profile.model_validate(there).digest()
    cards = {k: donor / "cards" / f"{k:02d}.json" for k in USES}
    left = {k: [card, donor / "metrics" / card.name] for k, card in cards.items()}
    left[5].append(donor / "similarity.csv")
    run = [k for k, files in left.items() if all(path.is_file() for path in files)]
    run = [k for k in run if read_json(cards[k])["config"] == now]
    return [k for k in run if not changed(here, there, k)]


def _what_to_do(config: Profile, donor: Path, here: dict, chapter: int, missing: list[int]) -> str:
    there = _settings(donor)
    told = changed(here, there, missing[-1])
    has = f"others ({'; '.join(told[:3])})" if told else "not all of them as they are now"
    numbers = " ".join(map(str, missing))
    return (
        f"chapter {chapter} needs chapters {numbers} with these settings, and {donor.name} has "
        f"{has}; run `python -m tblib run {numbers} --profile {config.name} --seed "
        f"{config.seed}{set_options(config, there)}` once, then this cell again."
    )


def set_options(config: Profile, there: dict[str, Any]) -> str:
    """Write the settings that differ as the command line takes them."""
    here = config.model_dump(mode="json")
    names = [said.partition(":")[0] for said in differences(there, here)]
    values = {name: reduce(dict.__getitem__, name.split("."), here) for name in names}
    return "".join(f" --set {name}={json.dumps(value)}" for name, value in values.items()
                   if name != "seed")  # fmt: skip


def _copy(config: Profile, folder: Path, donor: Path, chapters: list[int]) -> None:
    """Copy results, scores and models; the directory counts as begun when all is there."""
    for k in chapters:
        name = f"{k:02d}.json"
        write_json(folder / "metrics" / name, read_json(donor / "metrics" / name))
        card = read_json(donor / "cards" / name)
        taken = {"config": config.digest(), "taken_from": donor.name}
        write_json(folder / "cards" / name, card | taken)
    if 5 in chapters:
        shutil.copy(donor / "similarity.csv", folder)
    run, models = Run(config, folder.resolve(), chapters[-1]), Run(config, donor, 1).models
    jobs = {name: Job(**_tuples(card["job"])) for name, card in models.items()}
    for name in sorted(jobs, key=lambda name: _depth(jobs, name)):
        try:
            same = digest(run, jobs[name]) == models[name]["digest"]
        except MissingStage:
            continue  # it was made from a model that is another one here
        if same:
            shutil.copytree(donor / "ckpt" / name, folder / "ckpt" / name, dirs_exist_ok=True)
    open_run(config, folder, 1)


def _tuples(job: dict[str, Any]) -> dict[str, Any]:
    return job | {"teachers": tuple(job["teachers"])}


def _depth(jobs: dict[str, Job], name: str) -> int:
    """Return how many trainings a training comes after."""
    return max((1 + _depth(jobs, need) for need in jobs[name].needs if need in jobs), default=0)

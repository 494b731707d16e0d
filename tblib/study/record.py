"""Collect a study's measurements into one file, as far as the study has come."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import MissingStage
from ..files import read_json, write_json
from ..methods.job import Job
from ..run.cards import run_card, without_paths
from ..run.directory import Run, open_run
from ..run.reuse import digest, training_code
from ..settings.config import Profile
from . import grid, marks
from .conduct import every_unit, unit_config, unit_folder
from .reading import RESULTS
from .scoring import definitions, scores_are_present
from .work import untrained_job

NOTES = ("raw", "scores", "constant", "summary")  # files of a unit that measure no cell
GROUPS = ("combinations", "initialisations")  # groups that bring pretrainings of their own


def record(config: Profile, folder: Path, results: Path = RESULTS) -> Path:
    """Write `results/study/<profile>.json` from every unit that has a finished cell.

    Raises:
        MissingStage: nothing of the study is finished yet.
    """
    units, run = [], None
    for seed, fraction in every_unit(config):
        place = unit_folder(folder, seed, fraction)
        if not (found := _measurements(place)):
            continue
        unit = open_run(unit_config(config, seed, fraction), place, 2)
        if cells := _present(unit, found, _cells(unit.config)):
            run, first = unit, fraction == config.study.fractions[0]
            units.append(_unit(run, found, cells, first))
    if run is None:
        raise MissingStage(
            f"{folder} holds no finished cell of the study {config.name!r}; run "
            f"`make reproduce PROFILE={config.name}` first."
        )
    return write_json(results / f"{config.name}.json", _head(config, run) | {"units": units})


def settings(config: Profile) -> dict[str, Any]:
    """Return a profile as it is recorded."""
    return without_paths(config.model_dump(mode="json"))


def _head(config: Profile, run: Run) -> dict[str, Any]:
    """Say what the study is about: settings, classes, test videos."""
    test = run.pool.rows("test")
    return {
        "kind": "study",
        "name": config.name,
        "title": config.title,
        "dataset": config.data.dataset,
        "config": settings(config),
        "classes": list(run.videos.classes),
        "families": run.families,
        "test": {
            "video": run.videos.table.video.iloc[test].tolist(),
            "label": run.pool.labels[test].tolist(),
            "group": run.videos.table.group.iloc[test].tolist(),
        },
    }


def study_code(config: Profile) -> dict[str, Any]:
    """Return the fingerprints of the code behind all that a study's profile asks for.

    Returns:
        `training_code`, and `measuring_code` by what is measured, as run cards have them.
    """
    groups, backbone = ("bound", "main", *config.study.groups), config.model.backbone
    asked = [cell.job for group in groups for cell in grid.cells(config, group)]
    asked += [job for group in groups for job in grid.pretrainings(config, group)]
    return {
        "training_code": training_code(backbone, sorted({job.method for job in asked})),
        "measuring_code": {m: marks.measuring_code(m, backbone) for m in marks.MEASURES},
    }


def is_of_earlier_code(recorded: dict[str, Any]) -> bool:
    """Say whether any unit of a record was trained or measured by other code than the present."""
    try:
        present = study_code(Profile.model_validate(recorded["config"]))
    except ValueError:  # settings that are no more
        return True
    return any(not present.items() <= unit["card"].items() for unit in recorded["units"])


def _measurements(place: Path) -> dict[str, dict]:
    """Read what the workers left in a unit's folder, by name; a kill may leave half a `.part`."""
    paths = sorted((place / "study").glob("[!.]*.json"))
    paths = [path for path in paths if path.stem not in NOTES]
    return {path.stem: read_json(path) for path in paths}


def _cells(unit: Profile) -> dict[str, Job]:
    """Name every training that a unit may hold under the name of its cell."""
    groups = ("bound", "main", *unit.study.groups)
    return {cell.name: cell.job for group in groups for cell in grid.cells(unit, group)}


def _present(run: Run, found: dict, jobs: dict[str, Job]) -> dict[str, dict]:
    """Keep measurements made with the present code, settings and inputs, and only those."""
    present, scored = {}, scores_are_present(run)
    for name, job in jobs.items():
        if name not in found or (job.score and not scored):
            continue
        with suppress(MissingStage):  # what it was made from is being trained again
            now = {"digest": digest(run, job), "measured": marks.measured(run, job)}
            if now.items() <= found[name].items():
                present[name] = {k: v for k, v in found[name].items() if k not in now}
    return present


def _summary(run: Run) -> dict[str, Any]:
    """Read what was asked of s(v) in a unit, if teachers and scores are still the same."""
    path = run.dir / "study" / "summary.json"
    summary = read_json(path) if path.is_file() else {}
    with suppress(MissingStage, FileNotFoundError):
        made_from = summary.pop("inputs", None)
        if summary and made_from == marks.summarised(run, definitions(run.config)):
            return summary
    return {"similarity": {}, "mixed": {}, "s": [], "constant": None}


def _unit(run: Run, found: dict, cells: dict, first: bool) -> dict[str, Any]:
    """Describe one seed and fraction; pretrainings are listed where they were made."""
    jobs = {job.name: job for g in ("main", *GROUPS) for job in grid.pretrainings(run.config, g)}
    jobs["ssl_untrained"] = untrained_job(run.config)
    measured = _present(run, found, jobs) if first else {}
    seconds = sum(cell["seconds"] for cell in [*cells.values(), *measured.values()])
    card = run_card(run.config, 0, time.time(), run.device)
    card |= {"seconds": round(seconds, 1)} | study_code(run.config)
    return {
        "seed": run.config.seed,
        "fraction": run.config.data.label_fraction,
        "labelled": len(run.pool.rows("labelled")),
        "card": card,
        "pretraining": {name.removeprefix("ssl_"): value for name, value in measured.items()},
        "cells": cells,
        **_summary(run),
    }

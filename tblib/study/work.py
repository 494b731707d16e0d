"""What one worker does for a study: train and test a cell, probe a pretraining.

Every function leaves one JSON file under `<unit>/study/` and returns at once if that file already
describes the same model, measured in the same way.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ..engine import checkpoint, evaluate, stopping
from ..engine.loop import read_log
from ..files import read_json, write_json
from ..methods import registry, reweight
from ..methods.job import Job
from ..methods.pretrain.clip_order import order_accuracy
from ..methods.semi import METHODS as CLASSIFIERS
from ..run.directory import Run, open_run
from ..run.features import features, time_retrieval
from ..run.jobs import CURVE_CLIPS, train_job
from ..run.launch import train_shared
from ..run.models import predict
from ..run.reuse import digest, watched
from ..settings.config import Profile
from . import compact, marks


@lru_cache(maxsize=4)
def _run(config: str, folder: Path) -> Run:
    """Open a unit once per worker."""
    return open_run(Profile.model_validate_json(config), folder, 2)


def unit(config: Profile, folder: Path) -> Run:
    """Open the run directory of one seed and fraction."""
    return _run(config.model_dump_json(), folder)


def bits(right: np.ndarray) -> str:
    """Write one character per video: 1 where it is classified right."""
    return "".join("01"[int(r)] for r in right)


def train(config: Profile, folder: Path, name: str, job: Job) -> None:
    """Train one job unless it is finished, then test or probe it."""
    run = unit(config, folder)
    path = folder / "study" / f"{name}.json"
    card, mark = checkpoint.model_card(run.folder(job.name)), digest(run, job)
    if card is None or card["digest"] != mark:
        if config.runtime.launch:
            train_shared(config, folder, 2, job)
        else:
            train_job(config, folder, 2, job, remember=run.device.type == "cpu")
        card = checkpoint.model_card(run.folder(job.name))
        stopping.check()
    marked = {"digest": mark, "measured": marks.measured(run, job)}
    if _describes(path, marked):
        return
    clips = job.steps * registry.clips_per_step(config, job.method)
    found = marked | {"steps": job.steps, "clips": clips, "seconds": card["seconds"]}
    found |= _test(run, job) if job.method in CLASSIFIERS else probe(run, job.name)
    write_json(path, found)


def _describes(path: Path, marked: dict[str, str]) -> bool:
    """Say whether a measurement is there that has these marks of its training and its own."""
    found = read_json(path) if path.is_file() else {}
    return marked.items() <= found.items()


def _test(run: Run, job: Job) -> dict:
    rows = run.pool.rows("test")
    p = predict(run, job.name, rows).numpy()
    found = {"right": bits(p.argmax(1) == run.pool.labels[rows]), "p": compact.pack(p)}
    return found | _curve(run, job)


def _curve(run: Run, job: Job) -> dict:
    """Return the accuracy on the way, if all of it was measured as it would be now."""
    lines = read_log(run.folder(job.name) / "curve.jsonl") if job.watch else []
    if {line.get("measured") for line in lines} != {watched(run)}:
        return {}
    curve = [[line["step"], line["top1"]] for line in lines]
    return {"curve": curve, "curve_clips": CURVE_CLIPS}


def probe(run: Run, name: str) -> dict:
    """Describe a pretraining by its features of test videos; "" is the untrained network.

    The linear and the nearest-neighbour probe see the labels of all training videos: they measure
    the features, not a semi-supervised system.  All questions are put to backbone features, the
    times of a video also to what comes after a projection head, if there is one.
    """
    train, test = run.pool.rows("known"), run.pool.rows("test")
    label = torch.tensor(run.pool.labels)
    n = run.config.similarity.clips
    seen, h = features(run, name, train, 4).mean(1), features(run, name, test, n)
    linear = evaluate.linear_probe(seen, label[train], h.mean(1)) == label[test].numpy()
    nearest = evaluate.knn_probe(seen, label[train], h.mean(1)) == label[test].numpy()
    own = {"order": _order_accuracy(run, name)} if name == "ssl_clip_order" else {}
    if not name or "head.layers.0.weight" in checkpoint.load_weights(run.folder(name)):
        own["retrieval_projected"] = time_retrieval(run, name, test, True).tolist()
    return own | {
        "knn": 100 * nearest.mean(),
        "linear": 100 * linear.mean(),
        "linear_right": bits(linear),
        "retrieval": time_retrieval(run, name, test, False).tolist(),
        "retrieval_space": "backbone",
        "retrieval_chance": 1 / run.config.pretrain.slots,
        "similarity": _rounded(reweight.raw_similarity(h)),
    }


def _order_accuracy(run: Run, name: str) -> float:
    """Ask the pretext question of test videos: orders of three clips, percent; chance is 1/6."""
    method = registry.fresh("clip_order", run.config)
    checkpoint.load_into(method.learner, run.folder(name))
    return order_accuracy(method, run.pool.cache, run.pool.rows("test"), run.device)


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(v, 5) for v in values.tolist()]


def untrained(config: Profile, folder: Path) -> None:
    """Probe the network before any training: what the architecture alone gives."""
    run, path = unit(config, folder), folder / "study" / "ssl_untrained.json"
    mark = digest(run, untrained_job(config))
    marked = {"digest": mark, "measured": marks.probed(run, "")}
    if not _describes(path, marked):
        nothing = marked | {"steps": 0, "clips": 0, "seconds": 0.0}
        write_json(path, nothing | probe(run, ""))


def untrained_job(config: Profile) -> Job:
    """Describe the training that the untrained network did not have."""
    return Job("ssl_untrained", "joint", 0, config.seed)

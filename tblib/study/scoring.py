"""What a worker does for the scores of a study: similarities, scores, and what they know.

Every function leaves its file in the unit's folder; similarities, the slow part, are kept as long
as the pretrainings they come from.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..data import exact
from ..engine import evaluate
from ..errors import MissingStage
from ..files import atomic_write, read_json, write_json
from ..methods import reweight
from ..run.directory import Run
from ..run.features import features
from ..run.models import predict
from ..settings.config import Profile
from . import compact, marks
from .work import unit

FEATURES = ("invariant", "distinctive")
DEFINITIONS = (  # features, space, number of clips
    *(("distinctive", "backbone", n) for n in (4, 8, 16)),
    ("distinctive", "projected", 8),
    ("invariant", "backbone", 8),
    ("invariant", "projected", 8),
)
MAPS = {
    "rank": ("rank", 1.0),
    "minmax": ("minmax", 1.0),
    "identity": ("identity", 1.0),
    "logistic 0.3": ("logistic", 0.3),
    "logistic 1": ("logistic", 1.0),
    "logistic 3": ("logistic", 3.0),
}


def definitions(config: Profile) -> list[tuple[str, str, int]]:
    """List the definitions of s(v) that are compared, the profile's own among them."""
    c = config.similarity
    own = (c.features, "projected" if c.projected else "backbone", c.clips)
    return list(dict.fromkeys([own, *DEFINITIONS]))


def compare(config: Profile, folder: Path) -> None:
    """Compute the raw similarity `[N]` of every video for each definition of s(v)."""
    run = unit(config, folder)
    wanted = definitions(config)
    mark = marks.compared(run, wanted)
    path, note = folder / "study" / "raw.npz", folder / "study" / "raw.json"
    if path.is_file() and note.is_file() and read_json(note) == mark:
        return
    everyone = np.arange(len(run.pool.labels))
    raw = {}
    for name, space, n in wanted:
        h = features(run, f"ssl_{name}", everyone, n, projected=space == "projected")
        raw[f"{name}/{space}/{n}"] = reweight.raw_similarity(h).numpy()
    atomic_write(path, lambda path: _save_arrays(path, raw))
    write_json(note, mark)


def score(config: Profile, folder: Path) -> None:
    """Write `similarity.csv`, the static scores students mix with; both teachers are finished."""
    run = unit(config, folder)
    raw, pool_rows, c = _raw(folder), run.pool.rows("train"), config.similarity

    def fitted(name: str, space: str, n: int) -> torch.Tensor:
        value = raw[f"{name}/{space}/{n}"]
        return reweight.fit_map(value[pool_rows], c.map, c.temperature)(value)

    space = "projected" if c.projected else "backbone"
    s = fitted(c.features, space, c.clips)
    columns = {"raw": raw[f"{c.features}/{space}/{c.clips}"]}
    columns |= reweight.controls(s.float(), _oracle(run), constant(run), config.seed)
    if run.families is None:
        columns.pop("oracle")
    columns["s_invariant"] = fitted("invariant", "backbone", 8)
    columns["s_projected"] = fitted("distinctive", "projected", 8)
    values = {name: value.numpy() for name, value in columns.items()}
    table = pd.DataFrame({"video": run.videos.table.video, **values})
    exact.save(folder / "similarity.csv", table)
    write_json(folder / "study" / "scores.json", marks.scored(run, definitions(config)))


def scores_are_present(run: Run) -> bool:
    """Say whether similarities and scores were made with the present code, settings and models."""
    wanted, raw = definitions(run.config), (run.dir / "study" / "raw.npz").resolve()
    notes = raw.with_suffix(".json"), run.dir / "study" / "scores.json"  # units share similarities
    if not all(path.is_file() for path in (raw, *notes)):
        return False
    with suppress(MissingStage):  # a pretraining is being made again
        present = [marks.compared(run, wanted), marks.scored(run, wanted)]
        return [read_json(path) for path in notes] == present
    return False


def constant(run: Run) -> float:
    """Choose the control's one weight for all videos, on training videos no teacher was trained on.

    These are the validation videos if some are set aside, else the unlabelled ones: like the
    oracle, this control then knows labels that a method has not.  Test videos play no part.
    """
    place = run.dir / "study" / "constant.json"
    made_from = marks.chosen(run)
    known = read_json(place) if place.is_file() else {}
    if known.get("inputs") != made_from:
        kept = run.pool.rows("val")
        rows = kept if len(kept) else run.pool.rows("unlabelled")
        p = [predict(run, f"teacher_{kind}", rows) for kind in FEATURES]
        known = {"weight": reweight.best_constant(*p, torch.tensor(run.pool.labels[rows]))}
        write_json(place, {"inputs": made_from} | known)
    return known["weight"]


def _raw(folder: Path) -> dict[str, torch.Tensor]:
    with np.load(folder / "study" / "raw.npz") as saved:
        return {key: torch.tensor(saved[key]) for key in saved.files}


def _save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _oracle(run: Run) -> torch.Tensor:
    persistent = (run.videos.table.family == "persistent").to_numpy()
    return torch.tensor(persistent, dtype=torch.float32)


def summarise(config: Profile, folder: Path) -> None:
    """Ask of each definition of s(v): does it know the family, and the better teacher?"""
    run = unit(config, folder)
    test = run.pool.rows("test")
    label = torch.tensor(run.pool.labels[test])
    p = [predict(run, f"teacher_{kind}", test) for kind in FEATURES]
    raw = _raw(folder)
    right = [(q.argmax(1) == label).numpy() for q in p]
    persistent = (run.videos.table.family == "persistent").to_numpy()[test]
    found = {}
    for key, value in raw.items():
        for name, (kind, temperature) in MAPS.items():
            s = reweight.fit_map(value[run.pool.rows("train")], kind, temperature)(value[test])
            found[f"{key}/{name}"] = {
                "auc_family": _auc(persistent, s) if run.families else None,
                "auc_advantage": _auc(right[0][right[0] != right[1]], s[right[0] != right[1]]),
                "mixed_top1": evaluate.accuracy(reweight.mix(*p, s), label),
                "mean": float(s.mean()),
            }
    mixed, s = _mixtures(run, p, label)
    summary = {"similarity": found, "mixed": mixed, "s": s, "constant": constant(run)}
    made_from = marks.summarised(run, definitions(config))
    write_json(folder / "study" / "summary.json", {"inputs": made_from} | summary)


def _mixtures(run: Run, p: list[torch.Tensor], label: torch.Tensor) -> tuple[dict, list[float]]:
    """Mix the teachers at test time with every score, and with hindsight (the better one).

    Probabilities and scores are rounded as in the record, so that it can be done again from there.
    """
    test = run.pool.rows("test")
    table = exact.load(run.dir / "similarity.csv").iloc[test]
    table = table.drop(columns=["video", "raw"]).round(4)
    as_recorded = [torch.tensor(compact.rounded(q.numpy())) for q in p]
    mixed = {
        name: evaluate.accuracy(reweight.mix(*as_recorded, torch.tensor(s.to_numpy())), label)
        for name, s in table.items()
    }
    either = torch.stack([q.argmax(1) == label for q in p]).any(0)
    mixed["hindsight"] = 100 * either.float().mean().item()
    return mixed, table["reweighted"].tolist()


def _auc(positive: np.ndarray, value: torch.Tensor) -> float | None:
    if not 0 < positive.sum() < len(positive):
        return None
    from sklearn.metrics import roc_auc_score  # takes a second to import

    return float(roc_auc_score(positive, value.numpy()))

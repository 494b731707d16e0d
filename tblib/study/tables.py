"""The tables of a study: one row per classifier, intervals over seeds, tests against a reference.

Every table has the same columns; for each share of labels, here 5 %:

- `what` (the row that p-values compare with is marked), `seeds` (5 / 3: five at the first share of
  labels, three at the next);
- `5 %`: mean ± half the 95 % interval of top-1 in percent, or – where nothing was measured;
- `5 % p t`, `5 % p permutation`: paired tests against the reference over the seeds both have;
- `paper 5 %`, `paper 20 %`: what the paper prints for UCF101, for the order of rows only;
- `steps` and `clips` of one training; `5 % mean`, `5 % low`, `5 % high` as numbers.

Numbers that do not exist are NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..lesson.paper import ablations
from ..stats import mean_ci, paired_test
from . import grid
from .reading import Study

ABSENT = "–"
Row = tuple[str, str, str]  # what it is, cell, table and row of the paper's ablations ("" if none)


def teachers_by_reweighting(study: Study) -> pd.DataFrame:
    """Which teachers, averaged or reweighted; against the average.  Table A of the paper.

    The paper's students of this table start from random weights, ours from the joint pretraining
    unless the row says otherwise.
    """
    rows = [
        ("labelled only, random start", "scratch", "Aa"),
        ("labelled only, SSL start", "ssl", ""),
        ("student of f_I", "student_invariant_only", "Ab"),
        ("student of f_D", "student_distinctive_only", "Ac"),
        ("student of both, averaged", "student_average", "Ad"),
        ("student of both, reweighted", "student_reweighted", "Ae"),
        ("student of both, averaged, random start", "student_average_scratch", ""),
        ("student of both, reweighted, random start", "student_init_scratch", ""),
    ]
    return _table(study, rows, "student_average")


def teacher_combinations(study: Study) -> pd.DataFrame:
    """Pairs of teachers, averaged; against one of each kind.  Table B of the paper."""
    rows = [
        ("Inv1 + Inv2: invariant and CVRL", "student_inv_inv2", "Ba"),
        ("Dist1 + Dist2: distinctive and transformations", "student_dist_dist2", "Bb"),
        ("Inv1 + Dist1: invariant and distinctive", "student_average", "Bc"),
        ("Inv1 + Dist2: invariant and transformations", "student_inv_dist2", "Bd"),
        ("Inv1 + Inv1: invariant, two seeds", "student_inv_inv_b", ""),
    ]
    return _table(study, rows, "student_average")


def second_pair(study: Study) -> pd.DataFrame:
    """The same question for Inv1 + Dist2, the transformations teacher; against the average."""
    rows = [
        ("student of f_I", "student_invariant_only", ""),
        ("student of transformations", "student_dist2_only", ""),
        ("student of both, averaged", "student_inv_dist2", "Bd"),
        ("student of both, reweighted", "student_inv_dist2_reweighted", ""),
        ("s of other videos (shuffled)", "student_inv_dist2_shuffled", ""),
        ("the true family (oracle)", "student_inv_dist2_oracle", ""),
    ]
    return _table(study, rows, "student_inv_dist2")


def student_initialisations(study: Study) -> pd.DataFrame:
    """Where the reweighted student starts; against the joint pretraining.  Table C of the paper."""
    rows = [
        ("joint (TCLR)", "student_reweighted", "Ca"),
        ("temporal transformations", "student_init_transformations", "Cb"),
        ("CVRL", "student_init_cvrl", "Cc"),
        ("clip order (VCOP)", "student_init_clip_order", "Cd"),
        ("random weights", "student_init_scratch", "Ce"),
    ]
    return _table(study, rows, "student_reweighted")


def score_definitions(study: Study) -> pd.DataFrame:
    """Features that s(v) is computed from; against the default."""
    rows = [
        ("f_D, backbone (default)", "student_reweighted", ""),
        ("f_D, after the projection head", "student_s_projected", ""),
        ("f_I, backbone", "student_s_invariant", ""),
    ]
    return _table(study, rows, "student_reweighted")


def score_controls(study: Study) -> pd.DataFrame:
    """Scores that know nothing, the opposite, or the true family; against s(v)."""
    rows = [
        ("s(v)", "student_reweighted", ""),
        ("none: plain average", "student_average", ""),
        (f"constant: {study.constant}", "student_constant", ""),
        ("s of other videos (shuffled)", "student_shuffled", ""),
        ("1 − s (inverted)", "student_inverted", ""),
        ("the true family (oracle)", "student_oracle", ""),
    ]
    return _table(study, rows, "student_reweighted")


def distillation(study: Study) -> pd.DataFrame:
    """How the student is told, and on which videos; against squared distance on all videos."""
    rows = [
        ("squared distance, all videos", "student_reweighted", ""),
        ("KL divergence, all videos", "student_kl", ""),
        ("squared distance, unlabelled videos only", "student_unlabelled_only", ""),
    ]
    return _table(study, rows, "student_reweighted")


def label_counts(study: Study) -> pd.DataFrame:
    """All shares of labels side by side; against supervised training from the SSL start."""
    rows = [
        ("labelled only, random start", "scratch", ""),
        ("labelled only, SSL start", "ssl", ""),
        ("teacher f_I", "teacher_invariant", ""),
        ("teacher f_D", "teacher_distinctive", ""),
        ("student, averaged", "student_average", ""),
        ("student, reweighted", "student_reweighted", ""),
    ]
    return _table(study, rows, "ssl", study.fractions)


def systems_from_random_weights(study: Study) -> pd.DataFrame:
    """Every semi-supervised system from random weights; against labels alone from the same."""
    return _table(study, _systems("random", "scratch", "timebalance_random"), "scratch")


def systems_from_ssl_weights(study: Study) -> pd.DataFrame:
    """Every semi-supervised system from the joint pretraining; against labels alone from it."""
    return _table(study, _systems("ssl", "ssl", "student_reweighted"), "ssl")


def _systems(start: str, labels_only: str, timebalance: str) -> list[Row]:
    others = [(name.replace("_", " "), f"{name}_{start}", "") for name in grid.systems()]
    return [("labelled only", labels_only, ""), *others, ("TimeBalance", timebalance, "")]


def percent(fraction: float) -> str:
    """Return `5 %` for 0.05, the name of a share of labels in every table."""
    return f"{100 * fraction:g} %"


def _table(
    study: Study, rows: Sequence[Row], reference: str, fractions: Sequence[float] | None = None
) -> pd.DataFrame:
    fractions = study.main if fractions is None else fractions
    return pd.DataFrame([_row(study, row, reference, fractions) for row in rows])


def _row(study: Study, row: Row, reference: str, fractions: Sequence[float]) -> dict[str, Any]:
    what, cell, printed = row
    values = {percent(f): study.top1(cell, f) for f in fractions}
    beside = {percent(f): study.top1(reference, f) for f in fractions}
    counts = [str(len(found)) for found in values.values()]
    intervals = {name: _interval(found) for name, found in values.items()}
    compared = {} if cell == reference else {n: _compared(values[n], beside[n]) for n in values}
    untested = (np.nan, np.nan)
    return {
        "what": f"{what} (reference)" if cell == reference else what,
        "seeds": counts[0] if len(set(counts)) == 1 else " / ".join(counts),
        **{name: _text(*found) for name, found in intervals.items()},
        **{f"{n} p t": compared.get(n, untested)[0] for n in values},
        **{f"{n} p permutation": compared.get(n, untested)[1] for n in values},
        **_paper(printed),
        **_effort(study, cell, fractions),
        **{
            f"{name} {part}": value
            for name, found in intervals.items()
            for part, value in zip(("mean", "low", "high"), found, strict=True)
        },
    }


def _interval(values: pd.Series) -> tuple[float, float, float]:
    return tuple(mean_ci(values)) if len(values) else (np.nan, np.nan, np.nan)


def _compared(values: pd.Series, reference: pd.Series) -> tuple[float, float]:
    """Return both p-values over the seeds that have the two; NaN with fewer than two."""
    pairs = pd.concat([values, reference], axis=1, join="inner")
    if len(pairs) < 2:
        return np.nan, np.nan
    test = paired_test(pairs.iloc[:, 0], pairs.iloc[:, 1])
    return test.p_t, test.p_permutation


def _text(mean: float, low: float, high: float) -> str:
    if np.isnan(mean):
        return ABSENT
    return f"{mean:.1f}" if np.isnan(low) else f"{mean:.1f} ± {(high - low) / 2:.1f}"


def _paper(printed: str) -> dict[str, float]:
    found = ablations().set_index(["table", "row"])
    numbers = found.loc[tuple(printed)] if printed else {}
    return {f"paper {p} %": numbers.get(f"ucf101_{p}", np.nan) for p in (5, 20)}


def _effort(study: Study, cell: str, fractions: Sequence[float]) -> dict[str, float]:
    """Return steps and clips of one training, equal for all seeds by design."""
    trained = [kept for f in fractions for kept in study.cells(cell, f)]
    return {key: trained[0][key] if trained else np.nan for key in ("steps", "clips")}

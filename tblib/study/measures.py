"""The numbers behind the hypotheses: from a study to one value per seed.

Every function here returns, or makes a function that returns, groups of `verdict.Part`; all parts
of a group have to hold together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from .check import decode_bits
from .reading import Study
from .verdict import Between, Part, Rule, above

Groups = list[list[Part]]
Measure = Callable[[Study], Groups]
NOTHING = pd.Series(dtype=float)


def probes_by_family(study: Study) -> Groups:
    """Linear probes of frozen features, invariant minus distinctive, by family."""
    none = np.zeros((0, len(study.label)), dtype=bool)
    found = [study.pretrained(name) for name in ("invariant", "distinctive")]
    frames = [
        pd.DataFrame(study.class_means(f.get("linear_right", none)), _seeds(f, "linear_right"))
        for f in found
    ]
    return [[Part("probe of invariant − distinctive: persistent − phased",
                  _interaction(study, *frames))]]  # fmt: skip


def teachers_by_family(second: str, short: str) -> Measure:
    """The same for finetuned teachers, f_I minus another, at each main share of labels."""

    def measure(study: Study) -> Groups:
        groups = []
        for f in study.main:
            frames = [
                pd.DataFrame(study.per_class(name, f), study.seeds_with(name, f))
                for name in ("teacher_invariant", second)
            ]
            values = _interaction(study, *frames)
            groups.append([Part(f"f_I − {short}: persistent − phased", values, f)])
        return groups

    return measure


def retrieval_difference(study: Study) -> Groups:
    """Share of times found by distinctive minus invariant features, in points."""
    difference = 100 * (_retrieval(study, "distinctive") - _retrieval(study, "invariant"))
    return [[Part("times found: distinctive − invariant", difference.dropna())]]


def retrieval_to_chance(name: str, rule: Rule) -> Measure:
    """Share of times found as a multiple of chance."""

    def measure(study: Study) -> Groups:
        chance = study.pretrained(name).get("retrieval_chance", 1)
        ratio = _retrieval(study, name) / chance
        return [[Part(f"times found by {name} / chance", ratio, rule=rule)]]

    return measure


def score_by_family(study: Study) -> Groups:
    """AUC of s(v) for persistent against phased; s does not depend on labels, so it is one test."""
    s = next((found for f in reversed(study.main) if len(found := study.s(f))), [])
    persistent = _member(study, "persistent")[study.label]
    values = [roc_auc_score(persistent, row) for row in s] if study.families else []
    return [[Part("AUC of s: persistent against phased", _series(values), rule=above(0.8, 0.5))]]


def score_by_teacher(study: Study) -> Groups:
    """AUC of s(v) for videos only f_I gets right against videos only f_D gets right."""
    return [
        [Part("AUC of s: f_I alone right against f_D alone right",
              _series([_advantage(study.unit(f, k)) for k in study.seeds(f)]), f, above(0.5, 0.5))]
        for f in study.main
    ]  # fmt: skip


def students(*pairs: tuple[str, str]) -> Measure:
    """Top-1 of one classifier minus another, seed by seed, at each main share of labels."""

    def measure(study: Study) -> Groups:
        return [
            [
                Part(f"{a} − {b}", (study.top1(a, f) - study.top1(b, f)).dropna(), f)
                for a, b in pairs
            ]
            for f in study.main
        ]

    return measure


def twins(study: Study) -> pd.Series:
    """Top-1 of the student of the constant ½ minus that of the average, in points.

    Their targets are practically the same, so the differences say how far two students of one seed
    lie apart by rounding alone.  Studies whose constant was chosen have none.

    Returns:
        One value per share of labels and seed.
    """
    pair = ("student_constant", "student_average")
    if study.constant != "½ (= average)":
        return NOTHING
    found = [study.top1(pair[0], f) - study.top1(pair[1], f) for f in study.main]
    return pd.concat(found, keys=study.main, names=["labels"]).dropna()


def difficulty(study: Study) -> Groups:
    """Top-1 with all labels, and from scratch at the largest main share; StickActions only."""
    if study.dataset != "stickactions":
        return [[Part("all_labels", NOTHING, 1.0), Part("scratch", NOTHING, study.main[-1])]]
    most = pd.concat([study.top1("all_labels", f) for f in study.fractions] or [NOTHING])
    least = study.top1("scratch", study.main[-1])
    return [[Part("all_labels", most, 1.0, Between(90, 100)),
             Part("scratch", least, study.main[-1], Between(0, 80))]]  # fmt: skip


def _member(study: Study, name: str) -> np.ndarray:
    """Return which classes belong to a family, bool [K]; none where families are unknown."""
    return np.array([family == name for family in study.families or [""] * len(study.classes)])


def _interaction(study: Study, invariant: pd.DataFrame, distinctive: pd.DataFrame) -> pd.Series:
    """Return per seed: gain of invariant, persistent minus phased classes, in points."""
    gain = invariant - distinctive
    persistent, phased = (gain.loc[:, _member(study, n)] for n in ("persistent", "phased"))
    return (persistent.mean(axis=1) - phased.mean(axis=1)).dropna()


def _retrieval(study: Study, name: str) -> pd.Series:
    """Return per seed the share of times found, in [0, 1]: phased videos, or all if unknown.

    Thresholds were declared for features after the projection head, as older records have them.
    """
    found = study.pretrained(name)
    times = found.get("retrieval_projected", found.get("retrieval"))
    if times is None:
        return NOTHING
    asked = _member(study, "phased")[study.label] if study.families else slice(None)
    return pd.Series(times[:, asked].mean(1), found["seeds"])


def _advantage(unit: dict) -> float:
    """Return the AUC of s(v) over videos that one teacher alone gets right; NaN without any."""
    cells = [unit["cells"].get(f"teacher_{kind}") for kind in ("invariant", "distinctive")]
    if not (all(cells) and unit.get("s")):
        return np.nan
    invariant, distinctive = (decode_bits(cell["right"]) for cell in cells)
    alone = invariant != distinctive
    if not 0 < invariant[alone].sum() < alone.sum():
        return np.nan
    return float(roc_auc_score(invariant[alone], np.array(unit["s"])[alone]))


def _seeds(found: dict, key: str) -> np.ndarray:
    return found["seeds"] if key in found else np.array([], dtype=int)


def _series(values: list[float]) -> pd.Series:
    return pd.Series(values, dtype=float)

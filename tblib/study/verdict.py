"""From numbers over seeds to an outcome: supported, not supported, reversed or not measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..stats import Interval, mean_ci, paired_test

LEVEL = 0.05
SUPPORTED, NOT_SUPPORTED = "supported", "not supported"
REVERSED, NOT_MEASURED = "reversed", "not measured"
# A statement of several parts is worth as much as the part that comes first here.
WORST = (NOT_MEASURED, REVERSED, NOT_SUPPORTED, SUPPORTED)
Rule = Callable[[Interval, float], str]


class Finding(NamedTuple):
    """Interval over seeds, two-sided p (NaN where the rule looks at the interval), outcome."""

    interval: Interval
    p: float
    outcome: str


@dataclass(frozen=True)
class Part:
    """One number per seed, and what it has to look like.

    Attributes:
        compared: what the number is.
        values: the numbers, indexed by seed; empty if nothing was measured.
        labels: share of labels it belongs to, in [0, 1]; None if it does not depend on labels.
        rule: interval and p-value to outcome; None asks for a difference above zero.
    """

    compared: str
    values: pd.Series
    labels: float | None = None
    rule: Rule | None = None

    def find(self) -> Finding:
        """Judge the part.  It takes two seeds to tell an effect from the luck of a run."""
        values = self.values.dropna()
        if len(values) < 2:
            mean = float(values.mean()) if len(values) else np.nan
            return Finding(Interval(mean, np.nan, np.nan), np.nan, NOT_MEASURED)
        interval = mean_ci(values)
        p = np.nan if self.rule else p_value(values)
        return Finding(interval, p, (self.rule or positive)(interval, p))


def p_value(differences: Sequence[float]) -> float:
    """Return p of the t-test against zero; of the permutation test where all values are equal."""
    test = paired_test(differences, np.zeros(len(differences)))
    return test.p_permutation if np.isnan(test.p_t) else test.p_t


def positive(interval: Interval, p: float) -> str:
    """Judge a difference: significant and above zero, significant and below, or neither."""
    if not p < LEVEL:
        return NOT_SUPPORTED
    return SUPPORTED if interval.mean > 0 else REVERSED


def above(bound: float, reversed_below: float = -np.inf) -> Rule:
    """Make a rule: the lower end of the interval lies above `bound`."""

    def rule(interval: Interval, p: float) -> str:
        if interval.low > bound:
            return SUPPORTED
        return REVERSED if interval.high < reversed_below else NOT_SUPPORTED

    return rule


def below(bound: float) -> Rule:
    """Make a rule: the upper end lies below `bound`; reversed if the lower end lies above it."""

    def rule(interval: Interval, p: float) -> str:
        if interval.high < bound:
            return SUPPORTED
        return REVERSED if interval.low > bound else NOT_SUPPORTED

    return rule


def mean_between(low: float, high: float) -> Rule:
    """Make a rule: the mean lies between two values, both included."""
    return lambda interval, p: SUPPORTED if low <= interval.mean <= high else NOT_SUPPORTED


def together(findings: Sequence[Finding]) -> str:
    """Return the outcome of a statement all of whose parts have to be supported."""
    return min((finding.outcome for finding in findings), key=WORST.index)


def holm(p: Sequence[float]) -> np.ndarray:
    """Correct p-values for being several (Holm 1979); NaN stays NaN and does not count.

    The i-th smallest of m values is multiplied by m - i + 1, and none may be smaller than the one
    before it.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)[: np.isfinite(p).sum()]  # NaN sorts last
    corrected = np.full(len(p), np.nan)
    steps = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * steps), 1)
    return corrected

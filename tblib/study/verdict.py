"""From numbers over seeds to an outcome: supported, not supported, reversed or not measured.

A study asks many questions, so every p is corrected by Holm over all p of the study before it is
compared with `LEVEL`.  The outcome belongs to a statement, all of whose parts have to hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from scipy import stats

from ..stats import Interval, mean_ci, paired_test

LEVEL = 0.05
SUPPORTED, NOT_SUPPORTED = "supported", "not supported"
REVERSED, NOT_MEASURED = "reversed", "not measured"
# A statement of several parts is worth as much as the part that comes first here.
WORST = (NOT_MEASURED, REVERSED, NOT_SUPPORTED, SUPPORTED)


class Rule(Protocol):
    """What the numbers of a part have to look like."""

    def p(self, values: np.ndarray) -> float:
        """Return the two-sided p of two or more values, NaN if nothing is tested."""

    def outcome(self, mean: float, p: float) -> str:
        """Judge a mean over seeds by its corrected p."""


@dataclass(frozen=True)
class Beyond:
    """The mean lies beyond a bound: above it, or below it if `sign` is −1.

    Attributes:
        bound: has to be passed.
        reversed_at: a mean clearly on the other side of this is reversed; in between is neither.
    """

    bound: float
    reversed_at: float
    sign: int = 1

    def p(self, values: np.ndarray) -> float:
        """Test against the bound that the mean has passed; 1 if it has passed none."""
        mean = values.mean()
        if self.sign * (mean - self.bound) > 0:
            return p_value(values, self.bound)
        passed = self.sign * (mean - self.reversed_at) < 0
        return p_value(values, self.reversed_at) if passed else 1.0

    def outcome(self, mean: float, p: float) -> str:
        """Judge: significant beyond the bound, significant the other way, or neither."""
        if not p < LEVEL:
            return NOT_SUPPORTED
        return SUPPORTED if self.sign * (mean - self.bound) > 0 else REVERSED


@dataclass(frozen=True)
class Between:
    """The mean lies between two values, both included; nothing is tested."""

    low: float
    high: float

    def p(self, values: np.ndarray) -> float:
        """Return NaN."""
        return np.nan

    def outcome(self, mean: float, p: float) -> str:
        """Judge by the mean alone."""
        return SUPPORTED if self.low <= mean <= self.high else NOT_SUPPORTED


POSITIVE = Beyond(0, 0)


def above(bound: float, reversed_below: float = -np.inf) -> Beyond:
    """Make a rule: the mean lies above `bound`, reversed if below `reversed_below`."""
    return Beyond(bound, reversed_below)


def below(bound: float) -> Beyond:
    """Make a rule: the mean lies below `bound`, reversed if above it."""
    return Beyond(bound, bound, -1)


class Finding(NamedTuple):
    """Interval over seeds and two-sided p (NaN: too few seeds, or a rule without a test)."""

    interval: Interval
    p: float


@dataclass(frozen=True)
class Part:
    """One number per seed, and what it has to look like.

    Attributes:
        compared: what the number is.
        values: the numbers, indexed by seed; empty if nothing was measured.
        labels: share of labels it belongs to, in [0, 1]; None if it does not depend on labels.
        rule: what the mean has to look like; a difference above zero unless said otherwise.
    """

    compared: str
    values: pd.Series
    labels: float | None = None
    rule: Rule = POSITIVE

    def find(self) -> Finding:
        """Measure the part.  It takes two seeds to tell an effect from the luck of a run."""
        values = self.values.dropna().to_numpy(dtype=float)
        if len(values) < 2:
            mean = float(values.mean()) if len(values) else np.nan
            return Finding(Interval(mean, np.nan, np.nan), np.nan)
        return Finding(mean_ci(values), self.rule.p(values))

    def outcome(self, found: Finding, corrected: float) -> str:
        """Judge what was found by its corrected p."""
        if self.values.notna().sum() < 2:
            return NOT_MEASURED
        return self.rule.outcome(found.interval.mean, corrected)


def p_value(values: Sequence[float], bound: float = 0.0) -> float:
    """Return p of the t-test against a bound: below 0.05 where the 95 % t interval excludes it.

    Equal differences from zero are tested by sign flips, since few videos make equal numbers
    likely; a share or an AUC that is equal in all runs has a point for an interval, so p is 0 or 1.
    """
    values = np.asarray(values, dtype=float)
    if np.ptp(values) > 1e-12 * max(1.0, np.abs(values).max()):
        return float(stats.ttest_1samp(values, bound).pvalue)
    if bound == 0:
        return paired_test(values, np.zeros(len(values))).p_permutation
    return float(np.isclose(values[0], bound))


def together(outcomes: Sequence[str]) -> str:
    """Return the outcome of a statement all of whose parts have to be supported."""
    return min(outcomes, key=WORST.index)


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

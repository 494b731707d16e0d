"""Few seeds, small test sets: intervals and tests that fit, and when each is the right one.

Two sources of chance must not be confused.  A *seed* changes labels, initialisation and order of
data: ask `mean_ci` and `paired_test`.  A *test set* is a sample of videos: ask `group_interval`,
which says nothing about another training run.  Videos cut from one recording are not independent;
`wilson` and `mcnemar` take them as if they were.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from .errors import DataError
from .randomness import seeded


class Interval(NamedTuple):
    """An estimate with the two ends of its confidence interval, all in the unit of the input."""

    mean: float
    low: float
    high: float


class PairedTest(NamedTuple):
    """Mean difference a - b and its two-sided p-values."""

    difference: float
    p_t: float
    p_permutation: float


class McNemar(NamedTuple):
    """Videos that only a or only b gets right, and the exact two-sided p-value."""

    only_a: int
    only_b: int
    p: float


def mean_ci(values: Sequence[float], level: float = 0.95) -> Interval:
    """Return mean and Student's t interval over seeds.

    Right for: one number per independent run, say the accuracy of five seeds.  Wrong for the
    videos of a test set (use `group_interval`).  With a single value both ends are NaN: one run has
    no spread.

    Raises:
        DataError: no value, a NaN among them, or a level outside (0, 1).
    """
    values = _numbers(values, "values")
    if not 0 < level < 1:
        raise DataError(f"confidence level {level} is not allowed; give one between 0 and 1.")
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, float("nan"), float("nan"))
    reach = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    return Interval(mean, float(mean - reach), float(mean + reach))


def wilson(correct: int, n: int, level: float = 0.95) -> Interval:
    """Return a proportion of correct videos and its Wilson interval, all in [0, 1].

    Right for: one trained model scored on n independent test videos; stays inside [0, 1] also for
    0 or n correct.  Videos cut from one source (a UCF group) are not independent, so the true
    interval is wider: use `group_interval` for them.

    Raises:
        DataError: `correct` is not between 0 and n, or n is 0.
    """
    if n < 1 or not 0 <= correct <= n:
        raise DataError(f"{correct} correct of {n} videos is impossible; allowed: 0 to n, n >= 1.")
    low, high = stats.binomtest(int(correct), int(n)).proportion_ci(level, method="wilson")
    return Interval(correct / n, float(low), float(high))


def group_interval(
    values: Sequence[float], groups: Sequence[Hashable], level: float = 0.95
) -> Interval:
    """Return the mean over test videos and its interval over other draws of whole groups.

    Right for: videos that come in groups of one scene or source, which a model gets right or wrong
    together.  `values` may be right and wrong of one model (True counts 1), or the differences of
    two models video by video.  A cluster bootstrap: 9,999 seeded draws of groups with replacement,
    percentiles of the mean over their videos.  A single group has no spread: both ends are NaN.
    Where all videos agree both ends are the mean, which says little.

    Args:
        values: `[N]`.
        groups: `[N]`, what names the group of each video; a number of its own for each video makes
            it the ordinary bootstrap.

    Raises:
        DataError: no value, a NaN among them, or another number of groups than of values.
    """
    values = _numbers(values, "values")
    if len(values) != len(groups):
        raise DataError(f"{len(values)} values have {len(groups)} groups; give a group for each.")
    mean, (_, member) = float(values.mean()), np.unique(groups, return_inverse=True)
    total, size = np.bincount(member, values), np.bincount(member)
    if len(total) < 2:
        return Interval(mean, float("nan"), float("nan"))
    found = stats.bootstrap(
        (total, size),
        lambda total, size, axis: total.sum(axis) / size.sum(axis),
        paired=True,
        vectorized=True,
        confidence_level=level,
        method="percentile",
        rng=seeded("draws of groups"),
    )
    return Interval(mean, *map(float, found.confidence_interval))


def paired_test(a: Sequence[float], b: Sequence[float]) -> PairedTest:
    """Compare two systems that were run with the same seeds (same labels, same order of data).

    Right for: a[k] and b[k] differ only in the system.  The t-test assumes roughly normal
    differences; the sign-flip permutation test assumes only symmetry and is exact up to 16 pairs
    (beyond, 65536 seeded random flips).  Its smallest possible p is 2/2^n: with 3 seeds nothing
    below 0.25, with 6 nothing below 0.03.  `p_t` is NaN where all differences are equal.

    Raises:
        DataError: fewer than two pairs, unequal lengths or NaN.
    """
    a, b = _numbers(a, "a"), _numbers(b, "b")
    if len(a) != len(b) or len(a) < 2:
        raise DataError(f"{len(a)} and {len(b)} values are no pairs; give two or more pairs.")
    difference = a - b
    constant = np.ptp(difference) <= 1e-12 * max(1.0, np.abs(difference).max())
    p_t = float("nan") if constant else float(stats.ttest_rel(a, b).pvalue)
    flips = stats.permutation_test(
        (difference, np.zeros_like(difference)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=2**16,
        vectorized=True,
        rng=seeded("sign flips"),
    )
    return PairedTest(float(difference.mean()), p_t, float(flips.pvalue))


def mcnemar(correct_a: Sequence[bool], correct_b: Sequence[bool]) -> McNemar:
    """Compare two trained models on the same test videos by those on which they disagree.

    Right for: two models, one test set.  Exact binomial test; videos that both get right or both
    get wrong carry no information.  Says nothing about what another seed would give.  Videos are
    taken as independent: where they come in groups p is too small, see `group_interval` of the
    differences.

    Raises:
        DataError: different numbers of videos.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape:
        raise DataError(f"{a.size} and {b.size} results are not for the same test videos.")
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    discordant = only_a + only_b
    p = float(stats.binomtest(only_a, discordant).pvalue) if discordant else 1.0
    return McNemar(only_a, only_b, p)


def _numbers(values: Sequence[float], name: str) -> np.ndarray:
    array = np.asarray(values, dtype=float).ravel()
    if not len(array) or not np.isfinite(array).all():
        raise DataError(f"{name} must be one or more finite numbers, got {array.tolist()[:8]}.")
    return array

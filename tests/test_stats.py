"""Intervals and tests against closed forms and full enumeration."""

from itertools import product

import numpy as np
import pytest

from tblib.errors import DataError
from tblib.stats import group_interval, mcnemar, mean_ci, paired_test, wilson


def test_t_interval_of_three_seeds_by_hand():
    # t(0.975, 2) = 4.302653, sample deviation 1, so the reach is 4.302653 / sqrt(3)
    interval = mean_ci([1.0, 2.0, 3.0])
    assert interval.mean == 2
    assert interval.high - 2 == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert 2 - interval.low == pytest.approx(interval.high - 2)


def test_lower_level_is_narrower():
    wide, narrow = mean_ci([1, 2, 4, 8], 0.95), mean_ci([1, 2, 4, 8], 0.5)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_one_seed_has_no_interval():
    interval = mean_ci([0.5])
    assert interval.mean == 0.5 and np.isnan(interval.low) and np.isnan(interval.high)


def test_t_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [mean_ci(rng.normal(3, 2, 4)) for _ in range(1000)]
    covered = np.mean([low <= 3 <= high for _, low, high in intervals])
    assert 0.93 < covered < 0.97


@pytest.mark.parametrize("correct, n", [(0, 10), (10, 10), (37, 100), (1, 1)])
def test_wilson_closed_form(correct, n):
    z, p = 1.959963985, correct / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    interval = wilson(correct, n)
    assert interval.mean == p
    assert interval.low == pytest.approx(centre - reach, abs=1e-9)
    assert interval.high == pytest.approx(centre + reach, abs=1e-9)
    assert interval.low >= 0 and interval.high <= 1


def clustered(rng, groups=40, size=5):
    """Right and wrong of videos whose groups have accuracies of their own, one half on average."""
    accuracy = rng.beta(1, 1, groups).repeat(size)
    return rng.random(groups * size) < accuracy, np.arange(groups).repeat(size)


def test_an_interval_over_groups_covers_as_often_as_it_says_where_wilson_does_not():
    rng = np.random.default_rng(0)
    found = [clustered(rng) for _ in range(200)]
    whole = [group_interval(*drawn) for drawn in found]
    single = [wilson(int(right.sum()), len(right)) for right, _ in found]
    covered = [np.mean([i.low <= 0.5 <= i.high for i in kind]) for kind in (whole, single)]
    assert 0.9 < covered[0] < 0.98 and covered[1] < 0.87


def test_groups_of_one_video_are_the_ordinary_bootstrap():
    right = np.arange(400) % 4 == 0
    low, high = group_interval(right, np.arange(400))[1:]
    assert (low, high) == pytest.approx(tuple(wilson(100, 400)[1:]), abs=0.005)


def test_an_interval_over_groups_is_that_of_the_groups_by_hand():
    """Two groups of one value each: means of draws are 0, ½ and 1 with ¼, ½ and ¼."""
    interval = group_interval([0, 0, 1, 1, 1, 1], ["a", "a", "b", "b", "b", "b"])
    assert interval.mean == pytest.approx(2 / 3), "over videos, not over groups"
    assert (interval.low, interval.high) == (0, 1)
    assert group_interval([1, 0, 1], ["a", "b", "b"]) == group_interval([1, 0, 1], [7, 9, 9])


def test_an_interval_over_one_group_or_of_equal_videos():
    assert np.isnan(group_interval([1, 0, 1], ["a"] * 3)[1:]).all()
    assert group_interval([1, 1, 1], ["a", "b", "c"]) == (1, 1, 1)


def enumerated(difference):
    """Two-sided p over all 2^n sign choices."""
    observed = abs(np.sum(difference))
    sums = [abs(np.dot(signs, difference)) for signs in product((-1, 1), repeat=len(difference))]
    return np.mean([total >= observed - 1e-12 for total in sums])


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_permutation_p_equals_enumeration(n):
    rng = np.random.default_rng(n)
    a, b = rng.normal(0.7, 1, n), rng.normal(0, 1, n)
    test = paired_test(a, b)
    assert test.p_permutation == pytest.approx(enumerated(a - b))
    assert test.difference == pytest.approx((a - b).mean())


def test_smallest_p_of_three_seeds_is_a_quarter():
    assert paired_test([10, 11, 12.5], [1, 1, 1]).p_permutation == pytest.approx(0.25)


def test_paired_t_by_hand():
    # differences 1, 2, 3: t = 2 / (1 / sqrt(3)) = 3.4641 on 2 degrees of freedom
    t = 2 * np.sqrt(3)
    by_hand = 1 - t / np.sqrt(2 + t**2)  # closed form of Student's tail for 2 degrees
    assert paired_test([1, 2, 3], [0, 0, 0]).p_t == pytest.approx(by_hand)


def test_equal_systems_do_not_differ():
    test = paired_test([0.3, 0.4, 0.5], [0.3, 0.4, 0.5])
    assert test.difference == 0 and test.p_permutation == 1 and np.isnan(test.p_t)


def test_constant_difference_has_no_t_test():
    test = paired_test([0.4, 0.5, 0.6], [0.3, 0.4, 0.5])
    assert np.isnan(test.p_t) and test.p_permutation == pytest.approx(0.25)


def test_mcnemar_counts_only_disagreement():
    a = [True] * 6 + [False] * 1 + [True] * 50 + [False] * 50
    b = [False] * 6 + [True] * 1 + [True] * 50 + [False] * 50
    test = mcnemar(a, b)
    assert (test.only_a, test.only_b) == (6, 1)
    assert test.p == pytest.approx(2 * (1 + 7) / 2**7)  # binomial tail of 6 or 7 of 7, two sides


def test_mcnemar_without_disagreement():
    assert mcnemar([True, False], [True, False]).p == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: mean_ci([]),
        lambda: mean_ci([1, float("nan")]),
        lambda: mean_ci([1, 2], level=95),
        lambda: wilson(3, 2),
        lambda: wilson(0, 0),
        lambda: group_interval([1, 0], ["a"]),
        lambda: group_interval([], []),
        lambda: paired_test([1, 2], [1]),
        lambda: paired_test([1], [1]),
        lambda: mcnemar([True], [True, False]),
    ],
)
def test_impossible_input_is_named(call):
    with pytest.raises(DataError):
        call()

"""Similarity, its map to [0, 1], the mixture, and the controls."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tblib.errors import ConfigError
from tblib.methods.reweight import (
    best_constant,
    controls,
    fit_map,
    mix,
    raw_similarity,
    similarity_matrix,
)


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def test_the_matrix_equals_the_cosine_of_every_pair():
    h = random(3, 5, 7)
    matrix = similarity_matrix(h)
    for video in range(3):
        for i in range(5):
            for j in range(5):
                a, b = h[video, i].tolist(), h[video, j].tolist()
                dot = sum(x * y for x, y in zip(a, b, strict=True))
                assert matrix[video, i, j].item() == pytest.approx(
                    dot / math.hypot(*a) / math.hypot(*b)
                )


def test_the_score_is_the_mean_of_pairs_of_different_clips():
    h = random(2, 4, 6)
    for video in range(2):
        pairs = [
            similarity_matrix(h)[video, i, j].item() for i in range(4) for j in range(4) if i != j
        ]
        assert raw_similarity(h)[video].item() == pytest.approx(sum(pairs) / 12)


def test_closed_forms_of_the_score():
    assert raw_similarity(random(1, 1, 6).expand(3, 8, 6)).tolist() == pytest.approx([1] * 3)
    assert raw_similarity(torch.eye(5)).item() == pytest.approx(0)
    opposite = torch.tensor([[1.0, 2.0], [-2.0, -4.0]])
    assert raw_similarity(opposite).item() == pytest.approx(-1)
    assert raw_similarity(7 * torch.eye(3) + torch.zeros(3, 3)).item() == pytest.approx(0)


def test_the_score_ignores_length_and_order_of_features():
    h = random(4, 6, 5)
    scaled = h * random(4, 6, 1, seed=1).abs()
    torch.testing.assert_close(raw_similarity(scaled), raw_similarity(h))
    torch.testing.assert_close(raw_similarity(h[:, torch.randperm(6)]), raw_similarity(h))


def test_zero_features_give_finite_scores():
    h = torch.zeros(2, 4, 3)
    h[1, 0] = 1.0
    assert raw_similarity(h).tolist() == [0.0, 0.0]


def test_rank_of_the_pool_is_uniform():
    s = fit_map(random(100), "rank")(random(100))
    expected = (torch.arange(100, dtype=torch.float64) + 0.5) / 100
    torch.testing.assert_close(s.sort().values, expected)


@pytest.mark.parametrize("kind", ["rank", "minmax", "logistic", "identity"])
@given(
    pool=st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=40),
    raw=st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_maps_are_monotone_and_stay_between_zero_and_one(kind, pool, raw):
    raw = torch.tensor(raw).sort().values
    s = fit_map(torch.tensor(pool), kind)(raw)
    assert torch.isfinite(s).all()
    assert 0 <= s.min() <= s.max() <= 1
    assert (s.diff() >= 0).all()


def test_ties_share_the_middle_of_their_ranks():
    score = fit_map(torch.tensor([0.2, 0.5, 0.5, 0.9]), "rank")
    assert score(torch.tensor([0.1, 0.2, 0.5, 0.7, 0.9, 1.0])).tolist() == [
        0,
        0.125,
        0.5,
        0.75,
        0.875,
        1,
    ]
    assert fit_map(torch.full((6,), 0.3), "rank")(torch.tensor([0.3])).item() == 0.5


def test_minmax_is_linear_between_percentiles_and_identity_is_clipped():
    score = fit_map(torch.linspace(0, 1, 101), "minmax")
    assert score(torch.tensor([0.0, 0.01, 0.5, 0.99, 1.0])).tolist() == pytest.approx(
        [0, 0, 0.5, 1, 1]
    )
    plain = fit_map(torch.zeros(3), "identity")
    assert plain(torch.tensor([-0.5, 0.25, 1.5])).tolist() == [0, 0.25, 1]


def test_the_logistic_map_goes_from_a_switch_to_the_average():
    pool, raw = torch.linspace(0, 1, 101), torch.tensor([0.0, 0.5, 1.0])
    assert fit_map(pool, "logistic", 1.0)(torch.tensor([0.75])).item() == pytest.approx(
        1 / (1 + math.exp(-1)), abs=1e-3
    ), "the upper quartile is one half quartile range above the median"
    torch.testing.assert_close(fit_map(pool, "logistic", 1e-3)(raw), torch.tensor([0, 0.5, 1.0]))
    flat = fit_map(pool, "logistic", 1e3)(raw)
    torch.testing.assert_close(flat, torch.full((3,), 0.5), atol=1e-3, rtol=0)


def test_the_map_is_fitted_on_the_pool_alone():
    score = fit_map(torch.tensor([0.1, 0.2, 0.3]), "rank")
    alone = score(torch.tensor([0.25]))
    assert torch.equal(alone, score(torch.tensor([0.25, 0.9, 0.95]))[:1])


def test_an_unknown_map_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean 'rank'"):
        fit_map(torch.rand(3), "ranks")


def test_the_mixture_is_a_distribution_between_the_teachers():
    p_inv, p_dist = random(6, 5).softmax(1), random(6, 5, seed=1).softmax(1)
    s = torch.tensor([0.0, 1.0, 0.5, 0.25, 0.9, 0.1])
    p = mix(p_inv, p_dist, s)
    torch.testing.assert_close(p.sum(1), torch.ones(6, dtype=torch.float64))
    assert torch.equal(p[0], p_dist[0])
    assert torch.equal(p[1], p_inv[1])
    torch.testing.assert_close(p[3], 0.25 * p_inv[3] + 0.75 * p_dist[3])
    clips = mix(p_inv[:, None].expand(6, 3, 5), p_dist[:, None].expand(6, 3, 5), s[:, None])
    torch.testing.assert_close(clips[:, 2], p)


def test_controls_are_what_they_say():
    s, oracle = torch.rand(50), (torch.arange(50) % 2).float()
    found = controls(s, oracle, 0.7, seed=3)
    assert torch.equal(found["reweighted"], s)
    assert found["invariant_only"].unique().tolist() == [1]
    assert found["distinctive_only"].unique().tolist() == [0]
    assert found["average"].unique().tolist() == [0.5]
    assert found["constant"].unique().tolist() == pytest.approx([0.7])
    assert torch.equal(found["shuffled"].sort().values, s.sort().values)
    assert not torch.equal(found["shuffled"], s)
    torch.testing.assert_close(found["inverted"] + s, torch.ones(50))
    assert torch.equal(found["oracle"], oracle)
    again = controls(s, oracle, 0.7, seed=3)
    assert torch.equal(found["shuffled"], again["shuffled"])
    assert not torch.equal(found["shuffled"], controls(s, oracle, 0.7, seed=4)["shuffled"])
    assert all(value.min() >= 0 and value.max() <= 1 for value in found.values())


def torn(threshold, to_inv):
    """A video that is right only for weights of the one teacher above a threshold over one half."""
    b = 1 / (2 * threshold)  # what that teacher gives to the label; the other gives nothing
    one, other = [b, 1 - b], [0.0, 1.0]
    return (one, other) if to_inv else (other, one)


@pytest.mark.parametrize(
    "videos, found",
    [
        ([(0.72, True)], 0.8),  # 0.8 is the first of the grid that is enough
        ([(0.72, False)], 0.2),
        ([(0.72, True), (0.72, False)], 0.2),  # 0.2 and 0.8 both win one: the smaller
        ([(0.72, True), (0.85, True), (0.72, False)], 0.9),
    ],
)
def test_the_best_constant_wins_most_videos_and_is_near_one_half(videos, found):
    p_inv, p_dist = zip(*(torn(*video) for video in videos), strict=True)
    label = torch.zeros(len(videos), dtype=torch.long)
    assert best_constant(torch.tensor(p_inv), torch.tensor(p_dist), label) == found


def test_teachers_that_agree_leave_one_half():
    p = random(6, 5).softmax(1)
    assert best_constant(p, p, p.argmax(1)) == 0.5
    assert best_constant(p, p, (p.argmax(1) + 1) % 5) == 0.5, "nothing to win"

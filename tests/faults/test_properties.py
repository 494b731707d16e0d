"""What holds for all inputs: indices, plans of batches, and the invariances of the losses."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from tblib.data.clips import (
    ClipPair,
    ClipTuple,
    RandomClip,
    SparseDense,
    Transformed,
    UniformClips,
    forth_and_back,
    mirror,
)
from tblib.data.loader import rows_of_step
from tblib.methods import losses, reweight

quick = settings(max_examples=25, deadline=None)
LENGTHS, SEEDS = st.integers(1, 500), st.integers(0, 2**31 - 1)
FRAMES, STRIDES = st.integers(4, 32), st.integers(1, 8)
SAMPLERS = {
    "random": RandomClip,
    "uniform": lambda t, s: UniformClips(t, s, 7),
    "sparse and dense": SparseDense,
    "pair": ClipPair,
    "tuple": ClipTuple,
    "transformed": Transformed,
}


@given(LENGTHS, FRAMES, STRIDES, SEEDS, st.sampled_from(list(SAMPLERS)))
@quick
def test_every_sampler_stays_inside_every_video_and_follows_its_seed(n, frames, stride, seed, kind):
    if kind == "transformed":
        views = Transformed(frames, stride, stride + 2)
    else:
        views = SAMPLERS[kind](frames, stride)
    index = views.indices(n, np.random.default_rng(seed))
    assert index.ndim == 2 and np.issubdtype(index.dtype, np.integer)
    assert index.min() >= 0 and index.max() < n
    assert (index == views.indices(n, np.random.default_rng(seed))).all()


@given(st.integers(1, 200), FRAMES, STRIDES, SEEDS)
@quick
def test_clips_of_long_enough_videos_run_forwards_at_their_stride(extra, frames, stride, seed):
    n = 4 * frames * stride + extra
    for views in (RandomClip(frames, stride), ClipPair(frames, stride)):
        index = views.indices(n, np.random.default_rng(seed))
        assert (np.diff(index, axis=1) == stride).all()
    clips = ClipTuple(frames, stride).indices(n, np.random.default_rng(seed)).reshape(3, frames)
    assert (np.diff(clips, axis=1) > 0).all()
    assert (clips[1:, 0] > clips[:-1, -1]).all(), "clips of a tuple do not overlap"


@given(FRAMES, st.integers(1, 6), SEEDS)
@quick
def test_the_periodic_pattern_turns_once_and_starts_at_zero(frames, skip, seed):
    path = forth_and_back(frames, skip, np.random.default_rng(seed))
    assert len(path) == frames and path.min() == 0
    signs = np.sign(np.diff(path))
    assert (np.diff(signs[signs != 0]) != 0).sum() <= 1


@given(st.integers(0, 10_000), st.integers(1, 300))
@quick
def test_mirror_moves_by_one_frame_at_most(index, n):
    steps = np.abs(np.diff(mirror(np.arange(index, index + 20), n)))
    assert steps.max() <= 1


@given(st.integers(1, 40), st.integers(1, 50), SEEDS, st.integers(0, 300))
@quick
def test_rows_of_a_step_depend_on_seed_and_step_alone(n, batch, seed, step):
    rows = np.arange(100, 100 + n)
    chosen = rows_of_step(rows, batch, seed, step, False)
    assert len(chosen) == batch and set(chosen) <= set(rows)
    assert (chosen == rows_of_step(rows, batch, seed, step, False)).all()
    if n >= batch:
        assert len(set(chosen)) == batch
        assert (chosen == rows_of_step(rows, batch, seed, step, True)).all()


@given(st.integers(2, 40), SEEDS, st.integers(0, 30), st.data())
@quick
def test_an_epoch_is_a_permutation_and_no_video_is_taken_twice(n, seed, epoch, data):
    batch = data.draw(st.integers(1, n))
    per = n // batch
    taken = [rows_of_step(np.arange(n), batch, seed, epoch * per + k, True) for k in range(per)]
    taken = np.concatenate(taken)
    assert len(set(taken)) == len(taken) == per * batch


@given(st.integers(1, 12), st.integers(1, 30), SEEDS, st.integers(1, 40))
@quick
def test_a_small_pool_is_cycled_evenly(n, batch, seed, steps):
    assume(n < batch)
    drawn = [rows_of_step(np.arange(n), batch, seed, step, False) for step in range(steps)]
    counts = np.bincount(np.concatenate(drawn), minlength=n)
    assert counts.max() - counts.min() <= 1


@st.composite
def features(draw):
    """Unit features u, v [2, B, S, D] in double precision, and a temperature."""
    b, s, d = draw(st.integers(2, 5)), draw(st.integers(2, 4)), draw(st.integers(2, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    raw = torch.randn(2, 2, b, s, d, dtype=torch.float64, generator=generator)
    return raw[0], raw[1], draw(st.floats(0.05, 2.0))


def every_loss(u, v, tau):
    """All contrastive losses of raw features, normalised here as the heads do."""
    u, v = normalize(u, dim=-1), normalize(v, dim=-1)
    return torch.stack(
        [
            losses.nt_xent(u[0, :, 0], u[1, :, 0], tau),
            losses.instance_contrast(u[:, :, 0], v, tau),
            losses.local_local(v, tau),
            losses.global_local(u, v, tau),
        ]
    )


def same(a, b):
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@given(features(), st.randoms(use_true_random=False))
@quick
def test_the_order_of_videos_does_not_matter(given_, random):
    u, v, tau = given_
    order = list(range(u.shape[1]))
    random.shuffle(order)
    same(every_loss(u, v, tau), every_loss(u[:, order], v[:, order], tau))


@given(features())
@quick
def test_swapping_the_views_does_not_matter(given_):
    u, v, tau = given_
    same(every_loss(u, v, tau), every_loss(u.flip(0), v.flip(0), tau))


@given(features(), st.randoms(use_true_random=False))
@quick
def test_renaming_the_times_of_both_does_not_matter(given_, random):
    u, v, tau = given_
    order = list(range(u.shape[2]))
    random.shuffle(order)
    first, second = every_loss(u, v, tau), every_loss(u[:, :, order], v[:, :, order], tau)
    same(first[2:], second[2:])


@given(features(), st.floats(1e-3, 1e3))
@quick
def test_the_length_of_features_does_not_matter(given_, scale):
    u, v, tau = given_
    same(every_loss(u, v, tau), every_loss(scale * u, v * scale, tau))


@given(features(), SEEDS)
@quick
def test_a_rotation_of_all_features_does_not_matter(given_, seed):
    u, v, tau = given_
    generator = torch.Generator().manual_seed(seed)
    turn = torch.randn(u.shape[-1], u.shape[-1], dtype=torch.float64, generator=generator)
    turn = torch.linalg.qr(turn).Q
    same(every_loss(u, v, tau), every_loss(u @ turn, v @ turn, tau))


@given(features())
@quick
def test_losses_are_not_negative(given_):
    assert (every_loss(*given_) >= 0).all()


@given(st.integers(2, 6), st.integers(2, 5), st.integers(2, 8), st.floats(0.05, 2.0))
@quick
def test_features_that_are_all_equal_cost_the_log_of_the_candidates(b, s, d, tau):
    u = torch.ones(2, b, s, d, dtype=torch.float64)
    n = math.log(2 * b - 1)
    expected = [n, n * (1 + 2 * (2 * s - 1)), math.log(2 * s - 1), math.log(s)]
    same(every_loss(u, u, tau), torch.tensor(expected, dtype=torch.float64))


@given(st.integers(2, 8), st.floats(0.05, 1.0))
@quick
def test_identical_views_of_orthogonal_videos_have_a_closed_form(b, tau):
    z = torch.eye(b, dtype=torch.float64)
    expected = math.log1p((2 * b - 2) * math.exp(-1 / tau))
    assert losses.nt_xent(z, z, tau).item() == pytest.approx(expected, rel=1e-9)


@given(st.integers(1, 6), st.integers(2, 9), SEEDS)
@quick
def test_distances_and_mixtures_keep_their_ranges(clips, k, seed):
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, clips, k, dtype=torch.float64, generator=generator) * 5
    p, q = a.softmax(1), b.softmax(1)
    assert 0 <= losses.squared_distance(q, p) <= 2
    assert losses.kl_distance(b, p) >= -1e-12
    s = torch.rand(clips, dtype=torch.float64, generator=generator)
    target = reweight.mix(p, q, s)
    same(target.sum(1), torch.ones(clips, dtype=torch.float64))
    assert (target <= torch.maximum(p, q) + 1e-12).all()
    assert (target >= torch.minimum(p, q) - 1e-12).all()
    same(target, reweight.mix(q, p, 1 - s))

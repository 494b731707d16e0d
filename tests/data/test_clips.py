"""Clips stay inside the video, and slot k of a global clip shows the same time as local clip k."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tblib.data.clips import RandomClip, SparseDense, UniformClips, clip, mirror, uniform_starts

LENGTHS = st.integers(1, 400)
FRAMES, STRIDES = st.sampled_from([4, 8, 16]), st.integers(1, 6)


def sampler(kind, frames, stride):
    return {
        "random": (RandomClip(frames, stride), 1),
        "uniform": (UniformClips(frames, stride, 5), 5),
        "sparse_dense": (SparseDense(frames, stride, 4), 10),
    }[kind]


@given(LENGTHS, FRAMES, STRIDES, st.sampled_from(["random", "uniform", "sparse_dense"]))
@settings(max_examples=150, deadline=None)
def test_indices_are_inside_the_video_and_repeatable(n_frames, frames, stride, kind):
    views, count = sampler(kind, frames, stride)
    index = views.indices(n_frames, np.random.default_rng(3))
    assert index.shape == (count, frames)
    assert np.issubdtype(index.dtype, np.integer)
    assert index.min() >= 0
    assert index.max() < n_frames
    assert (index == views.indices(n_frames, np.random.default_rng(3))).all()


@given(st.integers(0, 200), STRIDES, st.sampled_from([(8, 4), (16, 4), (8, 2), (9, 3)]))
@settings(max_examples=100, deadline=None)
def test_slot_k_covers_the_time_of_local_clip_k(extra, stride, shape):
    frames, slots = shape
    span = frames * stride
    index = SparseDense(frames, stride, slots).indices(
        slots * span + extra, np.random.default_rng(extra)
    )
    sparse, dense = index[0], index[2 : 2 + slots]
    start = sparse[0]
    for k, slot in enumerate(sparse.reshape(slots, -1)):
        window = range(start + k * span, start + (k + 1) * span)
        assert slot[0] == dense[k][0] == window.start, "both begin at the same frame"
        assert set(slot) <= set(window)
        assert set(dense[k]) <= set(window)
    assert (np.concatenate(dense) == start + stride * np.arange(slots * frames)).all()


def test_both_views_show_the_same_frames():
    index = SparseDense(8, 2, 4).indices(100, np.random.default_rng(0))
    assert (index[0] == index[1]).all()
    assert (index[2:6] == index[6:10]).all()


@pytest.mark.parametrize("views", [RandomClip(8, 2), SparseDense(8, 2, 4)])
def test_random_starts_reach_both_ends_of_a_video(views):
    span = 16 if isinstance(views, RandomClip) else 64
    starts = {int(views.indices(span + 3, np.random.default_rng(i))[0, 0]) for i in range(60)}
    assert starts == {0, 1, 2, 3}


@given(st.integers(0, 1000), LENGTHS)
@settings(deadline=None)
def test_mirror_plays_the_video_back_and_forth(index, n_frames):
    there_and_back = [*range(n_frames), *range(n_frames - 2, 0, -1)]
    assert mirror(np.array(index), n_frames) == there_and_back[index % len(there_and_back)]


def test_mirror_examples_and_no_frames():
    assert mirror(np.arange(8), 4).tolist() == [0, 1, 2, 3, 2, 1, 0, 1]
    assert mirror(np.arange(3), 1).tolist() == [0, 0, 0]
    assert clip(5, 4, 2, 9).tolist() == [5, 7, 7, 5]
    with pytest.raises(ValueError, match="at least one frame, got 0"):
        mirror(np.arange(3), 0)


@given(LENGTHS, st.integers(1, 64), st.integers(1, 20))
@settings(deadline=None)
def test_uniform_starts_are_even_and_reach_from_end_to_end(n_frames, span, n):
    starts = uniform_starts(n_frames, span, n)
    last = max(n_frames - span, 0)
    assert len(starts) == n
    assert starts[0] == 0
    assert n == 1 or starts[-1] == last
    gaps = np.diff(starts)
    assert n == 1 or gaps.max() - gaps.min() <= 1

"""Several looks at one moment: same frames, same middle, other tempo, inside the video."""

import numpy as np
import pytest

from tblib.data.tempo import SameTime, Tempo, TwoRates


def draws(sampler, n_frames, times=60):
    return [sampler.indices(n_frames, np.random.default_rng(seed)) for seed in range(times)]


def test_the_same_time_is_the_same_frames():
    for index in draws(SameTime(8, 2, views=3), 50):
        assert index.shape == (3, 8) and (index == index[0]).all()
    assert len({index[0, 0] for index in draws(SameTime(8, 2), 50)}) > 20


def test_two_rates_share_their_middle_and_the_slow_one_lasts_longer():
    for fast, slow in draws(TwoRates(8, 2), 60):
        assert set(np.diff(fast)) == {2} and set(np.diff(slow)) == {4}
        assert abs(fast.mean() - slow.mean()) <= 1
        assert slow.min() >= 0 and slow.max() < 60


@pytest.mark.parametrize("tempo, steps", [(0.5, {1}), (2, {4}), (-1, {-2})])
def test_a_tempo_is_kept(tempo, steps):
    for weak, strong in draws(Tempo(8, 2, ((tempo,),)), 80):
        assert set(np.diff(weak)) == {2} and set(np.diff(strong)) == steps
        assert weak.min() - 16 <= strong.min() and strong.max() <= weak.max() + 16


def test_a_varying_tempo_varies():
    steps = np.concatenate([np.diff(strong) for _, strong in draws(Tempo(8, 2, ((0,),)), 80)])
    assert set(steps) == {1, 2, 3, 4}


def test_every_tempo_of_a_set_is_drawn():
    index = np.stack(draws(Tempo(8, 2), 99, 200))
    assert index.shape == (200, 3, 8)
    constant, varying = (np.diff(index[:, view]) for view in (1, 2))
    assert {tuple(steps) for steps in constant} == {(1,) * 7, (4,) * 7}
    assert set(varying.ravel()) == {1, 2, 3, 4}


@pytest.mark.parametrize("n_frames", [1, 2, 9, 16])
@pytest.mark.parametrize("sampler", [SameTime(8, 2), TwoRates(8, 2), Tempo(8, 2, ((2, -2, 0),))])
def test_short_videos_give_frames_that_are_there(sampler, n_frames):
    for index in draws(sampler, n_frames):
        assert index.min() >= 0 and index.max() < n_frames

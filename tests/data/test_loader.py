"""Batches follow from (seed, step) alone, whoever loads them and wherever one starts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import FakeCache, fake_pool

from tblib.data import loader as loader_module
from tblib.data import modality
from tblib.data.augment import Augment
from tblib.data.clips import ClipPair, RandomClip, SparseDense, UniformClips
from tblib.data.loader import (
    ClipSamples,
    Stream,
    loader,
    rows_of_step,
    to_device,
    to_input,
)
from tblib.data.strong import Strong
from tblib.data.table import NO_LABEL
from tblib.data.tempo import SameTime
from tblib.errors import ConfigError
from tblib.randomness import seeded

ROWS = np.arange(3, 10)


def samples(seed=1, batch=3, views=None, distinct=True, pool="train", labels=False):
    views, augment = views or RandomClip(4, 2), Augment(16, erase=0.5)
    stream = Stream(pool, batch, views, augment, distinct, labels)
    return ClipSamples(FakeCache(10), np.arange(10) % 4, stream, seed)


def batches(first=0, steps=5, workers=0, **options):
    return list(loader(samples(**options), ROWS, first, steps, workers))


def equal(first, second):
    pairs = list(zip(first, second, strict=True))
    return all(torch.equal(a, b) for one, two in pairs for a, b in zip(one, two, strict=True))


def test_the_number_of_workers_changes_nothing():
    assert equal(batches(), batches(workers=2))


def test_a_resumed_loader_equals_the_tail():
    assert equal(batches()[3:], batches(first=3))
    assert len(batches(first=5)) == 0


def test_seeds_and_steps_give_different_data():
    one = batches()
    assert not equal(one[:1], batches(seed=2)[:1])
    assert not equal(one[:1], one[1:2])


def test_samples_are_labelled_and_shaped_as_promised():
    clips, label, row = batches(views=SparseDense(4, 2, 4))[0]
    assert clips.shape == (3, 10, 4, 16, 16, 3)
    assert clips.dtype == torch.uint8
    assert label.tolist() == [NO_LABEL] * 3, "the pool `train` does not tell its classes"
    assert set(row.tolist()) <= set(ROWS.tolist())


@pytest.mark.parametrize("pool, labels", [("labelled", False), ("known", True)])
def test_labels_are_told_where_they_may_be_known(pool, labels):
    _, label, row = batches(pool=pool, labels=labels)[0]
    assert label.tolist() == [int(r) % 4 for r in row]


def test_labels_of_unlabelled_videos_cannot_be_asked_for():
    with pytest.raises(ConfigError, match="'unlabelled' are not to be known"):
        Stream("unlabelled", 2, UniformClips(4, 1, 1), Augment(16), labels=True)


def test_the_same_video_gets_new_augmentation_at_every_step_and_position():
    source = samples(batch=1)
    clips = [source[(step, position, 5)][0] for step in range(3) for position in range(2)]
    assert len({clip.tobytes() for clip in clips}) == 6


def test_views_of_one_clip_are_augmented_differently():
    clips = samples(views=SparseDense(4, 2, 4))[(0, 0, 5)][0]
    assert (clips[0] != clips[1]).any()


@pytest.mark.parametrize("distinct", [True, False])
def test_an_epoch_uses_every_video_at_most_once(distinct):
    for epoch in range(3):
        steps = [rows_of_step(ROWS, 3, 0, 2 * epoch + part, distinct) for part in range(2)]
        rows = np.concatenate(steps)
        assert len(set(rows)) == 6, "seven videos make two batches of three; one is left out"
    orders = {tuple(rows_of_step(ROWS, 7, 0, epoch, distinct)) for epoch in range(5)}
    assert len(orders) == 5
    assert {frozenset(order) for order in orders} == {frozenset(ROWS)}


def test_over_many_epochs_no_video_is_left_out():
    seen = np.concatenate([rows_of_step(ROWS, 3, 0, step, True) for step in range(200)])
    counts = np.bincount(seen, minlength=10)[3:]
    assert counts.min() > 0.7 * counts.mean()


def test_a_pool_smaller_than_the_batch_is_cycled_evenly():
    rows = ROWS[:3]
    drawn = np.concatenate([rows_of_step(rows, 5, 0, step, False) for step in range(6)])
    assert len(drawn) == 30
    for start in range(0, 30, 3):
        assert set(drawn[start : start + 3]) == set(rows), "every pass holds each video once"


def test_the_order_of_an_epoch_is_the_seeded_permutation_and_is_drawn_once(monkeypatch):
    rows, drawn = np.arange(100, 1100), []
    orders = [seeded("order of videos", 77, epoch).permutation(1000) for epoch in range(2)]
    monkeypatch.setattr(loader_module, "seeded", lambda *key: drawn.append(key) or seeded(*key))
    for step in range(62):  # two epochs of 31 steps
        chosen = rows_of_step(rows, 32, 77, step, False)
        part = slice(step % 31 * 32, (step % 31 + 1) * 32)
        assert chosen.tolist() == rows[orders[step // 31][part]].tolist()
    assert drawn == [("order of videos", 77, 0), ("order of videos", 77, 1)]


def test_impossible_pools_are_explained():
    with pytest.raises(ConfigError, match="empty; lower data.label_fraction or data.val_groups"):
        rows_of_step(ROWS[:0], 2, 0, 0, False)
    with pytest.raises(ConfigError, match="batch of 8 distinct videos was asked of 7; lower"):
        rows_of_step(ROWS, 8, 0, 0, True)


def test_input_is_scaled_and_keeps_every_value_in_place():
    clips = torch.randint(0, 256, (2, 3, 4, 5, 6, 3), dtype=torch.uint8)
    out = to_input(clips)
    assert out.shape == (2, 3, 3, 4, 5, 6)
    assert out.dtype == torch.float32
    assert out[1, 2, 0, 3, 4, 5].item() == pytest.approx(clips[1, 2, 3, 4, 5, 0].item() / 255)


def test_batches_arrive_views_first_in_the_fast_layout():
    collated = batches(views=SparseDense(4, 2, 4))[0]
    batch = to_device(collated, torch.device("cpu"))
    assert batch.clips.shape == (10, 3, 3, 4, 16, 16)
    assert torch.equal(batch.clips[7, 1], to_input(collated[0][1, 7]))
    for part in (batch.clips[:2].flatten(0, 1), batch.clips[2:].flatten(0, 1), batch.clips[0]):
        assert part.is_contiguous(memory_format=torch.channels_last_3d)
        assert part.data_ptr() in (batch.clips.data_ptr(), batch.clips[2:].data_ptr()), "no copy"
    assert torch.equal(batch.row, collated[2])


def views_of(augment, same_crop=False, views=2, row=0):
    pool = fake_pool(8, frames=20, px=20)
    stream = Stream("labelled", 4, SameTime(4, 2, views), augment, same_crop=same_crop)
    return ClipSamples(pool.cache, pool.labels, stream, seed=3)[0, 0, row][0]


def test_one_augmentation_draws_as_it_always_did():
    """Recorded trainings saw the clips of this order of random numbers."""
    pool, augment = fake_pool(8, frames=20, px=20), Augment(16, erase=0.5)
    stream = Stream("labelled", 4, ClipPair(4, 2), augment)
    for place in range(4):
        clips = ClipSamples(pool.cache, pool.labels, stream, seed=3)[5, place, 1][0]
        rng = seeded("clips", 3, 5, place)
        index = stream.views.indices(20 + 3, rng)
        expected = np.stack([augment(pool.cache[1][view], rng) for view in index])
        assert np.array_equal(clips, expected)


def test_every_view_has_its_own_augmentation():
    plain = Augment(16, crop_min=1.0, jitter=0.0, flip=0.0)
    weak, strong = views_of((plain, replace(plain, erase=1.0)))
    changed = (weak != strong).any((0, 3))
    assert 0 < changed.sum() <= 36, "a box of a sixth to a third of the side is hidden"
    assert np.array_equal(*views_of((plain, plain)))


def test_views_of_the_same_crop_show_the_same_place():
    crops = Augment(16, crop_min=0.5, jitter=0.0)
    assert not np.array_equal(*views_of((crops, crops)))
    for row in range(6):
        first, second, third = views_of((crops, replace(crops, flip=1.0), crops), True, 3, row)
        assert np.array_equal(first, second) and np.array_equal(first, third)


def test_motion_is_computed_once_for_views_that_show_the_same(monkeypatch):
    calls = []
    monkeypatch.setitem(
        modality.KINDS, "flow", lambda a, b: calls.append(1) or np.full(a.shape, 127, np.uint8)
    )
    weak, strong = (modality.Motion(a, "flow") for a in (Augment(16), Strong(16)))
    assert views_of((weak, Augment(16), strong), views=3).shape == (3, 4, 16, 16, 3)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "augment",
    [(Augment(16), Augment(16)), Strong(16), modality.Motion(Augment(16), "gradient")],
)
def test_a_device_that_cannot_augment_so_says_it(augment):
    pool, stream = fake_pool(8), Stream("labelled", 4, SameTime(4, 2), augment)
    with pytest.raises(ConfigError, match="runtime.augment: device cannot .* set runtime.augment"):
        ClipSamples(pool.cache, pool.labels, stream, 0, leave_uncut=True)

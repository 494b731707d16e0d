"""CVRL, temporal transformations and clip order: their clips, their labels, and that they learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import FakeCache, fake_pool, same_weights, tiny_profile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import nn

from tblib.data.augment import Augment, flicker, flicker_matrices
from tblib.data.clips import (
    TRANSFORMATIONS,
    ClipPair,
    ClipTuple,
    Transformed,
    forth_and_back,
    place,
)
from tblib.data.loader import Batch, ClipSamples, loader, to_device
from tblib.data.pool import Pool
from tblib.engine import checkpoint
from tblib.engine.loop import Plan, fit, read_log
from tblib.errors import CheckpointError, ConfigError
from tblib.methods import losses, registry
from tblib.methods.job import Job
from tblib.methods.pretrain import METHODS
from tblib.methods.pretrain.clip_order import ORDERS, order_accuracy, shuffled
from tblib.methods.pretrain.cvrl import retrieval
from tblib.methods.pretrain.transformations import SKIPS, UNDEFINED, labels
from tblib.models import Classifier, backbone
from tblib.run.directory import open_run
from tblib.run.features import features
from tblib.run.models import build_method
from tblib.settings.profiles import load_profile

CPU = torch.device("cpu")
NAMES = ("cvrl", "transformations", "clip_order")
LENGTHS = st.integers(1, 400)


def method(name, **overrides):
    torch.manual_seed(0)
    return registry.fresh(name, tiny_profile(**{"pretrain__batch": 2} | overrides))


def rng(seed=0):
    return np.random.default_rng(seed)


def batches(model, cache, plain=False):
    """One batch of each stream; `plain`: resized only, so that pixels stay what they are."""
    out = {}
    for name, stream in model.streams().items():
        if plain:
            stream = replace(stream, augment=Augment(model.sampling.px, 1.0, jitter=0.0, flip=0.0))
        samples = ClipSamples(cache, np.zeros(len(cache), int), stream, 5)
        out[name] = to_device(next(iter(loader(samples, np.arange(len(cache)), 0, 1))), CPU)
    return out


class Clock(FakeCache):
    """Videos whose every pixel is the number of its frame."""

    def __init__(self, videos=12, frames=80):
        time = np.arange(frames, dtype=np.uint8)[:, None, None, None]
        self._videos = [np.broadcast_to(time, (frames, 20, 20, 3)).copy()] * videos


class Mean(nn.Module):
    """A backbone whose feature is the mean pixel of a clip, in grey levels."""

    def forward(self, clips):
        return 255 * clips.mean(dim=(1, 2, 3, 4), keepdim=True)


# Where clips sit in time


@given(LENGTHS, st.sampled_from([4, 8, 16]), st.integers(1, 4), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_indices_are_inside_the_video_and_repeatable(n, frames, stride, seed):
    for views, shape in [
        (ClipPair(frames, stride), (2, frames)),
        (Transformed(frames, stride, 4), (4, frames)),
        (ClipTuple(frames, stride), (1, 3 * frames)),
    ]:
        index = views.indices(n, rng(seed))
        assert index.shape == shape
        assert np.issubdtype(index.dtype, np.integer)
        assert 0 <= index.min() <= index.max() < n
        assert (index == views.indices(n, rng(seed))).all()


@given(LENGTHS, st.integers(1, 60), st.integers(0, 20), st.integers(0, 9))
@settings(deadline=None)
def test_a_pattern_keeps_its_shape_and_a_short_video_is_stretched(n, last, spare, seed):
    offsets, window = np.arange(last + 1), last + 1 + spare
    index = place(offsets, n, rng(seed), window)
    assert (np.diff(index) >= 0).all(), "time never runs backwards"
    assert n < window or (np.diff(index) == 1).all()
    assert n >= window or np.ptp(index) <= last * n / window + 1


@pytest.mark.parametrize("n", [64, 67])
def test_patterns_reach_both_ends_of_a_video(n):
    starts = {int(place(np.arange(61), n, rng(i), 64)[0]) for i in range(300)}
    assert starts == set(range(n - 60))


def test_a_video_without_frames_is_refused():
    with pytest.raises(ValueError, match="at least one frame, got 0"):
        place(np.arange(3), 0, rng(), 8)


def test_gaps_of_the_pair_fall_linearly_over_all_the_video_allows():
    n, widest = 40, 24
    starts = np.array([ClipPair(8, 2).indices(n, rng(i))[:, 0] for i in range(6000)])
    gap = np.abs(np.diff(starts, axis=1)).ravel()
    observed = np.bincount(gap, minlength=widest + 1)
    weight = np.arange(widest + 1, 0, -1)
    assert len(observed) == widest + 1
    assert chisquare(observed, len(gap) * weight / weight.sum()).pvalue > 0.01
    assert chisquare(observed).pvalue < 1e-9, "uniform gaps would be seen"
    near = starts[gap == 3].min(axis=1)
    assert set(near) == set(range(widest - 3 + 1)), "the earlier clip starts wherever there is room"
    earlier_first = np.mean(starts[gap > 0, 0] < starts[gap > 0, 1])
    assert 0.47 < earlier_first < 0.53


def test_a_video_no_longer_than_a_clip_gives_the_same_frames_twice():
    first, second = ClipPair(8, 2).indices(10, rng())
    assert (first == second).all()


@given(st.integers(64, 300), st.sampled_from(SKIPS), st.integers(0, 50))
@settings(max_examples=150, deadline=None)
def test_transformations_are_what_they_are_called(n, skip, seed):
    original, periodic, permutation, warp = Transformed(8, skip, 8).indices(n, rng(seed))
    assert (np.diff(original) == skip).all()
    assert (np.abs(np.diff(periodic)) == skip).sum() >= 6, "the same skip, but at the turn"
    assert (np.diff(periodic)[[0, -1]] == [skip, -skip]).all()
    assert (np.diff(np.sort(permutation)) == 1).all()
    assert set(np.diff(warp)) <= set(range(1, 9))


def test_permutations_and_warps_vary():
    index = np.stack([Transformed(8, 2, 8).indices(90, rng(i)) for i in range(200)])
    unsorted = (np.diff(index[:, 2], axis=1) < 0).any(axis=1)
    changing = np.ptp(np.diff(index[:, 3], axis=1), axis=1) > 0
    assert unsorted.mean() > 0.98
    assert changing.mean() > 0.98
    assert set(np.diff(index[:, 3]).ravel()) == set(range(1, 9))


@given(st.integers(4, 16), st.sampled_from(SKIPS), st.integers(0, 50))
@settings(max_examples=150, deadline=None)
def test_forth_and_back_turns_once_with_two_frames_on_either_side(frames, skip, seed):
    path = forth_and_back(frames, skip, rng(seed))
    assert (len(path), path.min()) == (frames, 0)
    sign = np.sign(np.diff(path))
    assert (np.diff(sign[sign != 0]) <= 0).all(), "up first, then down"
    assert (sign[0], sign[-1]) == (1, -1)
    assert path.max() < (frames - 1) * skip
    assert skip == 1 or len(set(path)) == frames


@given(LENGTHS, st.sampled_from([(8, 2), (16, 1), (8, 1), (4, 3)]), st.integers(0, 9))
@settings(deadline=None)
def test_clips_of_a_tuple_are_in_order_and_half_a_clip_apart(n, shape, seed):
    frames, stride = shape
    span = frames * stride
    clips = ClipTuple(frames, stride).indices(n, rng(seed)).reshape(3, frames)
    assert (np.diff(clips.ravel()) >= 0).all()
    if n >= 4 * span:
        assert (np.diff(clips) == stride).all()
        assert (np.diff(clips[:, 0]) == span + span // 2).all()


def test_the_tuple_of_the_paper_fits_exactly_into_64_frames():
    starts = {int(ClipTuple(16, 1).indices(64, rng(i))[0, 0]) for i in range(20)}
    assert starts == {0}


# Flicker


def test_flicker_recolours_every_frame_on_its_own_and_one_in_five_to_grey():
    frames = np.tile(np.array([200, 100, 60], np.uint8), (4000, 2, 2, 1))
    out = flicker(frames, flicker_matrices(rng(), 4000)).astype(int)
    assert (out == out[:, :1, :1]).all(), "one change for all pixels of a frame"
    spread = np.ptp(out[:, 0, 0], axis=1)
    assert 0.17 < np.mean(spread <= 1) < 0.23
    assert spread[spread > 1].min() >= 68, "saturation 0.5 of a spread of 140"
    luma = out[spread <= 1, 0, 0, 0]
    assert (luma.min(), luma.max()) == pytest.approx((125.3 - 32, 125.3 + 32), abs=1.5)


def test_flicker_is_drawn_last_and_off_by_default():
    frames = rng(1).integers(0, 256, (6, 20, 24, 3), dtype=np.uint8)
    first, second = rng(2), rng(2)
    plain = Augment(16, erase=1.0)(frames, first)
    both = Augment(16, erase=1.0, flicker=True)(frames, second)
    assert (flicker(plain, flicker_matrices(first, 6)) == both).all()
    assert (plain != both).any()


# What the methods ask for


@pytest.mark.parametrize("profile", ["laptop", "ucf101"])
def test_every_method_encodes_as_many_clips_a_step(profile):
    config = load_profile(profile)
    budget = config.pretrain.clips_per_step
    assert budget == config.pretrain.batch * 10
    clips = {}
    for name in NAMES:
        streams = registry.fresh(name, config).streams().values()
        frames = [s.batch * s.views.indices(90, rng()).size for s in streams]
        clips[name] = sum(frames) / config.pretrain.clip.frames
    assert clips["cvrl"] == budget
    assert all(0.95 * budget <= n <= budget for n in clips.values()), clips


def test_streams_follow_their_cards():
    cvrl, tuples = (method(name).streams()["videos"] for name in ("cvrl", "clip_order"))
    assert (cvrl.pool, cvrl.batch, cvrl.distinct) == ("train", 10, True)
    assert cvrl.augment == method("invariant").streams()["videos"].augment, "the same grey box"
    assert (tuples.pool, tuples.batch, tuples.augment.flicker) == ("train", 6, False)
    streams = method("transformations").streams()
    assert list(streams) == ["skip1", "skip2", "skip4", "skip8"]
    assert {s.pool for s in streams.values()} == {"train"}
    assert all(s.augment.flicker for s in streams.values())
    assert {s.views.fastest for s in streams.values()} == {8}


def test_the_smoke_pool_holds_the_distinct_videos_cvrl_asks_for():
    c = load_profile("smoke")
    videos = len(c.data.classes) * c.sticks.train_groups * c.sticks.clips_per_group
    assert registry.fresh("cvrl", c).streams()["videos"].batch <= videos


def test_longer_clips_leave_fewer_speeds_and_too_long_ones_are_refused():
    assert method("transformations", pretrain__clip__frames=16).skips == (1, 2, 4)
    with pytest.raises(ConfigError, match=r"pretrain.clip.frames = 64 .* at most 32"):
        method("transformations", pretrain__clip__frames=64)


def test_classification_learns_at_a_fifth_of_the_rate():
    assert [METHODS[name].rate for name in NAMES] == [1.0, 0.2, 0.2]


# Losses and labels


def test_cvrl_is_nt_xent_of_the_two_clips_of_each_video():
    model = method("cvrl").eval()
    clips = batches(model, FakeCache(10))["videos"].clips
    net = model.learner
    z = torch.stack([net.head(net.backbone(view).mean((2, 3, 4))) for view in clips])
    values = model(videos=Batch(clips, torch.arange(10), torch.arange(10)))
    torch.testing.assert_close(values["loss"], losses.nt_xent(z[0], z[1], 0.1))
    torch.testing.assert_close(values["right"], retrieval(z[0], z[1]))


def test_retrieval_counts_partners_found():
    z = nn.functional.normalize(torch.eye(4) + 0.1, dim=1)
    assert retrieval(z, z) == 1
    assert retrieval(z, z[[1, 0, 2, 3]]) == 0.5


def test_the_network_sees_every_clip_under_its_label():
    """Frames that carry their number: what a clip shows must be what its labels say."""
    model, seen = method("transformations", pretrain__batch=4), []
    model.learner.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(**batches(model, Clock(), plain=True))
    times = (255 * seen[0].mean(dim=(1, 3, 4))).round().int()
    label, speed = labels(4, 2, CPU)
    assert len(times) == len(label) == 32
    for time, kind, k in zip(times, label, speed, strict=True):
        step = time.diff()
        if kind < 2:
            assert step[0] == SKIPS[k]
            assert step[-1] == (SKIPS[k] if kind == 0 else -SKIPS[k])
        else:
            assert k == UNDEFINED
            ordered = time.sort().values.diff()
            assert (ordered == 1).all() if kind == 2 else (step >= 1).all()


def test_classes_and_speeds_are_balanced():
    label, speed = labels(4, 3, CPU)
    assert label.bincount().tolist() == [12] * 4
    assert speed[speed != UNDEFINED].bincount().tolist() == [6] * 4
    for kind in (0, 1):
        assert speed[label == kind].bincount().tolist() == [3] * 4
    assert (speed[label >= 2] == UNDEFINED).all()


def test_the_speed_loss_ignores_permuted_and_warped_clips():
    model = method("transformations").eval()
    data = batches(model, FakeCache(10))
    clips = [batch.clips.requires_grad_() for batch in data.values()]
    values = model(**data)
    torch.testing.assert_close(values["loss"], values["transformation"] + values["speed"])
    for part, views in (("speed", 2), ("transformation", 4)):
        for gradient in torch.autograd.grad(values[part], clips, retain_graph=True):
            assert (gradient[:views].abs().amax(dim=(2, 3, 4, 5)) > 0).all()
            assert not gradient[views:].any()


def test_shares_of_right_answers_are_per_class():
    """A network that always says `periodic` at skip 4 is right there and nowhere else."""
    model = method("transformations")
    model.learner.forward = lambda x: (
        nn.functional.one_hot(torch.ones(len(x), dtype=int), 4).float(),
        nn.functional.one_hot(torch.full((len(x),), 2), 4).float(),
    )
    values = model(**batches(model, FakeCache(10)))
    shares = [values[f"right_{name}"].item() for name in TRANSFORMATIONS]
    assert shares == [0, 1, 0, 0]
    assert (values["right_transformation"], values["right_speed"]) == (0.25, 0.25)


def oracle(model):
    """Let the network read the time of every clip: it then knows the order, and nothing else."""
    model.learner.backbone = Mean()
    model.learner.forward = lambda f: (
        -1e4 * (f[..., 0].argsort(1).argsort(1)[:, None] != ORDERS).sum(2).float()
    )
    return model


def test_the_order_label_is_the_permutation_applied():
    time = torch.tensor([10.0, 20.0, 30.0])[None, :, None].expand(6, 3, 1)
    shown = shuffled(time, torch.arange(6))[..., 0]
    assert (shown == 10 * (ORDERS + 1)).all()
    assert len(set(map(tuple, shown.tolist()))) == 6
    torch.manual_seed(0)
    model = oracle(method("clip_order", pretrain__batch=6))
    values = model(**batches(model, Clock(), plain=True))
    assert (values["right"], values["loss"]) == (1, 0)


def test_clips_of_a_tuple_are_encoded_apart():
    model = method("clip_order").eval()
    view = torch.rand(2, 3, 24, 16, 16)
    together = model.learner.features(view)
    assert together.shape == (2, 3, 128)
    for k in range(3):
        alone = model.learner.backbone(view[:, :, 8 * k : 8 * k + 8]).mean((2, 3, 4))
        torch.testing.assert_close(together[:, k], alone, atol=1e-5, rtol=1e-4)


def test_order_accuracy_of_an_oracle_and_of_a_constant():
    model = oracle(method("clip_order").train())
    assert order_accuracy(model, Clock(), np.arange(3), CPU) == 100
    assert not model.training
    model.learner.forward = lambda f: torch.eye(6)[torch.zeros(len(f), dtype=int)]
    assert order_accuracy(model, Clock(), np.arange(3), CPU) == pytest.approx(100 / 6)


def test_order_accuracy_depends_on_the_seed_and_the_video_only():
    model = method("clip_order")
    first = order_accuracy(model, FakeCache(6), np.arange(6), CPU)
    assert first == order_accuracy(model, FakeCache(6), np.arange(6)[::-1], CPU)


# Training


@pytest.mark.parametrize("name", NAMES)
def test_fifteen_steps_on_one_batch_lower_the_loss(name):
    model, history = method(name).train(), []
    data = batches(model, FakeCache(10))
    optimiser = torch.optim.AdamW(model.learner.parameters(), 3e-3)
    for _ in range(15):
        torch.manual_seed(3)
        history.append(model(**data)["loss"])
        optimiser.zero_grad()
        history[-1].backward()
        optimiser.step()
    assert history[-1] < 0.7 * history[0], [round(value.item(), 2) for value in history]


@pytest.mark.parametrize("name", NAMES)
def test_methods_train_in_the_loop_resume_and_hand_over_their_backbone(name, tmp_path):
    plan, pool = Plan(4, 1e-3, 1e-4, 0, tmp_path, checkpoint_every=2), fake_pool(12)
    trained = fit(method(name), pool, plan, CPU)
    before = method(name).learner.state_dict()
    assert all(not torch.equal(before[k], p) for k, p in trained.named_parameters())
    assert {"loss"} < read_log(tmp_path / "metrics.jsonl")[-1].keys() - {"step"}
    (tmp_path / "state_00000004.pt").unlink(missing_ok=True)
    assert (tmp_path / "state_00000002.pt").is_file()
    again = fit(method(name), pool, plan, CPU)
    assert same_weights(trained.state_dict(), again.state_dict())
    checkpoint.save_model(tmp_path / "done", trained.state_dict(), {})
    classifier = Classifier(backbone("tiny_r3d"), 2)
    checkpoint.load_into(classifier.backbone, tmp_path / "done", "backbone")
    assert same_weights(classifier.backbone.state_dict(), trained.backbone.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_finetuning_and_features_start_from_any_pretraining(name, tmp_path, tiny_root, monkeypatch):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    config = tiny_profile(data__dataset="ucf101", data__root=str(tiny_root), pretrain__batch=2)
    run = open_run(config, tmp_path / "run", 1)
    net = registry.fresh(name, config).learner
    checkpoint.save_model(run.folder("ssl"), net.state_dict(), {})
    tuned = build_method(run, Job("b", "supervised", 1, 0, init="ssl"))
    assert same_weights(net.backbone.state_dict(), tuned.learner.backbone.state_dict())
    assert features(run, "ssl", np.arange(2), 3).shape == (2, 3, 128)
    if name == "cvrl":
        assert features(run, "ssl", np.arange(2), 3, projected=True).shape == (2, 3, 16)
    else:
        with pytest.raises(CheckpointError, match="does not fit"):
            features(run, "ssl", np.arange(2), 3, projected=True)


def test_cvrl_refuses_a_pool_with_too_few_videos(tmp_path):
    pool = Pool(FakeCache(6), np.zeros(6, int), pd.Series(["labelled"] * 6))
    with pytest.raises(ConfigError, match="10 distinct videos was asked of 6"):
        fit(method("cvrl"), pool, Plan(1, 1e-3, 0, 0, tmp_path), CPU)

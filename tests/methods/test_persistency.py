"""ρMoCo and ρBYOL: clips at different times, a target that follows, a queue, and no collapse."""

import copy
import math

import numpy as np
import pytest
import torch
from helpers import batches_of, fake_pool, same_weights, tiny_profile
from official_numbers import numbers, randn
from torch.nn.functional import normalize

from tblib.data.clips import DifferentTimes
from tblib.data.loader import Batch
from tblib.methods import registry
from tblib.methods.ema import cosine_decay
from tblib.methods.pretrain.contrast import Encoder
from tblib.methods.pretrain.persistency import others, spread
from tblib.methods.pretrain.rho_byol import agreement
from tblib.methods.pretrain.rho_moco import queue_contrast, queue_logits

NAMES = ("rho_moco", "rho_byol")
OFFICIAL = numbers("persistency")


def method(name, **options):
    torch.manual_seed(0)
    return registry.fresh(name, tiny_profile(pretrain__batch=2), **options)


def unit(*shape, seed):
    return normalize(randn(*shape, seed=seed), dim=-1)


def random_batch(rho=2, videos=4):
    clips = torch.rand(rho, videos, 3, 8, 16, 16, generator=torch.Generator().manual_seed(1))
    return Batch(clips, torch.full((videos,), -1), torch.arange(videos))


@pytest.mark.parametrize("case", OFFICIAL["cases"], ids=lambda case: case["seed"])
def test_losses_are_those_of_the_official_code(case):
    seed, shape = case["seed"], (case["clips"], case["videos"], 6)
    q, k = others(unit(*shape, seed=seed), unit(*shape, seed=seed + 100))
    repels = torch.ones(case["videos"], 9, dtype=torch.bool)
    logits = queue_logits(q, k, unit(9, 6, seed=seed + 200), repels, 0.1)
    assert queue_contrast(logits).item() == pytest.approx(case["rho_moco"], rel=1e-12)
    assert agreement(q, k).item() - 2 == pytest.approx(case["rho_byol"], rel=1e-12)


def test_the_decay_is_that_of_the_official_code_and_ends_at_1():
    found = [cosine_decay(step, 10, 0.994) for step in range(11)]
    assert found == pytest.approx(OFFICIAL["decay"], abs=1e-15)
    assert (found[0], found[-1]) == (pytest.approx(0.994), 1.0)


def test_times_of_a_video_differ_where_it_is_long_enough():
    for n, seed in ((40, 0), (19, 1), (90, 2)):
        index = DifferentTimes(8, 2, 4).indices(n, np.random.default_rng(seed))
        assert index.shape == (4, 8) and 0 <= index.min() <= index.max() < n
        assert len(set(index[:, 0])) == 4
        assert (np.diff(index) == 2).all()
    assert (DifferentTimes(8, 2, 3).indices(10, np.random.default_rng(0))[:, 0] == 0).all()
    starts = [
        DifferentTimes(8, 2, 2).indices(19, np.random.default_rng(i))[:, 0] for i in range(99)
    ]
    assert {tuple(s) for s in starts} == {(a, b) for a in range(4) for b in range(4) if a != b}


def test_pairs_are_all_of_different_clips():
    q, k = torch.arange(3.0).view(3, 1, 1), 10 + torch.arange(3.0).view(3, 1, 1)
    found = {(a.item(), b.item()) for a, b in zip(*others(q, k), strict=True)}
    assert found == {(0, 11), (0, 12), (1, 10), (1, 12), (2, 10), (2, 11)}


@pytest.mark.parametrize("rho", [2, 4])
@pytest.mark.parametrize("name", NAMES)
def test_more_clips_of_a_video_are_fewer_videos(name, rho):
    stream = method(name, rho=rho).streams()["videos"]
    assert (stream.batch * rho, stream.views.n, stream.distinct) == (20, rho, True)


@pytest.mark.parametrize("name", NAMES)
def test_the_target_begins_as_a_copy_and_follows_as_computed_by_hand(name):
    model = method(name, decay=0.75)
    target, online = (model.learner[part] for part in ("target", "online"))
    assert same_weights(target.state_dict(), online.state_dict())
    before = copy.deepcopy(target.state_dict())
    for p in online.parameters():
        p.data.add_(1.0)
    model.begin(5, 10)  # half of the way to 1
    model.after(5)
    for key, p in target.named_parameters():
        torch.testing.assert_close(p, before[key] + 0.125, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_reaches_the_target_and_all_else_has_one(name):
    model = method(name).train()
    model(videos=random_batch())["loss"].backward()
    assert all(p.grad is None for p in model.learner["target"].parameters())
    learning = [p for p in model.learner.parameters() if p.requires_grad]
    assert learning and all(p.grad is not None for p in learning)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_an_encoder(name):
    model = method(name)
    plain = Encoder(copy.deepcopy(model.kept.backbone), 16)
    plain.load_state_dict(model.kept.state_dict())
    assert model.kept is model.learner["online"]


def test_the_queue_holds_the_last_keys_of_all_clips_in_turn():
    model = method("rho_moco", queue=12).train()
    batch = random_batch(2, 4)  # eight keys a step
    keys = []
    for _ in range(2):
        expected = copy.deepcopy(model)
        with torch.no_grad():
            keys.append(expected.embeddings(batch)[1])
        model(videos=batch)
    newest = torch.cat(keys)[-12:]
    assert model.pointer == 4
    torch.testing.assert_close(model.queue.roll(-4, 0), newest)
    assert model.owner.roll(-4).tolist() == [0, 1, 2, 3] * 3


def test_a_queue_smaller_than_a_step_keeps_the_last_keys():
    model = method("rho_moco", queue=3)
    model.remember(torch.arange(5.0)[:, None].expand(5, 16), torch.arange(5))
    assert (model.owner.tolist(), model.queue[:, 0].tolist()) == ([2, 3, 4], [2.0, 3.0, 4.0])


@pytest.mark.parametrize("same_video", [False, True])
def test_keys_of_the_asking_video_repel_only_where_asked(same_video):
    """A queue of nothing but own keys: without negatives the loss is 0."""
    model = method("rho_moco", queue=8, same_video=same_video)
    model.remember(normalize(torch.randn(8, 16), dim=1), torch.zeros(8, dtype=torch.long))
    loss = model(videos=random_batch(2, 1))["loss"].item()
    assert (loss > 1) == same_video and (loss < 1e-6) != same_video


def test_clips_of_nobody_are_strangers_to_each_other():
    """Anybody's tensors have no rows: every key repels."""
    model = method("rho_moco", queue=8)
    model(videos=Batch.of(torch.rand(2, 4, 3, 8, 16, 16)))
    assert model(videos=Batch.of(torch.rand(2, 4, 3, 8, 16, 16)))["loss"] > 1


def test_the_spread_is_0_for_one_point_and_near_1_over_root_d_all_around():
    assert spread(torch.ones(2, 5, 16) / 4) == 0
    around = spread(normalize(torch.randn(2, 4000, 16), dim=-1))
    assert around.item() == pytest.approx(1 / math.sqrt(16), rel=0.01)


def learned(name, steps=25, **options):
    model = method(name, **options).train()
    pool = fake_pool(24)
    optimiser = torch.optim.AdamW(model.learner.parameters(), 3e-3)
    logged = []
    batch = batches_of(model, pool)["videos"]
    for step in range(steps):
        model.begin(step, steps)
        values = model(videos=batch)
        optimiser.zero_grad()
        values["loss"].backward()
        optimiser.step()
        model.after(step)
        logged.append({key: value.item() for key, value in values.items()})
    return logged


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_on_videos_of_their_own_colours_and_does_not_collapse(name):
    logged = learned(name)
    assert logged[-1]["loss"] < 0.6 * logged[1]["loss"], logged
    assert logged[-1]["std"] > 0.3 / math.sqrt(16)
    assert name == "rho_byol" or logged[-1]["right"] > 0.6

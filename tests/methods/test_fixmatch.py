"""FixMatch: what sees what, one pass, the mean over all, and the numbers of public code."""

import numpy as np
import pytest
import torch
from helpers import batches_of, fake_pool, made, same_weights, tiny_profile
from official_numbers import numbers, randn
from torch.nn.functional import cross_entropy

from tblib.data.strong import Strong
from tblib.engine.loop import Plan, fit, read_log
from tblib.methods.pseudo import guesses, masked_cross_entropy

CPU = torch.device("cpu")


def fixmatch(**options):
    return made("fixmatch", tiny_profile(), **options).train()


@pytest.mark.parametrize("case", numbers("fixmatch")["cases"])
def test_the_loss_is_that_of_public_code(case):
    weak = case["scale"] * randn(12, case["classes"], seed=case["seed"])
    strong = randn(12, case["classes"], seed=case["seed"] + 100)
    guess = guesses("u", weak.softmax(1), case["tau"])
    assert float(guess.used.double().mean()) == pytest.approx(case["mask"])
    found = masked_cross_entropy(strong, guess.label, guess.used)
    assert float(found) == pytest.approx(case["loss"], rel=1e-9)


def test_weak_and_strong_show_the_same_time_in_other_pixels():
    method, pool = fixmatch(), fake_pool(8)
    stream = method.streams()["unlabelled"]
    weak, strong = stream.views.indices(80, np.random.default_rng(0))
    assert np.array_equal(weak, strong)
    assert type(stream.augment[1]) is Strong and stream.augment[0].jitter == 0
    weak, strong = batches_of(method, pool)["unlabelled"].clips
    assert (weak != strong).flatten(1).any(1).all()
    everything_off = fixmatch(magnitude=1e-9, cutout=0.0)
    weak, strong = batches_of(everything_off, pool)["unlabelled"].clips
    assert (weak[:, :, :1] != weak[:, :, 1:2]).any(), "the square moves"


def test_one_pass_for_all_clips():
    method, calls = fixmatch(), []
    method.learner.register_forward_pre_hook(lambda _, x: calls.append(len(x[0])))
    batches = batches_of(method, fake_pool(24, 8))
    method(**batches)
    assert calls == [len(batches["labelled"].label) + 2 * len(batches["unlabelled"].label)]


def test_no_gradient_flows_through_the_weak_view():
    method = fixmatch(tau=0.0).eval()
    batches = batches_of(method, fake_pool(24, 8))
    clips = batches["unlabelled"].clips.requires_grad_()
    method(**batches)["loss"].backward()
    assert clips.grad[0].abs().max() == 0 and clips.grad[1].abs().max() > 0


def test_the_loss_is_a_mean_over_all_and_nothing_below_the_threshold():
    method = fixmatch(tau=0.6).eval()
    batches = batches_of(method, fake_pool(24, 8))
    weak, strong = (method.learner(view) for view in batches["unlabelled"].clips)
    p, label = weak.detach().softmax(1).max(1)
    method.tau = float(p.median())
    values = method(**batches)
    each = cross_entropy(strong, label, reduction="none")
    used = p >= method.tau
    assert 0 < used.sum() < len(used)
    torch.testing.assert_close(values["unlabelled"], each[used].sum() / len(used))
    assert torch.equal(values["guess"].used, used)
    method.tau = 1.01
    assert method(**batches)["unlabelled"] == 0
    expected = values["supervised"] + method.weight * values["unlabelled"]
    torch.testing.assert_close(values["loss"], expected)


@pytest.mark.parametrize("decay", [0.999, None])
def test_the_average_is_kept_unless_there_is_none(decay, tmp_path):
    method, pool = fixmatch(decay=decay, tau=0.5), fake_pool(24, 8)
    kept = fit(method, pool, Plan(40, 1e-3, 0.01, 0, tmp_path), CPU)
    same = same_weights(kept.state_dict(), method.learner.state_dict())
    assert same == (decay is None)
    lines = read_log(tmp_path / "metrics.jsonl")
    assert all(0 <= line["guess_used"] <= 1 for line in lines)
    assert {"loss", "supervised", "unlabelled", "guess_right"} <= lines[0].keys()

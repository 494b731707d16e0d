"""TACL-style: other tempos in the strong views, thresholds by class, each part switchable."""

import numpy as np
import pytest
import torch
from helpers import batches_of, fake_pool, made, tiny_profile
from official_numbers import numbers
from torch.nn.functional import cross_entropy

from tblib.methods.semi.tacl import class_thresholds

BATCHES = batches_of(made("tacl", tiny_profile()), fake_pool(24, 8))


def tacl(classes=2, **options):
    return made("tacl", tiny_profile(), classes, **options)


@pytest.mark.parametrize("case", numbers("tacl")["cases"])
def test_thresholds_are_those_of_flexmatch(case):
    share = torch.tensor(case["counts"]) / case["videos"]
    found = class_thresholds(share, 0.95).tolist()
    assert found == pytest.approx(case["thresholds"], rel=1e-5, abs=1e-7)


def test_thresholds_fall_for_rarely_confident_classes():
    bars = class_thresholds(torch.tensor([0.6, 0.3, 0.1, 0.0]), 0.9)
    assert bars.tolist() == sorted(bars.tolist(), reverse=True)
    assert bars[0] == pytest.approx(0.9) and bars[1] == pytest.approx(0.3) and bars[3] == 0
    assert class_thresholds(torch.zeros(4), 0.9).max() == 0, "nothing has been confident yet"


def test_guesses_use_thresholds_so_far_and_then_count():
    method = tacl(3, momentum=0.5, tau=0.8)
    method.share.copy_(torch.tensor([0.8, 0.2, 0.0]))
    p = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.9, 0.05, 0.05], [0.2, 0.2, 0.6]])
    guess = method.guessed(p)
    assert guess.used.tolist() == [False, True, True, True]
    assert method.share.tolist() == pytest.approx([0.4 + 0.125, 0.1, 0.0])


def test_strong_views_show_other_frames_unless_switched_off():
    streams = [tacl(temporal=t).streams()["unlabelled"] for t in (True, False)]
    for seed in range(10):
        weak, constant, varying = streams[0].views.indices(80, np.random.default_rng(seed))
        assert not np.array_equal(weak, constant) and not np.array_equal(constant, varying)
        steps = [np.diff(row) for row in streams[1].views.indices(80, np.random.default_rng(seed))]
        assert all((step == 2).all() for step in steps)


def test_the_loss_by_hand():
    method = tacl(weight=2.0, weight_consistency=0.5, by_class=False).eval()
    method.tau = 0.0
    weak, *strong = (method.learner(view) for view in BATCHES["unlabelled"].clips)
    label = weak.argmax(1)
    values = method(**BATCHES)
    pseudo = sum(cross_entropy(q, label) for q in strong) / 2
    first, second = (q.softmax(1) for q in strong)
    consistency = (first - second).square().sum(1).mean()
    torch.testing.assert_close(values["unlabelled"], pseudo)
    torch.testing.assert_close(values["consistency"], consistency)
    total = values["supervised"] + 2 * (pseudo + 0.5 * consistency)
    torch.testing.assert_close(values["loss"], total)


def test_each_part_can_be_switched_off():
    method = tacl(by_class=False, weight_consistency=0.0).eval()
    values = method(**BATCHES)
    torch.testing.assert_close(values["loss"], values["supervised"] + values["unlabelled"])
    p = method.learner(BATCHES["unlabelled"].clips[0]).softmax(1).max(1).values
    assert torch.equal(values["guess"].used, p >= 0.95), "one threshold for all classes"


def test_the_shares_are_saved_with_a_state():
    assert "share" in tacl().state_dict()

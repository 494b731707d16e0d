"""LTG: a label from both networks, motion taught to frames and not back, numbers of public code."""

import math

import numpy as np
import pytest
import torch
from helpers import batches_of, fake_pool, made, tiny_profile
from official_numbers import numbers, randn
from torch.nn.functional import normalize

from tblib.data.modality import Motion
from tblib.errors import ConfigError
from tblib.methods.losses import alignment, cross_contrast
from tblib.models import Classifier, backbone, staged

BATCHES = batches_of(made("ltg", tiny_profile()), fake_pool(24, 8))


def ltg(**options):
    return made("ltg", tiny_profile(), **options)


@pytest.mark.parametrize("case", numbers("ltg")["cases"])
def test_alignment_and_contrast_are_those_of_public_code(case):
    own, other = (randn(3, 5, 2, 4, 4, seed=case["seed"] + s) for s in (0, 100))
    assert float(alignment(own, other).mean()) == pytest.approx(case["alignment"], rel=1e-7)
    z, y = (normalize(randn(6, 7, seed=case["seed"] + s), dim=1) for s in (200, 300))
    assert float(cross_contrast(z, y, 0.5)) == pytest.approx(case["contrast"], rel=1e-7)


def test_contrast_against_a_loop():
    torch.manual_seed(0)
    z, y = (normalize(torch.randn(5, 4), dim=1) for _ in range(2))
    total = 0.0
    for a, b in ((z, y), (y, z)):
        for i in range(5):
            each = [math.exp(float(a[i] @ b[j]) / 0.3) for j in range(5)]
            total -= math.log(each[i] / sum(each))
    assert float(cross_contrast(z, y, 0.3)) == pytest.approx(total / 10, rel=1e-5)
    assert float(cross_contrast(z[:1], z[:1], 0.3)) == 0


def test_frames_and_gradients_share_crop_and_time():
    for stream in ltg().streams().values():
        assert stream.same_crop
        kinds = [isinstance(augment, Motion) for augment in stream.augment]
        assert kinds == [False, True] * (len(kinds) // 2)
        index = stream.views.indices(80, np.random.default_rng(0))
        assert (index == index[0]).all()


def test_alignment_sends_no_gradient_into_the_network_of_gradients():
    method = ltg(stages=3).train()
    values = method(**BATCHES)
    values["alignment"].backward()
    assert all(p.grad is None for p in method.learner["gradient"].parameters())
    grads = [p.grad for p in method.classifier.backbone.parameters()]
    assert sum(g is not None and bool(g.abs().max() > 0) for g in grads) > len(grads) / 2


def test_alignment_is_at_several_stages_by_hand():
    method = ltg().eval()
    clips = [
        torch.cat([BATCHES["labelled"].clips[i], BATCHES["unlabelled"].clips[i]]) for i in (0, 1)
    ]
    maps = [
        staged(method.learner[name].backbone, part, 4)[1]
        for name, part in zip(("rgb", "gradient"), clips, strict=True)
    ]
    assert [m.shape[1] for m in maps[0]] == [16, 32, 64, 128]
    expected = 0.0
    for a, b in zip(*maps, strict=True):
        expected += 1 - (normalize(a, dim=1) * normalize(b, dim=1)).sum(1).mean()
    torch.testing.assert_close(method(**BATCHES)["alignment"], expected)


def test_the_guess_is_that_of_both():
    method = ltg(tau=0.0).eval()
    method.begin(99, 100)
    own, other = method.learner["rgb"], method.learner["gradient"]
    weak = BATCHES["unlabelled"].clips[:2]
    both = (own(weak[0]) + other(weak[1])).argmax(1)
    assert torch.equal(method(**BATCHES)["guess"].label, both)
    with torch.no_grad():
        other.head.bias.copy_(torch.tensor([0.0, 50.0]))
    assert method(**BATCHES)["guess"].label.eq(1).all(), "gradients have a voice"


def test_guesses_wait_until_it_is_warm_and_frames_alone_are_kept():
    method = ltg(tau=0.0).eval()
    for step, used in ((0, False), (16, False), (17, True)):
        method.begin(step, 100)
        assert method(**BATCHES)["guess"].used.all() == used
    assert method.kept is method.learner["rgb"]


def test_each_part_can_be_switched_off():
    names = {"alignment": "weight_alignment", "contrast": "weight_contrast"}
    full = ltg().eval()
    values = full(**BATCHES)
    for part, weight in names.items():
        without = ltg(**{weight: 0.0}).eval()(**BATCHES)["loss"]
        torch.testing.assert_close(values["loss"] - without, values[part])


def test_a_backbone_without_stages_in_a_row_is_refused():
    with torch.device("meta"):
        net = Classifier(backbone("slowfast_r50"), 2).backbone
    with pytest.raises(ConfigError, match="SlowFastR50 has not 4 stages in a row"):
        staged(net, torch.empty(1), 4)

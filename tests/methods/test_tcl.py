"""TCL: phases, one network at two rates, no gradient into the fast side, public code's numbers."""

import math
from dataclasses import replace

import pytest
import torch
from helpers import batches_of, fake_pool, made, tiny_profile
from official_numbers import numbers, randn

from tblib.methods.semi.tcl import group_contrast, instance_contrast

BATCHES = batches_of(made("tcl", tiny_profile()), fake_pool(24, 8))


def tcl(**options):
    return made("tcl", tiny_profile(), **options)


@pytest.mark.parametrize("case", numbers("tcl")["cases"])
def test_both_contrasts_are_those_of_the_official_code(case):
    fast, slow = (
        (case["scale"] * randn(case["videos"], case["classes"], seed=case["seed"] + s)).softmax(1)
        for s in (0, 100)
    )
    assert float(instance_contrast(fast, slow, 0.5)) == pytest.approx(case["instance"], rel=1e-6)
    assert float(group_contrast(fast, slow, 0.5)) == pytest.approx(case["group"], rel=1e-6)


def test_groups_against_a_loop():
    torch.manual_seed(1)
    fast, slow = ((3 * torch.randn(9, 3)).softmax(1) for _ in range(2))
    means = []
    for c in range(3):
        sides = [p[p.argmax(1) == c] for p in (fast, slow)]
        if all(len(side) for side in sides):
            means.append([side.mean(0) / side.mean(0).norm() for side in sides])
    rows = [m[0] for m in means] + [m[1] for m in means]
    total, n = 0.0, len(means)
    for i, row in enumerate(rows):
        each = {j: math.exp(float(row @ r) / 0.5) for j, r in enumerate(rows) if j != i}
        total -= math.log(each[(i + n) % (2 * n)] / sum(each.values()))
    assert float(group_contrast(fast, slow, 0.5)) == pytest.approx(total / (2 * n), abs=1e-6)


@pytest.mark.parametrize("guessed", [([0, 0], [0, 0]), ([0, 0], [1, 1])])
def test_with_one_class_or_none_in_common_groups_say_nothing(guessed):
    fast, slow = (0.9 * torch.eye(3)[list(g)] + 0.05 for g in guessed)
    slow.requires_grad_()
    loss = group_contrast(fast, slow, 0.5)
    loss.backward()
    assert loss == 0 and slow.grad.abs().max() < 1e-6


@pytest.mark.parametrize("step, phase", [(0, 0), (12, 0), (13, 1), (87, 1), (88, 2), (99, 2)])
def test_the_three_phases(step, phase):
    method, calls = tcl(tau=0.0).train(), []
    method.learner.register_forward_pre_hook(lambda _, x: calls.append(len(x[0])))
    method.begin(step, 100)
    values = method(**BATCHES)
    sizes = [len(BATCHES["labelled"].label), len(BATCHES["unlabelled"].label)]
    assert calls == [sizes[0] + (0, 2, 1)[phase] * sizes[1]], "one network, one pass"
    assert (values["instance"] > 0) == (phase == 1)
    assert (values["unlabelled"] > 0) == (phase == 2) == bool(values["guess"].used.any())
    parts = 9 * values["instance"] + values["group"] + values["unlabelled"]
    torch.testing.assert_close(values["loss"], values["supervised"] + parts)


def test_no_gradient_flows_through_the_fast_clip():
    method = tcl().eval()
    method.begin(50, 100)
    clips = BATCHES["unlabelled"].clips.clone().requires_grad_()
    unlabelled = replace(BATCHES["unlabelled"], clips=clips)
    method(BATCHES["labelled"], unlabelled)["loss"].backward()
    assert clips.grad[0].abs().max() == 0 and clips.grad[1].abs().max() > 0


@pytest.mark.parametrize("part, option", [("instance", "gamma"), ("group", "beta")])
def test_each_part_can_be_switched_off(part, option):
    values, without = tcl().eval(), tcl(**{option: 0.0}).eval()
    for method in (values, without):
        method.begin(50, 100)
    full = values(**BATCHES)
    weight = {"instance": 9, "group": 1}[part]
    torch.testing.assert_close(full["loss"] - without(**BATCHES)["loss"], weight * full[part])

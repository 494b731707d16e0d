"""UPS: rounds of new networks, the gates and negatives of the public code, balance."""

import pytest
import torch
from helpers import batches_of, fake_pool, made, same_weights, tiny_profile
from official_numbers import numbers, randn

from tblib.engine.loop import Plan, fit
from tblib.methods.pseudo import balanced, negative_cross_entropy

OFFICIAL = numbers("ups")
CPU = torch.device("cpu")


def ups(classes=2, **options):
    return made("ups", tiny_profile(), classes, **options).train()


@pytest.mark.parametrize("case", OFFICIAL["cases"])
def test_negative_learning_is_that_of_the_public_code(case):
    logits = randn(8, case["classes"], seed=case["seed"])
    not_these = randn(8, case["classes"], seed=case["seed"] + 100) > 0.8
    not_these[0] = False
    found = negative_cross_entropy(logits, not_these)
    assert float(found) == pytest.approx(case["loss"], rel=1e-7)


@pytest.mark.parametrize("case", OFFICIAL["selections"])
def test_the_choice_is_that_of_the_public_code(case):
    shape, seed = (case["clips"], case["classes"]), case["seed"]
    middle = case["scale"] * randn(*shape, seed=seed)
    passes = [randn(*shape, seed=1000 + 100 * seed + i) for i in range(10)]
    logits = torch.stack([middle + case["noise"] * noise for noise in passes])
    method = ups(case["classes"], balance=case["balance"])
    method.tau_n = 0.05
    guess, negative = method.chosen(logits)
    assert guess.used.nonzero()[:, 0].tolist() == case["positives"]
    assert guess.label[guess.used].tolist() == case["targets"]
    assert negative.sum() == case["negatives"]
    assert negative.any(1).nonzero()[:, 0].tolist() == case["negative_rows"]


def test_the_most_probable_class_is_never_a_negative():
    method = ups(5)
    method.tau_n = method.kappa_n = 2.0  # everything passes
    logits = torch.randn(10, 30, 5)
    guess, negative = method.chosen(logits)
    assert not negative.gather(1, guess.label[:, None]).any()
    assert (negative.sum(1)[~guess.used] == 4).all() and not negative[guess.used].any()


def test_the_threshold_of_negatives_is_scaled_with_the_number_of_classes():
    assert [ups(k).tau_n for k in (2, 10, 400)] == pytest.approx([0.25, 0.05, 0.00125])


def test_balance_keeps_the_most_certain_of_every_class():
    label = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2])
    uncertainty = torch.tensor([4, 1, 3, 2, 5, 6, 9, 8, 7.0])
    used = torch.ones(9, dtype=torch.bool)
    kept = balanced(label, uncertainty, used, 3, least=1)
    assert kept.tolist() == [False, True, False, True, True, True, False, True, True]
    assert balanced(label, uncertainty, used, 3, least=3).sum() == 3 + 2 + 3
    assert balanced(label, 0 * uncertainty, used, 4, least=1).sum() == 3, "ties, and a class alone"
    assert not balanced(label, uncertainty, ~used, 3, least=2).any()


def test_weights_are_new_at_each_round_and_the_last_network_is_remembered(tmp_path):
    method, seen = ups(rounds=3), []
    real = method.begin

    def begin(step, steps):
        before = {k: v.clone() for k, v in method.learner.state_dict().items()}
        real(step, steps)
        new = not same_weights(before, method.learner.state_dict())
        remembered = same_weights(before, method.last.state_dict())
        seen.append((method.first, new, remembered))

    method.begin = begin
    fit(method, fake_pool(24, 8), Plan(7, 1e-3, 0, 0, tmp_path), CPU)
    starts = [step for step, (_, new, _) in enumerate(seen) if new]
    assert starts == [3, 6] and all(seen[step][2] for step in starts)
    assert [first for first, _, _ in seen] == [True] * 3 + [False] * 4


def test_learning_rate_and_optimiser_begin_again_with_each_round():
    method = ups(rounds=3)
    assert [method.round_of(step, 7) for step in range(7)] == [
        *[(0, 3), (1, 3), (2, 3)],
        *[(0, 3), (1, 3), (2, 3)],
        (0, 1),
    ]


def test_passes_with_dropout_differ_and_leave_the_buffers_alone():
    method = ups()
    method.begin(1, 3)
    before = {k: v.clone() for k, v in method.last.state_dict().items()}
    values = method(**batches_of(method, fake_pool(24, 8)))
    assert same_weights(before, method.last.state_dict())
    assert values["negatives_each"] >= 0 and method.learner.dropout.p == 0.3


@pytest.mark.parametrize("gate", [{"kappa_p": 1e-9}, {"tau_p": 1.1}])
def test_each_gate_closes(gate):
    method = ups(**gate)
    method.begin(1, 3)
    values = method(**batches_of(method, fake_pool(24, 8)))
    assert not values["guess"].used.any() and values["positive"] == 0

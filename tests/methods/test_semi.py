"""TimeBalance: frozen teachers, the mixed target, and where gradients go."""

import copy

import numpy as np
import pytest
import torch
from helpers import TINY, fake_pool, made, same_weights, tiny_profile
from torch.nn.functional import cross_entropy

from tblib.data.loader import Batch
from tblib.engine.loop import Plan, fit
from tblib.errors import ConfigError
from tblib.methods import registry
from tblib.methods.semi import METHODS, Supervised, TimeBalance
from tblib.models import Classifier, backbone
from tblib.settings.profiles import load_profile

K = 3
SCORE = torch.tensor([0.0, 1.0, 0.3, 0.8, 0.5, 0.6])


def classifier(seed):
    torch.manual_seed(seed)
    return Classifier(backbone("tiny_r3d"), K)


def time_balance(score=SCORE, **options):
    return TimeBalance(classifier(3), (classifier(1), classifier(2)), score, **options)


def batch(rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.tensor(rows)
    return Batch(torch.rand(1, len(rows), 3, 8, 16, 16, generator=generator), rows % K, rows)


def test_the_shelf():
    assert METHODS["supervised"] is Supervised and METHODS["timebalance"] is TimeBalance
    for name in METHODS:
        first, *_ = registry.sections(name)
        options = getattr(tiny_profile(), first)
        assert options.lr > 0 and options.weight_decay >= 0, name
        assert registry.clips_per_step(tiny_profile(), name) > 0 and registry.helpers(name) >= 0


def test_the_clips_of_a_step_are_those_of_its_streams():
    profile = tiny_profile(student__batch_labelled=3, student__batch_unlabelled=4)
    for name in METHODS:
        rng, streams = np.random.default_rng(0), made(name, profile).streams().values()
        asked = sum(stream.batch * len(stream.views.indices(99, rng)) for stream in streams)
        assert registry.clips_per_step(profile, name) == asked
    assert registry.helpers("timebalance") == len(time_balance().teachers)
    assert registry.sections("joint") == ("pretrain",) and registry.helpers("joint") == 0


def test_an_unknown_method_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match="no method 'fixmatsch'; the shelves have invariant, "):
        registry.sections("fixmatsch")


def test_teachers_stay_bit_identical_frozen_and_in_eval_mode(tmp_path):
    model, videos = time_balance(score=torch.rand(8)), fake_pool(8)
    before = copy.deepcopy(model.teachers.state_dict())
    student = copy.deepcopy(model.learner.state_dict())
    model.train()
    assert model.learner.training
    assert not any(module.training for module in model.teachers.modules())
    fit(model, videos, Plan(3, 1e-3, 0.1, 0, tmp_path), torch.device("cpu"))
    assert same_weights(before, model.teachers.state_dict()), "weights and batch-norm buffers"
    assert not same_weights(student, model.learner.state_dict())
    assert not any(p.requires_grad or p.grad is not None for p in model.teachers.parameters())


def test_gradients_reach_the_student_and_nothing_else():
    model = time_balance().train()
    model(batch([0, 1]), batch([2, 3]))["loss"].backward()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {f"learner.{name}" for name, _ in model.learner.named_parameters()}


def test_the_target_is_the_mixture_with_the_score_of_each_row():
    model, clips = time_balance(), batch([0, 1, 2]).clips[0]
    row = torch.tensor([5, 1, 0])
    target = model.target(clips, row)
    first, second = (t(clips).softmax(1) for t in model.teachers)
    for i, s in enumerate([0.6, 1.0, 0.0]):
        torch.testing.assert_close(target[i], s * first[i] + (1 - s) * second[i])
    assert not target.requires_grad
    torch.testing.assert_close(target.sum(1), torch.ones(3))


@pytest.mark.parametrize("s,teacher", [(1.0, 0), (0.0, 1)])
def test_extreme_scores_give_one_teacher_exactly(s, teacher):
    model, clips = time_balance(score=torch.full((6,), s)), batch([0, 1, 2]).clips[0]
    expected = model.teachers[teacher](clips).softmax(1)
    assert torch.equal(model.target(clips, torch.arange(3)), expected)


@pytest.mark.parametrize("distance", ["l2", "kl"])
def test_the_loss_by_hand(distance):
    weights = {"weight_labelled": 0.7, "weight_unlabelled": 1.3}
    model = time_balance(distance=distance, **weights).eval()
    labelled, unlabelled = batch([4, 1, 2]), batch([0, 3], seed=1)
    values = model(labelled, unlabelled)
    parts = []
    for part in (labelled, unlabelled):
        q, clips = model.learner(part.clips[0]).softmax(1), part.clips[0]
        s = SCORE[part.row][:, None]
        p = s * model.teachers[0](clips).softmax(1) + (1 - s) * model.teachers[1](clips).softmax(1)
        error = (q - p).square() if distance == "l2" else p * (p.log() - q.log())
        parts.append(error.sum(1).mean())
    supervised = cross_entropy(model.learner(labelled.clips[0]), labelled.label)
    torch.testing.assert_close(values["supervised"], supervised)
    torch.testing.assert_close(values["labelled"], parts[0])
    torch.testing.assert_close(values["unlabelled"], parts[1])
    torch.testing.assert_close(values["loss"], supervised + 0.7 * parts[0] + 1.3 * parts[1])


def test_student_and_teachers_see_exactly_the_same_clips():
    model, seen = time_balance().train(), {"student": [], "inv": [], "dist": []}
    modules = {"student": model.learner, "inv": model.teachers[0], "dist": model.teachers[1]}
    for name, module in modules.items():
        module.register_forward_pre_hook(lambda _, x, name=name: seen[name].append(x[0]))
    model(batch([0, 1]), batch([2, 3, 4], seed=1))
    student = torch.cat(seen["student"])
    assert torch.equal(student, torch.cat(seen["inv"]))
    assert torch.equal(student, torch.cat(seen["dist"]))


def test_labels_of_unlabelled_videos_have_no_influence():
    model, unlabelled = time_balance().eval(), batch([2, 3])
    other = Batch(unlabelled.clips, (unlabelled.label + 1) % K, unlabelled.row)
    first, second = model(batch([0, 1]), unlabelled), model(batch([0, 1]), other)
    assert torch.equal(first["loss"], second["loss"])


def test_streams_name_their_pools_and_sizes():
    overrides = {"student.batch_labelled": 3, "student.batch_unlabelled": 5}
    profile = load_profile("smoke", TINY | overrides)
    streams = made("timebalance", profile).streams()
    assert {name: (s.pool, s.batch) for name, s in streams.items()} == {
        "labelled": ("labelled", 3),
        "unlabelled": ("unlabelled", 5),
    }
    (stream,) = made("supervised", profile, pool="train").streams().values()
    assert (stream.pool, stream.batch, stream.tells) == ("known", 4, True)


def test_supervised_loss_is_the_cross_entropy():
    model, labelled = Supervised(classifier(0)).eval(), batch([0, 1, 2, 4])
    logits, values = model.learner(labelled.clips[0]), model(labelled)
    torch.testing.assert_close(values["loss"], cross_entropy(logits, labelled.label))
    right = (logits.argmax(1) == labelled.label).float().mean()
    torch.testing.assert_close(values["accuracy"], right)


def test_a_student_can_learn_from_its_teachers_alone():
    """Without labels in the loss, distillation pulls the student to the mixture."""
    model = time_balance(weight_labelled=0.0).train()
    unlabelled = batch(range(6))
    optimiser = torch.optim.Adam(model.learner.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        losses.append(model(batch([0, 1]), unlabelled)["unlabelled"])
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]

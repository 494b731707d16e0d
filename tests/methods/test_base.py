"""What every method keeps to, whichever it is: tests that run over the whole registry."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import batches_of, fake_pool, made, same_weights, tiny_profile
from torch.nn.modules.batchnorm import _BatchNorm

from tblib.data.loader import Batch
from tblib.data.table import NO_LABEL
from tblib.engine.loop import Plan, fit, read_log
from tblib.engine.truth import Guesses
from tblib.methods import Supervised, TimeBalance, registry, semi
from tblib.methods.base import Method
from tblib.methods.job import Job
from tblib.models import Classifier, backbone

CPU = torch.device("cpu")
VIDEOS, LABELLED = 24, 8
ALL = sorted(registry.METHODS)
SEMI = sorted(semi.METHODS)
# What switches off all that a system learns from other than the labels; `weight` where not named.
OFF = {
    "supervised": {},
    "mt_sd": {"weight_consistency": 0.0, "weight_image": 0.0},
    "videosemi": {"weight_pseudo": 0.0, "weight_image": 0.0},
    "timebalance": {"weight_labelled": 0.0, "weight_unlabelled": 0.0},
    "mvpl": {"weight": 0.0, "inputs": "rgb"},
    "ltg": {
        "weight": 0.0,
        "weight_alignment": 0.0,
        "weight_contrast": 0.0,
        "weight_labelled": 1.0,
    },
    "s4l": {"weight": 0.0, "turned_classes": False},
    "ups": {"weight": 0.0, "dropout": 0.0},
}


def small(**overrides):
    """A profile whose steps are as small as each method allows."""
    sizes = {"pretrain__batch": 2, "finetune__batch": 4, "student__batch_labelled": 2}
    return tiny_profile(**sizes | {"student__batch_unlabelled": 2} | overrides)


def trained(name, folder, pool, steps=3, **options):
    plan = Plan(steps, 1e-3, 0.01, seed=1, folder=folder, checkpoint_every=2)
    method = made(name, small(), rows=VIDEOS, **options)
    return fit(method, pool, plan, CPU).state_dict()


@pytest.mark.parametrize("name", ALL)
def test_hidden_truths_change_no_weight(name, tmp_path):
    """A method must not see the class of an unlabelled video, not even by accident."""
    pool = fake_pool(VIDEOS, LABELLED)
    hidden = pool.roles.to_numpy() == "unlabelled"
    other = pool.labels.copy()
    other[hidden] = np.random.default_rng(0).permutation(other[hidden])
    assert (other != pool.labels).any()
    first = trained(name, tmp_path / "one", pool)
    assert same_weights(first, trained(name, tmp_path / "two", replace(pool, labels=other)))


@pytest.mark.parametrize("name", ALL)
def test_a_batch_tells_labels_of_labelled_videos_only(name):
    for stream in made(name, small()).streams().values():
        assert stream.tells == (stream.pool == "labelled")


@pytest.mark.parametrize("name", ALL)
def test_declared_clips_of_a_step_are_those_it_asks_for(name):
    profile, rng = tiny_profile(), np.random.default_rng(0)
    method = made(name, profile)
    asked = [s.batch * s.views.indices(99, rng).size for s in method.streams().values()]
    copies = getattr(method, "copies", 1)  # of each clip, such as its quarter turns
    clips = copies * sum(asked) / registry.frames(profile, name)
    assert 0.7 < clips / registry.clips_per_step(profile, name) <= 1  # a rest is left over


@pytest.mark.parametrize("name", ALL)
def test_the_same_after_an_interruption(name, tmp_path):
    pool, whole = fake_pool(VIDEOS, LABELLED), tmp_path / "whole"
    expected = trained(name, whole, pool, steps=5)
    method, folder = made(name, small(), rows=VIDEOS), tmp_path / "cut"
    plan = Plan(5, 1e-3, 0.01, seed=1, folder=folder, checkpoint_every=2)
    real, calls = method.forward, []

    def stops(**batches):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(**batches)

    method.forward = stops
    with pytest.raises(KeyboardInterrupt):
        fit(method, pool, plan, CPU)
    again = fit(made(name, small(), rows=VIDEOS), pool, plan, CPU)
    assert same_weights(expected, again.state_dict())
    logs = [read_log(place / "metrics.jsonl") for place in (whole, folder)]
    assert logs[0] == logs[1]


def gradients(method, network, batches):
    """Gradients of a network, with batch norm by running statistics: no clip sees another."""
    for module in method.train().modules():
        if isinstance(module, _BatchNorm):
            module.eval()
    method.zero_grad()
    method(**batches)["loss"].backward()
    return {name: p.grad.clone() for name, p in network.named_parameters()}


@pytest.mark.parametrize("name", SEMI)
def test_with_weight_0_on_everything_unlabelled_it_is_supervised(name):
    pool = fake_pool(VIDEOS, LABELLED)
    method = made(name, small(), rows=VIDEOS, **OFF.get(name, {"weight": 0.0}))
    method.begin(90, 100)
    network, batches = getattr(method, "classifier", method.learner), batches_of(method, pool)
    found = gradients(method, network, batches)
    plain = Supervised(copy.deepcopy(network))
    expected = gradients(plain, plain.learner, {"labelled": batches["labelled"]})
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, msg=f"{name} {key}")


@pytest.mark.parametrize("name", SEMI)
def test_what_is_kept_is_a_plain_classifier(name, tmp_path):
    method, pool = made(name, small(), rows=VIDEOS), fake_pool(VIDEOS, LABELLED)
    kept = fit(method, pool, Plan(2, 1e-3, 0.01, seed=1, folder=tmp_path), CPU)
    plain = Classifier(backbone("tiny_r3d"), 2)
    plain.load_state_dict(kept.state_dict())
    clips = torch.rand(3, 3, 8, 16, 16)
    assert torch.equal(plain.eval()(clips), kept(clips))


@pytest.mark.parametrize("classes", [2, 400])
@pytest.mark.parametrize("name", SEMI)
def test_still_clips_of_one_class_give_numbers(name, classes):
    """No variance over a batch, no motion, one class in it, and two or four hundred there are."""
    method = made(name, small(), classes, rows=VIDEOS).train()
    pool = fake_pool(VIDEOS, LABELLED, classes=1)
    for row in range(VIDEOS):
        pool.cache[row][:] = 90
    for step, steps in ((0, 1), (0, 100), (50, 100), (99, 100)):
        method.begin(step, steps)
        values = method(**batches_of(method, pool, step))
        values["loss"].backward()
        method.after(step)
        numbers = [v for v in values.values() if not isinstance(v, Guesses)]
        assert all(torch.isfinite(value) for value in numbers)
    grads = [p.grad for p in method.learner.parameters() if p.grad is not None]
    assert grads and all(torch.isfinite(grad).all() for grad in grads)


def test_trainings_of_one_seed_start_from_weights_of_their_own():
    """f_I, f_D, CVRL and a classifier without pretraining are four networks, not one."""
    jobs = [Job(f"ssl_{kind}", kind, 1, 0) for kind in ("invariant", "distinctive", "cvrl")]
    starts = []
    for job in [*jobs, Job("supervised_scratch", "supervised", 1, 0)]:
        torch.manual_seed(job.weights_seed)
        starts.append(registry.fresh(job.method, tiny_profile()).learner.backbone.state_dict())
    first = [next(iter(weights.values())) for weights in starts]
    assert not any(torch.equal(a, b) for i, a in enumerate(first) for b in first[:i])
    torch.manual_seed(jobs[0].weights_seed)
    again = registry.fresh("invariant", tiny_profile()).learner.backbone.state_dict()
    assert same_weights(starts[0], again)


def test_seeds_and_names_of_a_job_both_count():
    seeds = {Job(name, "joint", 1, seed).weights_seed for name in "ab" for seed in (0, 1)}
    assert len(seeds) == 4 and all(seed < 2**63 for seed in seeds)


def test_options_of_a_job_are_the_same_whatever_their_order():
    first = Job("a", "timebalance", 1, 0, options={"distance": "kl", "batch": 2})
    assert first == Job("a", "timebalance", 1, 0, options=[["distance", "kl"], ["batch", 2]])
    assert hash(first) and "('distance', 'kl')" in repr(first)


def test_timebalance_trains_on_anybodys_tensors_in_anybodys_loop():
    """No profile, no files: networks, tensors and numbers are enough."""
    torch.manual_seed(0)
    student, first, second = (Classifier(backbone("tiny_r3d"), 3) for _ in range(3))
    method = TimeBalance(student, (first, second), score=torch.rand(10))
    before = copy.deepcopy(student.state_dict())
    optimiser = torch.optim.SGD(method.learner.parameters(), lr=0.1)
    labelled = Batch.of(torch.rand(4, 3, 8, 16, 16), label=torch.arange(4) % 3, row=torch.arange(4))
    unlabelled = Batch.of(torch.rand(5, 3, 8, 16, 16), row=torch.arange(4, 9))
    assert unlabelled.label.eq(NO_LABEL).all()
    values = method.train()(labelled=labelled, unlabelled=unlabelled)
    values["loss"].backward()
    optimiser.step()
    assert not same_weights(before, student.state_dict())


class Following(Supervised):
    """Keeps an average of its learner, and says what it takes the clips to be."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.average, self.told = copy.deepcopy(self.learner), []

    @property
    def kept(self):
        """The average."""
        return self.average

    def begin(self, step, steps):
        """Note the call."""
        self.told.append((step, steps))

    def after(self, step):
        """Take half of the learner."""
        for mine, new in zip(self.average.parameters(), self.learner.parameters(), strict=True):
            mine.data.lerp_(new.data, 0.5)

    def forward(self, labelled):
        """Guess that everything is class 1 and use the first half."""
        label = torch.ones_like(labelled.label)
        used = torch.arange(len(label)) < len(label) // 2
        return super().forward(labelled) | {"guess": Guesses("labelled", label, used)}


def test_the_loop_calls_hooks_keeps_what_is_kept_and_logs_guesses(tmp_path):
    torch.manual_seed(0)
    method = Following(Classifier(backbone("tiny_r3d"), 2), batch=4)
    kept = fit(method, fake_pool(8), Plan(3, 1e-3, 0, 0, tmp_path, checkpoint_every=1), CPU)
    assert kept is method.average and not kept.training
    assert method.told == [(0, 3), (1, 3), (2, 3)]
    lines = read_log(tmp_path / "metrics.jsonl")
    assert all(line["guess_used"] == 0.5 and 0 <= line["guess_right"] <= 1 for line in lines)


def test_a_share_of_nothing_is_null_in_the_log(tmp_path):
    class Silent(Following):
        def forward(self, labelled):
            values = super().forward(labelled)
            guess = replace(values["guess"], used=torch.zeros(len(labelled.label), dtype=bool))
            return values | {"guess": guess}

    method = Silent(Classifier(backbone("tiny_r3d"), 2), batch=4)
    fit(method, fake_pool(8), Plan(2, 1e-3, 0, 0, tmp_path), CPU)
    assert [line["guess_right"] for line in read_log(tmp_path / "metrics.jsonl")] == [None, None]


def test_every_method_is_one():
    assert all(issubclass(method, Method) for method in registry.METHODS.values())

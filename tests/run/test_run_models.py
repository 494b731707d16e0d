"""Finished models put to use: students by variant, predictions, features."""

import numpy as np
import pytest
import torch
from helpers import same_weights, tiny_profile

from tblib.engine import checkpoint
from tblib.errors import ConfigError
from tblib.methods import registry
from tblib.methods.job import Job
from tblib.models import Classifier, backbone
from tblib.plan.stages import chapter_jobs
from tblib.run.directory import open_run
from tblib.run.features import features
from tblib.run.models import (
    build_method,
    other_pretrainings,
    other_teachers,
    predict,
    student_job,
)
from tblib.study.grid import cells, pretrainings


@pytest.fixture
def run(tmp_path, tiny_root, monkeypatch):
    """A run of sixteen tiny videos of two classes, with one pretraining and one classifier."""
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    config = tiny_profile(data__dataset="ucf101", data__root=str(tiny_root))
    run = open_run(config, tmp_path / "run", 1)
    torch.manual_seed(1)
    encoder = registry.fresh("joint", config).learner
    checkpoint.save_model(run.folder("ssl_joint"), encoder.state_dict(), {})
    classifier = Classifier(backbone("tiny_r3d"), 2)
    checkpoint.save_model(run.folder("teacher"), classifier.state_dict(), {})
    return run


@pytest.mark.parametrize("variant", ["reweighted", "invariant_only", "shuffled", "oracle"])
def test_a_control_differs_from_the_method_in_its_score_only(variant):
    job, method = (student_job(tiny_profile(), name) for name in (variant, "reweighted"))
    assert (job.name, job.score) == (f"student_{variant}", variant)
    assert (job.init, job.teachers, job.steps) == (method.init, method.teachers, method.steps)
    assert job.needs == ("ssl_joint", "teacher_invariant", "teacher_distinctive")


def test_any_two_pretrainings_can_be_the_teachers():
    config = tiny_profile(student__teachers=("rho_byol", "joint"), pretrain__steps_invariant=7)
    assert student_job(config, "average").teachers == ("teacher_rho_byol", "teacher_joint")
    assert [(j.name, j.method, j.steps) for j in other_pretrainings(config)] == [
        ("ssl_rho_byol", "rho_byol", 7)
    ]
    found = [(j.name, j.method, j.init) for j in other_teachers(config)]
    assert found == [
        ("teacher_rho_byol", "supervised", "ssl_rho_byol"),
        ("teacher_joint", "supervised", "ssl_joint"),
    ]
    planned = {j.name for part in chapter_jobs(config).values() for j in part}
    studied = {j.name for j in pretrainings(config, "main")}
    studied |= {cell.job.name for cell in cells(config, "main")}
    for names in (planned, studied):
        assert {"ssl_rho_byol", "teacher_rho_byol", "teacher_joint"} <= names
        assert set(student_job(config, "average").needs) <= names


def test_the_teachers_of_the_book_are_not_written_so_that_runs_keep_their_names():
    plain, named = tiny_profile(), tiny_profile(student__teachers=("invariant", "distinctive"))
    assert plain.digest() == named.digest() and "teachers" not in plain.model_dump()["student"]
    assert other_pretrainings(plain) == other_teachers(plain) == []
    other = tiny_profile(student__teachers=("distinctive", "invariant"))
    assert other.digest() != plain.digest()
    assert type(plain).model_validate(other.model_dump(mode="json")) == other


@pytest.mark.parametrize(
    "names, said", [(("byol", "joint"), "'byol' is no pretraining"), (("joint",) * 2, "twice")]
)
def test_teachers_that_are_not_there_are_refused_in_words(names, said):
    with pytest.raises(ConfigError, match=said):
        registry.check_profile(tiny_profile(student__teachers=names))


def test_random_init_and_kl_change_nothing_but_that():
    random, kl = (student_job(tiny_profile(), name) for name in ("random_init", "kl"))
    assert (random.init, random.score, random.options) == ("", "reweighted", ())
    assert (kl.init, kl.score) == ("ssl_joint", "reweighted")
    assert kl.options == (("distance", "kl"),)
    assert student_job(tiny_profile(student__init="random"), "reweighted").init == ""


def test_a_method_starts_from_the_weights_its_job_names(run):
    ssl = checkpoint.load_weights(run.folder("ssl_joint"))
    again = build_method(run, Job("a", "distinctive", 1, 0, init="ssl_joint"))
    assert same_weights(ssl, again.learner.state_dict())
    tuned = build_method(run, Job("b", "supervised", 1, 0, init="ssl_joint"))
    body = {f"backbone.{k}": v for k, v in tuned.learner.backbone.state_dict().items()}
    assert same_weights({k: v for k, v in ssl.items() if k in body}, body)


def test_predictions_are_probabilities_per_video_in_the_order_of_rows(run):
    rows = np.array([5, 0, 9])
    p = predict(run, "teacher", rows)
    assert p.shape == (3, 2)
    torch.testing.assert_close(p.sum(1), torch.ones(3))
    torch.testing.assert_close(predict(run, "teacher", rows[::-1]).flip(0), p)


@pytest.mark.parametrize("name", ["ssl_joint", ""])
def test_features_are_repeatable_also_of_an_untrained_network(run, name):
    rows = np.arange(3)
    first = features(run, name, rows, 4)
    torch.rand(3)  # whatever happened before must not matter
    assert first.shape == (3, 4, 128)
    assert torch.equal(first, features(run, name, rows, 4))
    projected = features(run, name, rows, 4, projected=True)
    assert projected.shape == (3, 4, 16)
    torch.testing.assert_close(projected.norm(dim=-1), torch.ones(3, 4))

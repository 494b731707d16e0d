"""Testing videos by ten clips, accuracies, probes and time retrieval."""

import multiprocessing

import numpy as np
import pytest
import torch
from helpers import FakeCache
from joblib import Parallel, delayed
from torch import nn

from tblib.data.augment import centre_crop
from tblib.data.clips import UniformClips
from tblib.data.loader import to_input
from tblib.engine.evaluate import (
    accuracy,
    clip_probabilities,
    encode,
    knn_probe,
    linear_probe,
    per_class_accuracy,
    time_retrieval,
    video_probabilities,
)
from tblib.errors import ConfigError, UserError
from tblib.models import Classifier, backbone, pool

CPU, VIEWS = torch.device("cpu"), UniformClips(8, 2, 10)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Classifier(backbone("tiny_r3d"), 3).train()


def test_video_probability_is_the_mean_over_ten_evenly_spaced_centre_crops(model):
    cache, rows = FakeCache(4), np.array([2, 0])
    clips = clip_probabilities(model, cache, rows, VIEWS, 16, CPU)
    assert clips.shape == (2, 10, 3)
    assert not model.training
    for at, row in enumerate(rows):
        video, expected = cache[row], []
        for start in np.linspace(0, len(video) - 16, 10).round().astype(int):
            frames = centre_crop(video[start : start + 16 : 2], 16, 0.8)
            x = to_input(torch.from_numpy(frames)[None])
            expected.append(model(x).softmax(1)[0].detach())
        torch.testing.assert_close(clips[at], torch.stack(expected), atol=1e-5, rtol=0)
        mean = torch.stack(expected).mean(0)
        torch.testing.assert_close(video_probabilities(clips)[at], mean, atol=1e-5, rtol=0)


@pytest.mark.parametrize("batch", [1, 7, 10, 25, 1000])
def test_the_batch_size_does_not_change_results(batch):
    def total(x):
        return x.double().sum(dim=(1, 2, 3, 4))

    rows = np.arange(5)
    whole = encode(total, FakeCache(5), rows, VIEWS, 16, CPU, batch=10_000)
    torch.testing.assert_close(encode(total, FakeCache(5), rows, VIEWS, 16, CPU, batch), whole)
    assert whole.shape == (5, 10)


def test_processes_that_cut_the_clips_change_nothing_and_draw_no_random_number():
    def total(x):
        return x.double().sum(dim=(1, 2, 3, 4))

    torch.manual_seed(3)
    drawn, rows = torch.rand(1), np.array([4, 0, 2])
    torch.manual_seed(3)
    alone, both = (encode(total, FakeCache(5), rows, VIEWS, 16, CPU, 12, workers=n) for n in (0, 2))
    assert torch.equal(alone, both)
    assert torch.equal(torch.rand(1), drawn)


def test_a_worker_that_trains_may_have_processes_that_cut_clips():
    """Joblib gives its workers a start method that torch's loaders do not know."""
    rows = np.array([1, 0])
    alone = encode(nn.Flatten(), FakeCache(3), rows, VIEWS, 16, CPU)
    call = delayed(encode)(nn.Flatten(), FakeCache(3), rows, VIEWS, 16, CPU, workers=1)
    inside = Parallel(n_jobs=2)([call, call])
    assert all(torch.equal(found, alone) for found in inside)


def test_a_killed_process_that_cuts_clips_is_one_sentence():
    def kill(clips):
        for child in multiprocessing.active_children():
            if isinstance(child, multiprocessing.context.ForkProcess):  # not joblib's
                child.kill()
                child.join()
        return clips.flatten(1)

    with pytest.raises(UserError, match="a process that prepares batches was killed"):
        encode(kill, FakeCache(60), np.arange(60), VIEWS, 16, CPU, batch=10, workers=1)


def test_no_video_at_all_is_one_sentence():
    with pytest.raises(ConfigError, match="a pool of videos is empty; lower data.label_fraction"):
        encode(nn.Flatten(), FakeCache(3), np.arange(0), VIEWS, 16, CPU)


def test_features_are_pooled_backbone_outputs_without_gradient(model):
    model.eval()
    features = encode(lambda x: pool(model.backbone(x)), FakeCache(2), np.arange(2), VIEWS, 16, CPU)
    assert features.shape == (2, 10, 128)
    assert not features.requires_grad
    frames = centre_crop(FakeCache(2)[1][:16:2], 16, 0.8)
    alone = pool(model.backbone(to_input(torch.from_numpy(frames)[None])))[0]
    torch.testing.assert_close(features[1, 0], alone.detach(), atol=1e-5, rtol=0)


def test_accuracies_by_hand():
    p = torch.tensor([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.5, 0.3], [0.8, 0.1, 0.1]])
    label = torch.tensor([0, 1, 1, 0])
    assert accuracy(p, label) == 75
    by_class = per_class_accuracy(p, label, 3)
    assert by_class[:2].tolist() == [100, 50]
    assert np.isnan(by_class[2]), "a class without videos has no accuracy"


def test_time_retrieval_is_one_for_distinct_and_chance_for_equal_clips():
    distinct = torch.eye(8).expand(5, 8, 8)
    assert time_retrieval(distinct, 3 * distinct).tolist() == [1] * 5
    same = torch.ones(5, 8, 4)
    assert time_retrieval(same, same).tolist() == pytest.approx([1 / 8] * 5)
    noise = torch.randn(400, 8, 16), torch.randn(400, 8, 16)
    assert time_retrieval(*noise).mean().item() == pytest.approx(1 / 8, abs=0.05)
    assert time_retrieval(distinct, distinct.roll(1, dims=1)).tolist() == [0] * 5


@pytest.mark.parametrize("probe", [knn_probe, linear_probe])
def test_probes_solve_separable_data_and_not_noise(probe):
    generator = torch.Generator().manual_seed(0)
    label = torch.arange(60) % 3
    centres = 4 * torch.randn(3, 8, generator=generator)

    def features():
        return centres[label] + torch.randn(60, 8, generator=generator)

    assert (probe(features(), label, features()) == label.numpy()).mean() > 0.95
    noise = [torch.randn(60, 8, generator=generator) for _ in range(2)]
    assert (probe(noise[0], label, noise[1]) == label.numpy()).mean() < 0.6


def test_knn_works_with_fewer_videos_than_neighbours():
    train = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    assert knn_probe(train, torch.tensor([0, 0, 1]), torch.tensor([[1.0, 0.1]])).tolist() == [0]


def test_encode_takes_any_module_output_shape():
    cache = FakeCache(3)
    out = encode(nn.Flatten(), cache, np.arange(3), UniformClips(4, 1, 2), 16, CPU)
    assert out.shape == (3, 2, 3 * 4 * 16 * 16)

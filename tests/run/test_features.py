"""Whether features tell time: known answers from encoders that do and do not see it."""

import numpy as np
import pytest
import torch
from helpers import FakeCache, tiny_profile
from torch import nn

from tblib.data.pool import Pool
from tblib.run import features
from tblib.run.directory import Run

S = 4


class Movement(nn.Module):
    """Features that say in which picture row something moves: mirroring does not change them."""

    def forward(self, x):
        return x.diff(dim=2).abs().sum(-1).flatten(1)[:, :, None, None, None]


class Noise(nn.Module):
    """Features that have nothing to do with the clip."""

    def forward(self, x):
        return torch.randn(len(x), 64, 1, 1, 1)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run over twelve fake videos whose augmentation only mirrors and hides a box."""
    config = tiny_profile(pretrain__jitter=0.0, pretrain__crop_min=1.0)
    run = Run(config, tmp_path, 2)
    cache = FakeCache(videos=12)
    monkeypatch.setitem(run.__dict__, "pool", Pool(cache, np.zeros(12, int), None))
    return run


def found(run, monkeypatch, backbone) -> float:
    encoder = nn.Module()
    encoder.backbone = backbone
    monkeypatch.setattr(features, "load_encoder", lambda *_: (encoder, nn.Identity()))
    return features.time_retrieval(run, "any", np.arange(12), projected=False)


def test_a_feature_that_sees_time_finds_it_and_noise_does_not(run, monkeypatch):
    torch.manual_seed(0)
    seeing = found(run, monkeypatch, Movement())
    assert seeing.shape == (12,)
    assert seeing.mean() > 0.5
    noise = torch.cat([found(run, monkeypatch, Noise()) for _ in range(20)])
    assert abs(noise.mean() - 1 / S) < 0.05


def test_retrieval_is_repeatable(run, monkeypatch):
    a, b = (found(run, monkeypatch, Movement()) for _ in range(2))
    assert torch.equal(a, b)

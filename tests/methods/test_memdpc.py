"""MemDPC: blocks, memory, dense negatives, both directions, a classifier with its aggregator."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import batches_of, fake_pool, tiny_profile
from official_numbers import numbers, randn
from torch.nn.functional import cross_entropy

from tblib.data.clips import LongClip
from tblib.methods import Supervised, registry
from tblib.methods.base import Sampling
from tblib.methods.pretrain.memdpc import MemoryNetwork, dense_logits
from tblib.methods.pretrain.recurrent import Blockwise, ConvGRU, block_maps
from tblib.models import Classifier, backbone

OFFICIAL = numbers("memdpc")


def method(**options):
    torch.manual_seed(0)
    return registry.fresh("memdpc", tiny_profile(pretrain__batch=2), **options)


class Mean(torch.nn.Module):
    """A backbone of one feature: the mean of a block at every place."""

    dim = 1

    def forward(self, clips):
        """Return `[N, 1, 2, H, W]`: the mean over channels and time, twice."""
        return clips.mean((1, 2))[:, None, None].expand(-1, -1, 2, -1, -1)


@pytest.mark.parametrize("case", OFFICIAL["cases"], ids=lambda case: case["seed"])
def test_the_dense_loss_is_that_of_the_official_code(case):
    shape = (case["videos"], case["blocks"], case["channels"], case["side"], case["side"])
    logits = dense_logits(randn(*shape, seed=case["seed"]), randn(*shape, seed=case["seed"] + 100))
    loss = cross_entropy(logits, torch.arange(len(logits)))
    assert loss.item() == pytest.approx(case["loss"], rel=1e-12)


def test_the_recurrent_unit_is_that_of_the_official_code():
    unit = ConvGRU(4).double().eval()
    for seed, gate in enumerate((unit.reset, unit.update, unit.out)):
        gate.weight.data, gate.bias.data = randn(4, 8, 1, 1, seed=seed), randn(4, seed=10 + seed)
    state = unit(randn(2, 4, 2, 1, seed=20), randn(2, 4, 2, 1, seed=21))
    assert state.flatten().tolist() == pytest.approx(OFFICIAL["state"], rel=1e-12)


def test_blocks_follow_each_other_in_time_and_short_videos_are_stretched():
    index = LongClip(32, 2).indices(90, np.random.default_rng(0))
    assert index.shape == (1, 32) and (np.diff(index) == 2).all()
    short = LongClip(32, 2).indices(20, np.random.default_rng(0))
    assert (np.diff(short) >= 0).all() and short.max() < 20
    views = torch.arange(12.0).view(1, 1, 12, 1, 1).expand(2, 3, 12, 2, 2)
    maps = block_maps(Mean(), views, 4)
    assert maps.shape == (2, 4, 1, 2, 2)
    assert maps[1, :, 0, 0, 0].tolist() == [1, 4, 7, 10]


def test_a_prediction_lies_in_the_convex_hull_of_the_memory():
    """Along any direction it is between the lowest and the highest vector of the memory."""
    net = MemoryNetwork(backbone("tiny_r3d"), slots=5).eval()
    for layer in (net.address[0], net.address[2]):
        layer.weight.data.mul_(50)  # such that the weights of the mixture vary
    found = net.predict(torch.randn(3, 4, 128, 2, 2), 3, "ahead")
    assert found.shape == (3, 3, 128, 2, 2)
    along = torch.randn(128, 200)
    p, m = found.movedim(2, -1) @ along, net.memory @ along
    assert (p >= m.min(0).values - 1e-4).all() and (p <= m.max(0).values + 1e-4).all()
    assert p.flatten(0, -2).std(0).min() > 0, "it depends on what was seen"


def test_wrong_answers_are_other_blocks_and_places_of_the_video_too():
    predicted, true = torch.randn(2, 3, 5, 2, 2), torch.randn(2, 3, 5, 2, 2)
    assert torch.isfinite(dense_logits(predicted, true)).all()
    easier = dense_logits(predicted, true, elsewhere=False)
    assert torch.isfinite(easier).sum(1).tolist() == [13] * 24  # itself and the other video's 12
    assert torch.isfinite(easier.diagonal()).all()


def test_place_i_is_the_same_block_and_place_of_prediction_and_truth():
    true = torch.randn(2, 3, 40, 2, 2)
    assert torch.equal(dense_logits(true, true).argmax(1), torch.arange(24))


def test_what_is_predicted_is_not_seen():
    """Only true features of the last three blocks reach the loss ahead, not their predictions."""
    model, asked = method(both=False).eval(), []
    real = model.learner.predict
    model.learner.predict = lambda maps, *rest: (asked.append(maps), real(maps, *rest))[1]
    batch = batches_of(model, fake_pool(24))["videos"]
    model(videos=batch)
    for block in (0, 7):
        clips = batch.clips.clone()
        clips[:, :, :, 4 * block : 4 * block + 4] = 0.5
        model(videos=replace(batch, clips=clips))
    first, early, late = asked
    assert first.shape[1] == 5
    assert not torch.equal(first, early) and torch.equal(first, late)


@pytest.mark.parametrize("both", [True, False])
def test_both_directions_have_networks_of_their_own(both):
    model = method(both=both).train()
    values = model(**batches_of(model, fake_pool(24)))
    assert set(values) == {"loss", "ahead", "right"} | ({"back"} if both else set())
    torch.testing.assert_close(values["loss"], sum(values[d] for d in model.directions))
    values["loss"].backward()
    for direction in ("ahead", "back"):
        grads = [p.grad for p in model.learner.aggregator[direction].parameters()]
        assert all((g is not None) == (direction in model.directions) for g in grads)


def test_frames_flicker_and_eight_blocks_are_four_clips():
    stream = method().streams()["videos"]
    assert stream.augment.flicker and stream.distinct
    assert (stream.batch, stream.views) == (5, LongClip(32, 2))
    assert not method(flicker=False).streams()["videos"].augment.flicker


def test_it_learns_to_find_the_blocks():
    model = method().train()
    batch = batches_of(model, fake_pool(24))["videos"]
    optimiser = torch.optim.AdamW(model.learner.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        losses.append(model(videos=batch)["loss"])
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.7 * losses[0], [round(x.item(), 2) for x in losses]


def test_finetuning_trains_backbone_and_aggregator_on_long_clips():
    net = method().learner
    classifier = Classifier(Blockwise(net.backbone, net.aggregator), 2, dropout=0.9)
    tuned = Supervised(classifier, 4, Sampling(frames=32, stride=2, px=16)).train()
    tuned(**batches_of(tuned, fake_pool(8)))["loss"].backward()
    parts = (net.backbone, net.aggregator["ahead"], net.aggregator["back"])
    assert all(p.grad is not None for part in parts for p in part.parameters())
    assert classifier.eval()(torch.rand(1, 3, 32, 16, 16)).shape == (1, 2)

"""3DRotNet: four turns of one crop at one time, chance where there is no up, and that it learns."""

import math

import numpy as np
import pytest
import torch
from helpers import fake_pool, tiny_profile

from tblib.data.loader import Batch
from tblib.engine.loop import Plan, fit, read_log
from tblib.methods import registry
from tblib.methods.pretrain.rotation import tilted
from tblib.methods.turns import TURNS, turned

CPU = torch.device("cpu")


def method(**options):
    torch.manual_seed(0)
    return registry.fresh("rotation", tiny_profile(pretrain__batch=2), **options)


def rings(size=16):
    """A frame that looks the same after every quarter turn, `[H, H]` in [0, 1]."""
    x = torch.arange(size) - (size - 1) / 2
    return (1 + torch.cos((x[:, None] ** 2 + x[None] ** 2) / 9)) / 2


def test_copies_are_the_turns_that_numpy_makes():
    clips = torch.rand(2, 3, 4, 6, 6)
    for turn, copies in enumerate(turned(clips).unflatten(0, (TURNS, 2))):
        assert np.array_equal(copies, np.rot90(clips, turn, (3, 4)))


def test_the_four_copies_show_one_crop_at_one_time_in_one_tilt():
    model, seen = method(), []
    model.learner.register_forward_pre_hook(lambda _, clips: seen.append(*clips))
    batch = Batch.of(torch.rand(5, 3, 8, 16, 16))
    model(videos=batch)
    copies = seen[0].unflatten(0, (TURNS, 5))
    for turn in range(TURNS):
        assert torch.equal(torch.rot90(copies[turn], -turn, (3, 4)), copies[0])
    assert not torch.equal(copies[0], batch.clips[0]), "it was tilted before"
    plain = method(tilt=0.0)
    plain.learner.register_forward_pre_hook(lambda _, clips: seen.append(*clips))
    plain(videos=batch)
    assert torch.equal(seen[1][:5], batch.clips[0])


def test_frames_without_an_up_are_told_by_chance():
    """All four copies are the same picture, so one of them is named right, whatever is learned."""
    clips = rings().expand(6, 3, 8, 16, 16) * torch.rand(6, 3, 8, 1, 1)
    model = method(tilt=0.0)
    for _ in range(3):
        values = model(videos=Batch.of(clips))
        values["loss"].backward()
        torch.optim.SGD(model.learner.parameters(), 0.1).step()
        assert values["right"].item() == pytest.approx(1 / 4)
        assert values["loss"].item() >= math.log(4) - 1e-5


def test_a_tilt_by_a_quarter_is_a_quarter_turn_and_by_nothing_nothing():
    clips = torch.rand(3, 3, 2, 8, 8)
    out = tilted(clips, torch.tensor([0.0, 90.0, -90.0]))
    for k, turn in enumerate((0, 1, -1)):
        torch.testing.assert_close(out[k], torch.rot90(clips[k], turn, (2, 3)), atol=1e-5, rtol=0)


def test_a_tilt_keeps_frames_together_and_leaves_black_corners():
    clips = torch.ones(1, 3, 5, 16, 16)
    out = tilted(clips, torch.tensor([10.0]))
    assert torch.equal(out, out[:, :1, :1].expand_as(out)), "channels and frames alike"
    assert out[0, 0, 0, 8, 8] == 1 and out[0, 0, 0, 0, 0] < 0.5


def test_it_sees_no_colour_change_and_no_box():
    (stream,) = method().streams().values()
    assert (stream.augment.jitter, stream.augment.erase, stream.batch) == (0.0, 0.0, 5)


def test_it_learns_to_tell_the_turns_of_videos(tmp_path):
    """The squares of these videos walk to the right, in their upper half."""
    fit(method(), fake_pool(6), Plan(40, 3e-3, 1e-4, 0, tmp_path), CPU)
    lines = read_log(tmp_path / "metrics.jsonl")
    assert lines[-1]["right"] > 0.6 > 0.5 > lines[0]["right"], [line["right"] for line in lines]

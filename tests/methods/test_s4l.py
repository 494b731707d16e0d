"""S4L: four angles of every clip, two heads on one backbone, turned copies classified."""

import pytest
import torch
from helpers import batches_of, fake_pool, made, tiny_profile
from torch.nn.functional import cross_entropy

from tblib.methods.turns import turned, turns_of
from tblib.models import pool

BATCHES = batches_of(made("s4l", tiny_profile()), fake_pool(24, 8))


def s4l(**options):
    return made("s4l", tiny_profile(), **options).eval()


def test_the_four_copies_are_turned_frame_by_frame():
    clips = torch.rand(3, 3, 4, 5, 5)
    copies = turned(clips).unflatten(0, (4, 3))
    assert torch.equal(copies[0], clips)
    assert torch.equal(copies[2], clips.flip(3, 4))
    assert torch.equal(copies[1], clips.transpose(3, 4).flip(3))
    assert torch.equal(copies[3], clips.transpose(3, 4).flip(4))
    assert turns_of(turned(clips)).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize("turned_classes", [True, False])
def test_the_loss_by_hand(turned_classes):
    method = s4l(weight=0.7, turned_classes=turned_classes)
    net, angle = method.learner["classifier"], method.learner["angle"]
    classes, angles = [], []
    for name in ("labelled", "unlabelled"):
        batch, told = BATCHES[name], []
        for quarter in range(4):
            copy = torch.rot90(batch.clips[0], quarter, (3, 4))
            target = torch.full((len(copy),), quarter)
            told.append(cross_entropy(angle(pool(net.backbone(copy))), target))
            if name == "labelled" and (quarter == 0 or turned_classes):
                classes.append(cross_entropy(net(copy), batch.label))
        angles.append(torch.stack(told).mean())
    values = method(**BATCHES)
    torch.testing.assert_close(values["supervised"], torch.stack(classes).mean())
    torch.testing.assert_close(values["rotation"], sum(angles) / 2)
    torch.testing.assert_close(values["loss"], values["supervised"] + 0.7 * values["rotation"])


def test_both_heads_reach_the_backbone():
    for part in ("supervised", "rotation"):
        method = s4l()
        method(**BATCHES)[part].backward()
        grads = [p.grad for p in method.classifier.backbone.parameters()]
        assert all(g is not None and g.abs().max() > 0 for g in grads), part


def test_angles_of_clips_that_look_alike_at_all_angles_are_at_chance():
    method = s4l()
    grey = {name: type(b)(0 * b.clips + 0.5, b.label, b.row) for name, b in BATCHES.items()}
    assert method(**grey)["angles_right"] == 0.25

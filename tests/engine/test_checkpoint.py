"""Checkpoints: whole or refused, never half-believed."""

import pickle

import pytest
import torch
from helpers import TinyNet, same_weights
from torch import nn

from tblib.engine import checkpoint
from tblib.errors import CheckpointError
from tblib.models import Classifier


def save(folder, steps=(10, 20, 30)):
    for step in steps:
        checkpoint.save_state(folder, step, {"step": step, "w": torch.full((64,), float(step))})


def flip_bit(path, at=0.5):
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def truncate(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


DAMAGE = {
    "bit flip in the middle": lambda p: flip_bit(p),
    "bit flip at the start": lambda p: flip_bit(p, 0.0),
    "cut in half": lambda p: truncate(p, 0.5),
    "empty": lambda p: truncate(p, 0),
    "note gone": lambda p: p.with_suffix(".json").unlink(),
    "note cut": lambda p: truncate(p.with_suffix(".json"), 0.5),
    "note of another file": lambda p: p.with_suffix(".json").write_text('{"sha256": "0"}'),
    "note is a list": lambda p: p.with_suffix(".json").write_text("[1]"),
}


def test_only_the_last_two_states_are_kept_and_the_newest_is_loaded(tmp_path):
    save(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"state_{s:08d}.{end}" for s in (20, 30) for end in ("json", "pt")]
    state = checkpoint.latest_state(tmp_path)
    assert state["step"] == 30
    assert torch.equal(state["w"], torch.full((64,), 30.0))


def test_no_state_is_none(tmp_path):
    assert checkpoint.latest_state(tmp_path) is None
    assert checkpoint.latest_state(tmp_path / "absent") is None


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_newest_state_is_named_and_the_one_before_is_used(tmp_path, damage, capsys):
    save(tmp_path)
    DAMAGE[damage](tmp_path / "state_00000030.pt")
    assert checkpoint.latest_state(tmp_path)["step"] == 20
    out = capsys.readouterr().out
    assert "state_00000030.pt skipped:" in out
    assert "note" in out


def test_if_all_states_are_damaged_all_are_named(tmp_path, capsys):
    save(tmp_path)
    for path in tmp_path.glob("*.pt"):
        flip_bit(path)
    assert checkpoint.latest_state(tmp_path) is None
    assert capsys.readouterr().out.count("SHA-256 differs") == 2


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_state_cannot_run_code(tmp_path):
    """Even with a matching note, a pickle with a payload is refused unexecuted."""
    canary, path = tmp_path / "canary", tmp_path / "state_00000001.pt"
    path.write_bytes(pickle.dumps(Payload(canary), protocol=2))
    checkpoint.write_json(path.with_suffix(".json"), {"sha256": checkpoint.sha256(path)})
    with pytest.raises(CheckpointError, match=f"{path} is not a file that this program wrote"):
        checkpoint.latest_state(tmp_path)
    assert not canary.exists()


def test_a_failed_save_keeps_the_state_before_and_leaves_nothing(tmp_path, monkeypatch):
    save(tmp_path, (10,))

    def disk_full(state, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, (20,))
    assert checkpoint.latest_state(tmp_path)["step"] == 10
    assert len(list(tmp_path.iterdir())) == 2


def test_states_are_dropped_also_half_written_ones(tmp_path):
    save(tmp_path)
    (tmp_path / ".state_00000040.123.part.pt").write_bytes(b"killed here")
    (tmp_path / "metrics.jsonl").write_text("")
    checkpoint.drop_states(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def model(classes=3):
    return Classifier(TinyNet(), classes)


def test_a_model_comes_back_bit_identical_with_its_card(tmp_path):
    weights = model().state_dict()
    checkpoint.save_model(tmp_path, weights, {"seconds": 1.5})
    assert same_weights(weights, checkpoint.load_weights(tmp_path))
    assert checkpoint.model_card(tmp_path)["seconds"] == 1.5
    other = model()
    checkpoint.load_into(other, tmp_path)
    assert same_weights(weights, other.state_dict())


def test_channels_last_weights_keep_their_values(tmp_path):
    net = model().to(memory_format=torch.channels_last_3d)
    checkpoint.save_model(tmp_path, net.state_dict(), {})
    assert same_weights(net.state_dict(), checkpoint.load_weights(tmp_path))


def test_a_part_of_a_model_can_be_loaded(tmp_path):
    source, target = model(3), model(7)
    checkpoint.save_model(tmp_path, source.state_dict(), {})
    checkpoint.load_into(target.backbone, tmp_path, "backbone")
    assert same_weights(source.backbone.state_dict(), target.backbone.state_dict())


@pytest.mark.parametrize("damage", [name for name in DAMAGE if name != "note gone"])
def test_a_damaged_model_is_refused_with_advice(tmp_path, damage):
    checkpoint.save_model(tmp_path, model().state_dict(), {})
    DAMAGE[damage](tmp_path / "model.safetensors")
    for read in (checkpoint.model_card, checkpoint.load_weights):
        with pytest.raises(CheckpointError, match="damaged .* delete .* run its chapter again"):
            read(tmp_path)


def test_a_model_without_a_note_is_not_finished(tmp_path):
    checkpoint.save_model(tmp_path, model().state_dict(), {})
    (tmp_path / "model.json").unlink()
    assert checkpoint.model_card(tmp_path) is None
    with pytest.raises(CheckpointError, match="holds no finished model"):
        checkpoint.load_weights(tmp_path)


def test_another_architecture_is_refused_and_the_differences_listed(tmp_path):
    checkpoint.save_model(tmp_path, model(3).state_dict(), {})
    with pytest.raises(CheckpointError, match=r"does not fit .*: head.bias, head.weight\.$"):
        checkpoint.load_into(model(4), tmp_path)
    with pytest.raises(CheckpointError, match="does not fit") as caught:
        checkpoint.load_into(nn.Sequential(*[nn.Linear(2, 2) for _ in range(9)]), tmp_path)
    assert str(caught.value).count(",") == 4, "five names, not all"
    with pytest.raises(CheckpointError, match="does not fit"):
        checkpoint.load_into(TinyNet(), tmp_path, "no_such_part")


def test_nothing_is_loaded_from_a_model_that_does_not_fit(tmp_path):
    checkpoint.save_model(tmp_path, model(3).state_dict(), {})
    target = model(4)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(CheckpointError):
        checkpoint.load_into(target, tmp_path)
    assert same_weights(before, target.state_dict())

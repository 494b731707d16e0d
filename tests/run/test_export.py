"""An exported classifier answers outside as it does here."""

import json
import subprocess
import sys

import pytest
import torch

import tblib
from tblib.__main__ import main
from tblib.data.loader import to_input
from tblib.engine import checkpoint
from tblib.errors import ConfigError
from tblib.models import Classifier, backbone
from tblib.run import export

CARD = {"name": "teacher", "method": "supervised", "backbone": "tiny_r3d", "precision": "fp32",
        "clip": {"frames": 8, "stride": 2}, "cache_px": 20, "crop_px": 16, "cache_format": "raw",
        "classes": ["Walk", "Jump", "Sit"]}  # fmt: skip
OUTSIDE = """
import json, sys, torch
extra = {"card.json": ""}
program = torch.export.load(sys.argv[1], extra_files=extra).module()
clips = torch.load(sys.argv[2])
p = program(clips)
print(json.dumps([json.loads(extra["card.json"])["classes"], p.tolist(), "tblib" in sys.modules]))
"""


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    net = Classifier(backbone("tiny_r3d"), 3)
    net.train()(torch.randn(4, 3, 8, 16, 16))  # running statistics that are not the first ones
    checkpoint.save_model(tmp_path / "model", net.state_dict(), {}, CARD)
    return tblib.load(tmp_path / "model")


@pytest.fixture
def clips():
    made = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (3, 8, 16, 16, 3), dtype=torch.uint8, generator=made)


@torch.no_grad()
def here(model, clips):
    return model(to_input(clips)).softmax(1)


def test_a_program_outside_says_the_same_of_any_number_of_clips(model, clips, tmp_path):
    file = tmp_path / "student.pt2"
    assert main(["export", str(tmp_path / "model"), "--to", "torch_export", str(file)]) == 0
    for some in (clips, clips[:1]):
        torch.save(some, tmp_path / "clips.pt")
        line = [sys.executable, "-c", OUTSIDE, str(file), str(tmp_path / "clips.pt")]
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        classes, p, known = json.loads(done.stdout)
        assert classes == CARD["classes"] and not known
        torch.testing.assert_close(torch.tensor(p), here(model, some), atol=1e-6, rtol=1e-5)


def test_a_state_dict_holds_weights_and_card_and_no_code(model, clips, tmp_path):
    export.export(model, "state_dict", tmp_path / "student.pt")
    kept = torch.load(tmp_path / "student.pt", weights_only=True)
    assert kept["card"]["classes"] == CARD["classes"] and kept["card"]["sha256"]
    other = Classifier(backbone("tiny_r3d"), 3).eval()
    other.load_state_dict(kept["state_dict"])
    assert torch.equal(here(other, clips), here(model, clips))


def test_an_unknown_form_is_a_sentence(model, tmp_path):
    with pytest.raises(ConfigError, match="'onx'; .*allowed: state_dict, torch_export"):
        export.export(model, "onx", tmp_path / "a")

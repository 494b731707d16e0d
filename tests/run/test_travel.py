"""A finished model leaves its run: its file says what it is for, and is the same every time."""

import shutil

import pytest
import torch
from helpers import TinyNet, same_weights, tiny_profile

import tblib
from tblib.engine import checkpoint
from tblib.errors import CheckpointError
from tblib.methods.job import Job
from tblib.models import Classifier
from tblib.run.directory import open_run
from tblib.run.jobs import run_jobs

SSL = Job("ssl", "joint", steps=1, seed=0)
TEACHER = Job("teacher", "supervised", steps=1, seed=0, init="ssl")


def trained(tmp_path, tiny_root, name, **settings):
    """Train a pretraining and a teacher for a step each."""
    config = tiny_profile(data__dataset="ucf101", data__root=str(tiny_root), **settings)
    open_run(config, tmp_path / name, 1).save_metrics({})
    run = open_run(config, tmp_path / name, 2)
    run_jobs(run, [SSL, TEACHER])
    return run


@pytest.fixture
def run(tmp_path, tiny_root, monkeypatch):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    return trained(tmp_path, tiny_root, "run")


def test_a_model_alone_in_another_folder_is_the_same_classifier(run, tmp_path, monkeypatch):
    here = checkpoint.load_weights(run.folder("teacher"))
    classes, labelled = run.videos.classes, int((run.pool.roles == "labelled").sum())
    alone = tmp_path / "elsewhere.safetensors"
    shutil.copy(run.folder("teacher") / "model.safetensors", alone)
    shutil.rmtree(run.dir)
    shutil.rmtree(tmp_path / "data")
    model = tblib.load(alone)
    assert not model.training and same_weights(model.state_dict(), here)
    card = model.card
    assert tuple(card["classes"]) == classes == ("Walk", "Jump")
    assert (card["backbone"], card["precision"]) == ("tiny_r3d", "fp32")
    assert (card["clip"], card["crop_px"]) == ({"frames": 8, "stride": 2}, 16)
    assert (card["dataset"], card["labelled"]) == ("ucf101", labelled)
    assert card["label_share"] == pytest.approx(labelled / 12, abs=1e-4), "12 training videos"
    assert not (tmp_path / "data").exists(), "loading makes no data"


def test_the_folder_of_a_model_loads_and_its_note_says_the_same(run):
    model, note = tblib.load(run.folder("teacher")), checkpoint.model_card(run.folder("teacher"))
    assert model.card == note["about"] | {"sha256": note["sha256"]}
    assert model.card["fingerprint"] == note["digest"]


def test_a_file_is_the_same_bit_for_bit_wherever_it_was_trained(run, tmp_path, tiny_root):
    """Neither the folder of the run nor that of the videos, nor the time, is in it."""
    moved = shutil.copytree(tiny_root, tmp_path / "moved")
    again = trained(tmp_path, moved, "again")
    for name in ("ssl", "teacher"):
        first, second = (r.folder(name) / "model.safetensors" for r in (run, again))
        assert first.read_bytes() == second.read_bytes()


def test_a_pretraining_knows_nothing_of_labels(run, tmp_path, tiny_root):
    other = trained(tmp_path, tiny_root, "other", data__label_fraction=0.34)
    shares = [tblib.load(r.folder("teacher")).card["label_share"] for r in (run, other)]
    assert shares[0] != shares[1]
    first, second = (r.folder("ssl") / "model.safetensors" for r in (run, other))
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(CheckpointError, match="is a pretraining .joint. and knows no classes"):
        tblib.load(first)


def test_a_model_of_earlier_code_is_one_sentence_with_the_way_out(tmp_path):
    checkpoint.save_model(tmp_path, Classifier(TinyNet(), 2).state_dict(), {"digest": "x"})
    with pytest.raises(CheckpointError, match=r"\(backbone, .*classes.* RUN:NAME") as caught:
        tblib.load(tmp_path)
    assert str(caught.value).count(". ") == 0


def test_what_is_no_model_is_refused_without_advice_to_delete_it(tmp_path):
    with pytest.raises(CheckpointError, match="holds no finished model"):
        tblib.load(tmp_path)
    mine = tmp_path / "holiday.mp4"
    mine.write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match="not a file that this program wrote") as caught:
        tblib.load(mine)
    assert "Delete" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"classes": 2}, {"clip": "8x2"}, {"backbone": None}])
def test_a_card_of_other_kinds_is_refused(tmp_path, wrong):
    told = {"backbone": "tiny_r3d", "precision": "fp32", "classes": ["a", "b"], "crop_px": 16,
            "clip": {"frames": 8, "stride": 2}, "cache_px": 20, "cache_format": "raw"}  # fmt: skip
    weights = {"w": torch.zeros(1)}
    checkpoint.save_model(tmp_path, weights, {}, told | wrong)
    with pytest.raises(CheckpointError, match=f"made for .{next(iter(wrong))}"):
        tblib.load(tmp_path)
    checkpoint.save_model(tmp_path, weights, {}, told)
    with pytest.raises(CheckpointError, match="does not fit this model"):
        tblib.load(tmp_path)


def test_a_damaged_model_is_refused(run):
    file = run.folder("teacher") / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-10] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged"):
        tblib.load(run.folder("teacher"))

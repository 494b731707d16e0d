"""Promise 2: a file at its final name is whole and verified, or it is named and not believed."""

import os
import stat
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import TinyNet, tiny_profile, tree_digests
from killer import confine
from test_kill import killer

from tblib import files
from tblib.engine import checkpoint
from tblib.errors import CheckpointError, ConfigError, StorageError
from tblib.methods.job import Job
from tblib.models import Classifier, backbone
from tblib.run import reuse
from tblib.run.directory import open_run
from tblib.run.teacher_cache import FILE, Remembered
from tblib.settings.profiles import load_profile

CUTS = {"empty": 0, "1 byte": 1, "half": 0.5, "last 200 bytes gone": -200}


def cut(path: Path, keep: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])


def two_states(folder: Path) -> None:
    for step in (1, 2):
        checkpoint.save_state(folder, step, {"step": step, "w": torch.full((400,), float(step))})


@pytest.mark.parametrize("keep", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("which", ["state", "note"])
def test_a_cut_state_is_named_and_the_one_before_is_used(tmp_path, capsys, which, keep):
    two_states(tmp_path)
    cut(tmp_path / f"state_00000002.{'pt' if which == 'state' else 'json'}", keep)
    state = checkpoint.latest_state(tmp_path)
    assert (state["step"], state["w"].unique().tolist()) == (1, [1.0])
    assert "state_00000002.pt skipped" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["state_00000002.pt", "model.safetensors"])
def test_no_flipped_bit_anywhere_is_loaded(tmp_path, name, capsys):
    """torch.load and safetensors themselves load most of these as wrong numbers."""
    two_states(tmp_path)
    weights = {"w": torch.arange(400.0)}
    checkpoint.save_model(tmp_path, weights, {"seconds": 1})
    path = tmp_path / name
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for at in [0, 8, len(whole) - 1, *rng.integers(0, len(whole), 60)]:
        data = bytearray(whole)
        data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        if path.suffix == ".pt":
            assert checkpoint.latest_state(tmp_path)["step"] == 1, at
        else:
            with pytest.raises(CheckpointError, match="SHA-256 differs"):
                checkpoint.load_weights(tmp_path)
    path.write_bytes(whole)
    assert checkpoint.latest_state(tmp_path)["step"] == 2
    assert torch.equal(checkpoint.load_weights(tmp_path)["w"], weights["w"])


@pytest.mark.parametrize("at", range(0, 80, 7))
def test_a_flipped_bit_in_a_note_refuses_the_model_or_changes_nothing(tmp_path, at):
    weights = {"w": torch.arange(4.0)}
    checkpoint.save_model(tmp_path, weights, {})
    note = tmp_path / "model.json"
    data = bytearray(note.read_bytes())
    data[at] ^= 1
    note.write_bytes(data)
    try:
        assert torch.equal(checkpoint.load_weights(tmp_path)["w"], weights["w"])
    except CheckpointError as error:
        assert str(tmp_path) in str(error)


def other_type() -> Classifier:
    return Classifier(TinyNet(), 2).double()


def test_weights_of_another_number_type_are_refused(tmp_path):
    checkpoint.save_model(tmp_path, other_type().state_dict(), {})
    with pytest.raises(CheckpointError, match="does not fit this model; first differences: "):
        checkpoint.load_into(Classifier(TinyNet(), 2), tmp_path)


@pytest.mark.slow
def test_a_full_disk_keeps_the_states_and_costs_one_sentence(tmp_path):
    """The kernel refuses to write more than 3000 bytes a file, through RLIMIT_FSIZE."""
    found = killer("disk_full", tmp_path, 3000)
    assert found["code"] == 1
    assert found["said"].startswith("StorageError: ") and "cannot be written" in found["said"]
    assert "\n" not in found["said"] and str(tmp_path / "full" / "state_") in found["said"]
    assert found["kept"], "the states from before are still there"
    assert found["then"] == 0 and found["same"], "with room again, the same command ends right"


@pytest.mark.slow
def test_a_full_disk_in_the_middle_of_a_log_line_costs_one_sentence(tmp_path):
    """The part of the line stays on the disk; the next run drops it and logs each step once."""
    found = killer("log_full", tmp_path)
    assert found["code"] == 1 and "\n" not in found["said"]
    assert found["said"].startswith(f"StorageError: {tmp_path}/full/metrics.jsonl cannot be")
    assert len(found["log"]) == found["room"] and not found["log"].endswith("\n")
    assert found["kept"], "the states from before are still there"
    assert found["then"] == 0 and found["same"], "with room again, the same command ends right"


def test_a_full_disk_keeps_what_teachers_answered_before(tmp_path):
    clips = torch.rand(2, 3, 4, 8, 8)
    teacher = Classifier(TinyNet(), 2).eval()
    first = Remembered(teacher, tmp_path)
    first(clips)
    first.save()
    before = tree_digests(tmp_path)
    more = Remembered(teacher, tmp_path)
    for step in range(40):
        more(clips + step)

    def work():
        confine(1500)
        more.save()

    said = forked(work)
    assert said.startswith(f"StorageError: {tmp_path / FILE} cannot be") and "\n" not in said
    assert tree_digests(tmp_path) == before
    assert torch.equal(Remembered(None, tmp_path)(clips), first(clips)), "not asked again"
    more.save()
    assert len(Remembered(None, tmp_path).known) == 40


def test_a_full_disk_at_the_lock_or_the_mark_of_a_training_is_one_sentence(tmp_path):
    def lock():
        confine(0)
        with files.held(tmp_path / ".lock", "the work"):
            pass

    def mark():
        confine(0)
        reuse.clear_if_other(tmp_path / "model", "abc")

    assert forked(lock).startswith(f"StorageError: {tmp_path / '.lock'} cannot be written")
    assert forked(mark).startswith(f"StorageError: {tmp_path / 'model' / 'digest.txt'} cannot be")
    with files.held(tmp_path / ".lock", "the work"):
        reuse.clear_if_other(tmp_path / "model", "abc")
    assert (tmp_path / "model" / "digest.txt").read_text() == "abc"


def as_nobody(work) -> str:
    """Call `work` in a forked process without rights; return the error it ends with."""

    def without_rights():
        if os.geteuid() == 0:
            os.setuid(65534)
        work()

    return forked(without_rights)


def forked(work) -> str:
    """Call `work` in a forked process; return the error it ends with."""
    out, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os.write(told, b"nothing was refused")
        except BaseException as error:
            os.write(told, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(told)
    os.waitpid(pid, 0)
    with os.fdopen(out) as file:
        return file.read()


@pytest.fixture
def open_folder():
    """A folder that users without rights can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_write_protected_folder_costs_one_sentence(open_folder):
    open_folder.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IROTH | stat.S_IXOTH)
    try:
        said = as_nobody(lambda: checkpoint.save_state(open_folder, 1, {"step": 1}))
    finally:
        open_folder.chmod(0o755)
    assert said.startswith("StorageError: ") and "Permission denied" in said
    assert "allow writing there" in said


def test_a_lock_that_cannot_be_made_costs_one_sentence(open_folder):
    open_folder.chmod(0o555)

    def work():
        with files.held(open_folder / ".lock", "the work"):
            pass

    try:
        assert as_nobody(work).startswith("StorageError: ")
    finally:
        open_folder.chmod(0o755)


@pytest.mark.parametrize("chapter", [1, 2])
def test_a_run_directory_below_a_file_costs_one_sentence(tmp_path, chapter):
    (tmp_path / "file").write_text("mine")
    with pytest.raises((StorageError, ConfigError, files.UserError)) as caught:
        open_run(tiny_profile(), tmp_path / "file" / "run", chapter)
    assert str(tmp_path / "file") in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_states_of_other_code_threads_or_settings_are_never_resumed(
    tmp_path, tiny_root, monkeypatch
):
    """The mark of a training changes with each of them, and another mark empties the folder."""
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    config = tiny_profile(data__dataset="ucf101", data__root=str(tiny_root))
    run = open_run(config, tmp_path / "run", 1)
    job = Job("inv", "supervised", steps=4, seed=0)
    marks = [reuse.digest(run, job)]
    assert marks[0] == reuse.digest(open_run(config, tmp_path / "run", 1), job), "repeatable"
    for section, change in [
        ("runtime", {"threads": 2}),
        ("finetune", {"lr": 0.5}),
        ("data", {"label_fraction": 1.0}),
        ("data", {"classes": ("Walk",)}),
    ]:
        part = getattr(config, section).model_copy(update=change)
        other = replace(run, config=config.model_copy(update={section: part}))
        marks.append(reuse.digest(other, job))
    marks.append(reuse.digest(run, replace(job, seed=1)))
    monkeypatch.setattr(reuse, "training_code", lambda *_: "other code")
    marks.append(reuse.digest(run, job))
    assert len(set(marks)) == len(marks)
    place = tmp_path / "ckpt"
    for mark in marks:
        reuse.clear_if_other(place, mark)
        assert checkpoint.latest_state(place) is None
        checkpoint.save_state(place, 1, {"step": 1})
    reuse.clear_if_other(place, marks[-1])
    assert checkpoint.latest_state(place) == {"step": 1}
    torch.set_num_threads(1)


@pytest.mark.slow
def test_verified_states_cost_less_than_a_hundredth_of_a_training(tmp_path, scorecard):
    """Weights and moments of the laptop profile's network, written, flushed and hashed."""
    profile = load_profile("laptop")
    model = Classifier(backbone(profile.model.backbone), 20)
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    clips = torch.rand(profile.finetune.batch, 3, 8, profile.data.crop_px, profile.data.crop_px)
    steps, saves = [], []
    for at in range(8):
        begin = time.perf_counter()
        optimiser.zero_grad()
        model(clips).square().mean().backward()
        optimiser.step()
        middle = time.perf_counter()
        state = {"learner": model.state_dict(), "optimiser": optimiser.state_dict()}
        checkpoint.save_state(tmp_path, at, state)
        steps.append(middle - begin)
        saves.append(time.perf_counter() - middle)
    step, save, every = np.median(steps), np.median(saves), profile.runtime.checkpoint_every
    percent = 100 * save / (every * step)
    assert percent < 1
    scorecard["checkpoints"] = {
        "percent": round(percent, 3),
        "milliseconds": round(1000 * save),
        "every": every,
        "step_milliseconds": round(1000 * step),
    }


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": ' + "9" * 5000 + "}", '"\\ud800'])
def test_json_that_breaks_a_reader_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(files.DataError, match="a.json is not readable JSON"):
        files.read_json(tmp_path / "a.json")

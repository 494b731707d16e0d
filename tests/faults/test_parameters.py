"""Promise 5: a wrong parameter stops a run before the first batch, by name; nothing is hidden."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tblib.__main__ import INTERRUPTED, _parser, main
from tblib.engine import hardware
from tblib.errors import ConfigError
from tblib.settings.config import Runtime

WRONG = {
    "unknown": ("student.stesp=5", "did you mean 'steps'"),
    "unknown section": ("studnet.steps=5", "did you mean 'student'"),
    "unknown in a section that may be absent": ("study.sedes=[1]", "did you mean 'seeds'"),
    "text for a number": ("student.lr=fast", "student.lr = 'fast'"),
    "text that looks false": ('student.steps="false"', "student.steps = 'false'"),
    "false": ("student.steps=false", "student.steps = False"),
    "null": ("student.steps=null", "student.steps = None"),
    "a list": ("student.steps=[5]", "student.steps = [5]"),
    "negative": ("student.lr=-1e-3", "greater than 0"),
    "zero": ("finetune.batch=0", "greater than or equal to 1"),
    "NaN": ("student.lr=NaN", "finite"),
    "infinite": ("student.lr=Infinity", "finite"),
    "fraction of a step": ("student.steps=1.5", "integer"),
    "too large": ("pretrain.slots=9", "less than or equal to 8"),
    "not on the list": ("similarity.map=ranks", "'rank'"),
    "another device": ("runtime.device=tpu", "'cuda'"),
    "in contradiction": ("data.crop_px=128", "must not exceed"),
    "a way out": ("name=../x", "name = '../x'"),
    "no value": ("student.steps", "must look like student.steps=50"),
    "code": ("seed=0; import os", "seed = '0; import os'"),
}


@pytest.mark.parametrize("setting, words", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("command", ["run", "data"])
def test_a_wrong_setting_stops_each_command(tmp_path, monkeypatch, capsys, command, setting, words):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TB_RUNS", str(tmp_path / "runs"))
    assert main([command, {"run": "1", "data": "info"}[command], "--set", setting]) == 2
    out, err = capsys.readouterr()
    assert words in err and err.startswith("tblib: ") and err.count("\n") == 1 and out == ""
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


def test_numbers_may_be_written_as_people_do(capsys):
    from tblib.__main__ import _overrides

    pairs = ["--set", "student.lr=1e-4", "--set", "title=mine", "--set", "data.classes=null"]
    options = _parser().parse_args(["run", "1", *pairs])
    assert _overrides(options) == {"student.lr": 1e-4, "title": "mine", "data.classes": None}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_absent_device_is_a_sentence():
    with pytest.raises(ConfigError, match="torch finds no CUDA device; use 'auto' or 'cpu'"):
        hardware.prepare(Runtime(device="cuda"))


def tblib(*arguments, **environment):
    line = [sys.executable, "-W", "always", "-m", "tblib", *arguments]
    return subprocess.run(
        line, capture_output=True, text=True, env=os.environ | environment, timeout=300
    )


@pytest.mark.slow
def test_a_real_process_finds_a_wrong_setting_within_ten_seconds(scorecard):
    """Counted in processor time, so that a busy machine does not matter; both are recorded."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = tblib("run", "all", "--set", "student.stesp=5")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode == 2 and "did you mean 'steps'" in done.stderr
    assert spent < 10
    scorecard["wrong_parameter"] = {
        "processor_seconds": round(spent, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def test_a_normal_command_prints_no_warning(tiny_root):
    """With every warning of Python switched on, also those of libraries."""
    settings = ["data.dataset=ucf101", f"data.root={tiny_root}", "data.classes=null"]
    done = tblib("data", "info", *[part for s in settings for part in ("--set", s)])
    assert (done.returncode, done.stderr) == (0, "")


TRAINING = "import sys, pathlib, killer; killer.train(pathlib.Path(sys.argv[1]), 8, loaders=1)"


@pytest.mark.slow
def test_a_normal_training_prints_no_warning(tmp_path):
    """With loaders, states and a finished model; every warning of Python is switched on."""
    here = Path(__file__).parent
    paths = os.pathsep.join(map(str, (here, here.parent, here.parents[1])))
    line = [sys.executable, "-W", "always", "-c", TRAINING, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "model.json").is_file()


@pytest.mark.parametrize(
    "line", [["--debug", "data", "info"], ["data", "info", "--debug"]], ids=["before", "after"]
)
def test_debug_raises_instead_of_summing_up(line):
    with pytest.raises(ConfigError, match="profile 'smok' does not exist"):
        main([*line, "--profile", "smok"])
    assert _parser().parse_args(["doctor"]).debug is False


@pytest.mark.parametrize(
    "error, code, words",
    [
        (OSError(28, "No space left on device", "/x"), 2, "No space left on device: '/x'"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted; the same command goes on"),
    ],
)
def test_what_the_system_refuses_and_what_the_user_stops(monkeypatch, capsys, error, code, words):
    def refuse(*_):
        raise error

    monkeypatch.setattr("tblib.run.doctor.report", refuse)
    assert main(["doctor"]) == code
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


def test_a_mistake_of_the_programmer_is_not_dressed_up(monkeypatch, capsys):
    """It keeps its traceback, and an exit code that no answer of a command has."""
    monkeypatch.setattr("tblib.run.doctor.report", lambda: 1 / 0)
    assert main(["doctor"]) == 70
    said = capsys.readouterr().err
    assert said.startswith("Traceback") and said.endswith("ZeroDivisionError: division by zero\n")

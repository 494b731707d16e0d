"""Chapters as programs: parameters are checked first, results appear whole or not at all."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import nbformat
import pytest

import tblib.lesson.chapters
import tblib.lesson.execute
from tblib.__main__ import main
from tblib.engine import checkpoint
from tblib.errors import ConfigError, UserError
from tblib.files import read_json
from tblib.lesson.chapters import numbers, source
from tblib.lesson.execute import defaults, drop_injected, execute, inputs, read
from tblib.lesson.pairing import pair

TEXT = """# %% [markdown]
# # A chapter

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %% tags=["nbval-check-output"]
import os, sys
print(profile, seed, overrides, os.environ["TB_PROGRESS"])
print(sys.executable, file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A notebook folder with one chapter in it."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "01_first.py").write_text(TEXT)
    monkeypatch.setattr(tblib.lesson.chapters, "FOLDER", notebooks)
    monkeypatch.setattr(tblib.lesson.execute, "FOLDER", notebooks)
    return notebooks


def append(folder, line):
    path = folder / "01_first.py"
    path.write_text(f"{path.read_text()}\n# %%\n{line}\n")


def outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    return {
        output.name: output.text
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
    }


@pytest.mark.slow
def test_parameters_keep_their_types_and_the_kernel_is_this_python(folder, tmp_path):
    import sys

    path = execute(1, "smoke", tmp_path / "run", {"student.lr": 1e-4}, seed=7)
    assert path == tmp_path / "run" / "notebooks" / "01_first.ipynb"
    text = outputs(path)
    assert text["stdout"].strip() == "smoke 7 {'student.lr': 0.0001} 0"
    assert text["stderr"].strip() == sys.executable
    executed = drop_injected(nbformat.read(path, as_version=4))
    assert inputs(executed) == inputs(read(folder / "01_first.py"))
    times = read_json(tmp_path / "run" / "times" / "01.json")
    assert times.keys() == {"start"} and times["start"] > 0, "no section begins before a heading"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((9, "smoke", None, {}), "chapter 9 does not exist"),
        ((1, "smoek", None, {}), "did you mean 'smoke'"),
        ((1, "smoke", None, {"student.stps": 3}), "did you mean 'steps'"),
        ((1, "smoke", None, {"student.lr": -1}), "student.lr"),
        ((1, "smoke", None, {}, "zero"), "seed"),
    ],
)
def test_bad_requests_stop_before_any_work(folder, tmp_path, monkeypatch, arguments, sentence):
    begun = lambda *_: pytest.fail("a kernel started")  # noqa: E731
    monkeypatch.setattr(tblib.lesson.execute, "_papermill", begun)
    monkeypatch.setenv("TB_RUNS", str(tmp_path / "runs"))
    with pytest.raises(ConfigError, match=sentence):
        execute(*arguments)
    assert not (tmp_path / "runs").exists()


def test_a_parameter_the_notebook_does_not_know_is_refused(folder, tmp_path):
    path = folder / "01_first.py"
    path.write_text(path.read_text().replace("overrides = {}", "other = {}"))
    with pytest.raises(ConfigError, match="no parameter 'overrides'"):
        execute(1, "smoke", tmp_path)


@pytest.mark.slow
def test_a_failing_cell_says_why_and_leaves_earlier_results(folder, tmp_path):
    before = execute(1, "smoke", tmp_path).read_bytes()
    append(folder, "from tblib.errors import DataError\nraise DataError('video x is missing.')")
    with pytest.raises(UserError, match="^video x is missing.$"):
        execute(1, "smoke", tmp_path)
    assert (tmp_path / "notebooks" / "01_first.ipynb").read_bytes() == before
    assert "video x is missing" in (tmp_path / "logs" / "01_first.failed.ipynb").read_text()


@pytest.mark.slow
def test_a_programming_error_is_named_and_its_traceback_kept(folder, tmp_path):
    append(folder, "1 / 0")
    with pytest.raises(UserError, match="ZeroDivisionError.*failed.ipynb"):
        execute(1, "smoke", tmp_path / "run")
    assert not (tmp_path / "run" / "notebooks").exists()


@pytest.mark.slow
def test_a_dying_kernel_is_reported(folder, tmp_path):
    append(folder, "import signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(UserError, match="died"):
        execute(1, "smoke", tmp_path)


def test_two_processes_cannot_run_one_chapter(folder, tmp_path):
    from filelock import FileLock

    (tmp_path / "logs").mkdir()
    with (
        FileLock(tmp_path / "logs" / ".01_first.lock"),
        pytest.raises(UserError, match="another process"),
    ):
        execute(1, "smoke", tmp_path)


def test_names_of_chapters(folder):
    assert numbers("all") == ["01"]
    assert source("1") == source("01") == source(1) == source("01_first") == folder / "01_first.py"


def test_parameters_cell_may_hold_literals_only(folder):
    assert defaults(read(folder / "01_first.py"))["overrides"] == {}
    path = folder / "01_first.py"
    path.write_text(path.read_text().replace("seed = 0", "print(1)"))
    with pytest.raises(ConfigError, match="parameters cell"):
        defaults(read(path))


@pytest.mark.slow
def test_pairing_keeps_outputs_of_unchanged_cells(folder, tmp_path):
    executed = execute(1, "smoke", tmp_path / "run")
    assert pair(executed=executed.parent) == ["01_first"]
    assert pair(check=True) == []
    kept = (folder / "01_first.ipynb").read_bytes()
    assert pair() == []
    assert (folder / "01_first.ipynb").read_bytes() == kept
    append(folder, "print(2)")
    assert pair(check=True) == ["01_first"]
    assert (folder / "01_first.ipynb").read_bytes() == kept
    assert pair() == ["01_first"]
    cells = nbformat.read(folder / "01_first.ipynb", as_version=4).cells
    assert [bool(c.get("outputs")) for c in cells if c.cell_type == "code"] == [False, True, False]


TRAIN = """
from pathlib import Path
import torch
from helpers import TinyMethod, fake_pool
from tblib.engine.loop import Plan, fit
place = Path(run_dir) / "ckpt" / "endless"
fit(TinyMethod(), fake_pool(8), Plan(10**6, 1e-3, 0.0, 0, place), torch.device("cpu"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_reaches_the_training_in_the_kernel(folder, tmp_path, monkeypatch, number):
    """The first process of `python -m tblib run` is signalled; the kernel saves, then all end."""
    tests = Path(__file__).resolve().parents[1]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tests), str(tests.parent)]))
    append(folder, TRAIN)
    run = tmp_path / "run"
    process = multiprocessing.get_context("fork").Process(
        target=lambda: sys.exit(main(["run", "1", "--run-dir", str(run)]))
    )
    process.start()
    limit = time.monotonic() + 400
    while not (run / "ckpt" / "endless" / "metrics.jsonl").is_file():
        assert process.is_alive() and time.monotonic() < limit
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(process.pid, number)
    process.join(100)
    assert process.exitcode == 75
    assert checkpoint.latest_state(run / "ckpt" / "endless")["step"] > 0
    assert [path.name for path in (run / "logs").iterdir() if "ipynb" in path.name] == []
    assert not (run / "notebooks").exists()


@pytest.mark.parametrize("name", ["a {b} c", "x-{profile}", "{", "run #2: 'q' \"d\"\nnew $HOME %s"])
def test_a_chapter_works_in_the_folder_named_whatever_its_name_is(folder, tmp_path, name):
    """Papermill takes a path for a format string."""
    append(folder, "print(repr(run_dir))")
    place = tmp_path / "runs" / name
    assert execute(1, "smoke", place).parents[1] == place
    assert repr(str(place)) in (place / "notebooks" / "01_first.ipynb").read_text().replace(
        "\\\\", "\\").replace('\\"', '"')  # fmt: skip
    assert list((tmp_path / "runs").iterdir()) == [place]


def test_a_kernel_has_no_start_up_files_and_needs_no_home(folder, tmp_path, monkeypatch):
    home = tmp_path / "home"
    start = home / ".ipython" / "profile_default" / "startup" / "00.py"
    start.parent.mkdir(parents=True)
    start.write_text("import random; print('hello from home')\n")
    append(folder, "print('random' in dir())")
    for value in (home, tmp_path / "absent"):
        monkeypatch.setenv("HOME", str(value))
        monkeypatch.delenv("IPYTHONDIR", raising=False)
        text = outputs(execute(1, "smoke", tmp_path / "run"))["stdout"]
        assert "hello" not in text and text.strip().endswith("False")
        assert "IPYTHONDIR" not in os.environ
    assert not (tmp_path / "absent").exists()


def test_relative_places_are_those_of_the_command(folder, tmp_path, monkeypatch):
    """A chapter runs in notebooks/, the user typed the command elsewhere."""
    (tmp_path / "typed").mkdir()
    (tmp_path / "typed" / "mine.yaml").write_text(
        "data: {dataset: folder, root: ../videos, classes: null}\n"
    )
    monkeypatch.chdir(tmp_path / "typed")
    monkeypatch.setenv("TB_DATA", "there")
    append(
        folder,
        "from tblib.settings.profiles import data_home, load_profile\n"
        "print(load_profile(profile, overrides).data.root, data_home(), run_dir)",
    )
    path = execute(1, "mine.yaml", "my run")
    assert path.parents[1] == tmp_path / "typed" / "my run"
    said = outputs(path)["stdout"].splitlines()[-1]
    places = (tmp_path / "videos", tmp_path / "typed" / "there", tmp_path / "typed" / "my run")
    assert said == " ".join(map(str, places))

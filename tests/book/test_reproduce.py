"""The graph of chapters: complete, resumable, and done only once."""

import ast
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import yaml
from smoke import ROOT, reproduce

from tblib.files import sha256
from tblib.lesson.chapters import chapters
from tblib.run import chapter_code, fingerprint
from tblib.settings.profiles import load_profile

pytestmark = pytest.mark.timeout(900)


def test_each_chapter_leaves_notebook_metrics_and_card(smoke_run):
    for number in chapters():
        assert len(list((smoke_run / "notebooks").glob(f"{number}_*.ipynb"))) == 1
        assert json.loads((smoke_run / "metrics" / f"{number}.json").read_text())
        card = json.loads((smoke_run / "cards" / f"{number}.json").read_text())
        assert card["profile"] == "smoke"
        assert card["seconds"] > 0


def test_a_second_call_has_nothing_to_do(smoke_run):
    before = {path: path.stat().st_mtime_ns for path in smoke_run.rglob("*.ipynb")}
    done = reproduce(smoke_run)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in smoke_run.rglob("*.ipynb")}


def test_a_normal_run_prints_no_warning(smoke_run):
    for path in (smoke_run / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert [out["text"] for out in outputs if out.get("name") == "stderr"] == [], path.name
    logs = sorted((smoke_run / "logs").glob("*.log"))
    assert [path.name for path in logs if "Warning" in path.read_text()] == []
    assert len(logs) == len(chapters())


@pytest.fixture
def program(monkeypatch):
    """The program behind `make reproduce`, as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "workflow"))
    spec = importlib.util.spec_from_file_location("workflow_run", ROOT / "workflow" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def planned(program, folder) -> list[str]:
    """Refresh the stamps and return the chapters that Snakemake would run."""
    program.refresh_stamps(folder, load_profile("smoke"))
    line = [*program.command(folder), "--dry-run"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(set(re.findall(r"^(chapter_\d\d) ", done.stdout + done.stderr, re.MULTILINE)))


def test_a_changed_notebook_is_run_again_with_those_after_it(smoke_run, program, monkeypatch):
    def changed(path):
        return "other" if path.name.startswith("05") else sha256(path)

    with monkeypatch.context() as patch:
        patch.setattr(program, "sha256", changed)
        assert planned(program, smoke_run) == ["chapter_05", "chapter_06", "chapter_07"]
    assert planned(program, smoke_run) == []


def test_changed_code_runs_everything_again(smoke_run, program, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(program, "chapter_code", lambda *_: "other")
        assert planned(program, smoke_run) == [f"chapter_{number}" for number in chapters()]
    assert planned(program, smoke_run) == []


def test_a_new_method_makes_no_chapter_due(program, tmp_path, monkeypatch):
    """The stamps that Snakemake compares stay as they are; an edit of what all use changes all."""
    for name in ("tblib", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    folder, profile = tmp_path / "run", load_profile("smoke")

    def stamped():
        chapter_code._chapter_code.cache_clear()
        program.refresh_stamps(folder, profile)
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("stamps/*.json")}

    before = stamped()
    (tmp_path / "tblib" / "methods" / "semi" / "mine.py").write_text("class Mine:\n    pass\n")
    shelf = tmp_path / "tblib" / "methods" / "semi" / "__init__.py"
    listed = shelf.read_text().replace("METHODS = {", 'METHODS = {"mine": Mine, ')
    shelf.write_text(f"from .mine import Mine\n{listed}")
    assert stamped() == before and len(before) == len(chapters())
    opened = tmp_path / "tblib" / "run" / "directory.py"
    opened.write_text(opened.read_text().replace("    check_profile(config)", "    pass", 1))
    after = stamped()
    assert {name for name in before if before[name] != after[name]} == before.keys()


@pytest.mark.slow
def test_after_a_kill_the_same_command_goes_on(tmp_path):
    folder = tmp_path / "killed"
    line = [sys.executable, "workflow/run.py", "--profile", "smoke", "--run-dir", str(folder)]
    first = subprocess.Popen(
        line,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    lock = folder / "logs" / ".01_data_and_clips.lock"
    deadline = time.monotonic() + 120
    while not lock.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert lock.exists(), "chapter 1 never started"
    busy = reproduce(folder)
    assert busy.returncode != 0
    assert "another reproduction is running" in busy.stdout
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    time.sleep(3)  # a kernel notices within a second or two that its parent is gone
    done = reproduce(folder, "--until", "chapter_01")
    assert done.returncode == 0, done.stdout[-3000:]
    assert (folder / "metrics" / "01.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "sentence"), [("smoek", "did you mean 'smoke'"), ("no.yaml", "does not exist")]
)
def test_a_bad_profile_is_one_sentence(tmp_path, profile, sentence):
    done = reproduce(tmp_path / "x", profile=profile)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert len(done.stdout.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()


SAVING = """
import signal, sys, time
def save(*_):
    time.sleep(0.5)
    print("saved")
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
print("training", flush=True)
time.sleep(60)
"""


def test_a_signal_to_all_processes_of_a_chapter_lets_it_save_and_be_heard(tmp_path):
    """The shell and the programs that log its output must outlive the chapter."""
    (tmp_path / "chapter.py").write_text(SAVING)
    lines = (ROOT / "Snakefile").read_text().split("shell:")[1].splitlines()
    shell = ast.literal_eval("(" + "".join(x for x in lines if not x.strip().startswith("#")) + ")")
    shell = shell.replace("{params.python:q} -m tblib", f"{sys.executable} {tmp_path}/chapter.py")
    shell = re.sub(r"\{[^}]+\}", "x", shell.replace("{log:q}", str(tmp_path / "log")))
    process = subprocess.Popen(["bash", "-c", f"set -euo pipefail; {shell}"],
                               start_new_session=True, stdout=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 60
    while "training" not in ((tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(60) == 75
    assert "saved" in (tmp_path / "log").read_text()


def test_every_place_to_run_has_its_settings(program, tmp_path):
    for where in ("local", "slurm"):
        assert str(ROOT / "workflow" / where) in program.command(tmp_path, where)
        settings = yaml.safe_load((ROOT / "workflow" / where / "config.yaml").read_text())
        assert settings["rerun-incomplete"] is True
    assert "--signal=TERM@" in settings["default-resources"]["slurm_extra"]
    assert settings["retries"] > 0


def test_snakemake_is_told_no_name_that_a_user_chose(program, tmp_path):
    """It reads `--config` as YAML and names in rules as patterns: `run #2` was `run` to it."""
    folder = tmp_path / "run #2: {a} 'q' \"d\"\nnew"
    profile = tmp_path / "mine #2.yaml"
    profile.write_text((ROOT / "notebooks/profiles/smoke.yaml").read_text())
    (tmp_path / "run").mkdir()
    line = program.command(folder)
    assert [word for word in line if str(tmp_path) in word] == [str(folder)]
    assert line[line.index(str(folder)) - 1] == "--directory"
    done = reproduce(folder, "--until", "chapter_01", "--dry-run", profile=str(profile))
    assert done.returncode == 0 and "chapter_01" in done.stdout, done.stdout[-3000:]
    asked = json.loads((folder / "request.json").read_text())
    assert asked == {"run_dir": str(folder), "profile": str(profile), "overrides": {}}
    assert list((tmp_path / "run").iterdir()) == []


def test_a_run_directory_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    done = reproduce(tmp_path / "file" / "run")
    assert done.returncode == 2 and "file/run" in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stdout and (tmp_path / "file").read_text() == "mine"


def test_the_code_of_another_checkout_is_refused(program, tmp_path):
    """A `.venv` that was copied along runs the package of the place it came from."""
    import beside

    other = tmp_path / "other" / "tblib" / "__init__.py"
    said = beside.refusal(SimpleNamespace(origin=str(other)), "/some/.venv")
    assert f"in the environment /some/.venv is that of {other.parents[1]}" in said
    assert "is not installed; delete" in beside.refusal(None)
    assert beside.refusal(find_spec("tblib")) == ""
    shutil.copytree(ROOT / "workflow", tmp_path / "copy" / "workflow")
    done = subprocess.run([sys.executable, tmp_path / "copy/workflow/run.py"], capture_output=True,
                          text=True, cwd=ROOT)  # fmt: skip
    assert done.returncode == 1 and f"not that of {tmp_path / 'copy'}" in done.stderr
    assert len(done.stderr.splitlines()) == 1

"""The graph of chapters: complete, resumable, and done only once."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from smoke import ROOT, reproduce

pytestmark = pytest.mark.timeout(900)


def test_each_chapter_leaves_notebook_metrics_and_card(smoke_run):
    for number in (f"{n:02d}" for n in range(1, 8)):
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


def planned(folder) -> list[str]:
    text = reproduce(folder, "--dry-run").stdout
    return sorted({line.split()[0] for line in text.splitlines() if line.startswith("chapter_")})


def test_changed_code_plans_the_chapter_and_those_after_it(smoke_run):
    stamp = smoke_run / "stamps" / "05.json"
    original = stamp.read_text()
    stamp.write_text(original.replace('"code_hash": "', '"code_hash": "other'))
    assert planned(smoke_run) == ["chapter_05", "chapter_06", "chapter_07"]
    os.utime(stamp, (0, 0))
    assert planned(smoke_run) == []


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


@pytest.mark.parametrize(
    ("profile", "sentence"), [("smoek", "did you mean 'smoke'"), ("no.yaml", "does not exist")]
)
def test_a_bad_profile_is_one_sentence(tmp_path, profile, sentence):
    done = reproduce(tmp_path / "x", profile=profile)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert len(done.stdout.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()

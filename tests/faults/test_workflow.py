"""Promise 1 through the whole of `make reproduce`: Snakemake, papermill, kernel, training."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from helpers import same_weights
from smoke import ROOT, reproduce

from tblib.engine import checkpoint
from tblib.engine.loop import read_log

NAMES = ("ssl_invariant", "ssl_distinctive", "ssl_joint")
LIMIT = 900  # seconds to wait on a busy machine


def profile(folder: Path) -> str:
    """Write the smoke profile with trainings long enough to be disturbed."""
    values = yaml.safe_load((ROOT / "notebooks" / "profiles" / "smoke.yaml").read_text())
    values["pretrain"] |= dict.fromkeys(["steps_invariant", "steps_distinctive", "steps_joint"], 60)
    values["runtime"] = values.get("runtime", {}) | {"checkpoint_every": 5, "jobs": 1}
    (folder / "longer.yaml").write_text(yaml.safe_dump(values))
    return str(folder / "longer.yaml")


def steps(run: Path, name: str) -> list[int]:
    return [line["step"] for line in read_log(run / "ckpt" / name / "metrics.jsonl")]


def wait_until(holds, process: subprocess.Popen) -> None:
    limit = time.monotonic() + LIMIT
    while not holds():
        assert process.poll() is None, "Snakemake ended too soon"
        assert time.monotonic() < limit
        time.sleep(0.02)


def chapter_process(run: Path) -> int:
    """Find the process of chapter 2 that works in this folder: what a scheduler would signal."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if words[1:5] == [b"-m", b"tblib", b"run", b"02"] and place.with_name("cwd").samefile(run):
            return int(place.parent.name)
    raise AssertionError("no process runs chapter 2")


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_signalled_retried_and_killed_a_chapter_ends_as_if_undisturbed(tmp_path):
    """SIGTERM to the chapter, which Snakemake retries; then SIGKILL to all; then the command."""
    named, run, until = profile(tmp_path), tmp_path / "run", ("--until", "chapter_02")
    line = [sys.executable, "workflow/run.py", "--profile", named, "--run-dir", str(run)]
    with (tmp_path / "said.txt").open("w") as said:
        first = subprocess.Popen([*line, *until, "--retries", "1"], cwd=ROOT, stdout=said,
                                 stderr=said, start_new_session=True)  # fmt: skip
    try:
        wait_until(lambda: len(steps(run, NAMES[0])) > 1, first)
        stopped = chapter_process(run)
        os.kill(stopped, signal.SIGTERM)
        wait_until(lambda: steps(run, NAMES[1]), first)
        assert chapter_process(run) != stopped, "Snakemake tried again"
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    text = (tmp_path / "said.txt").read_text()
    assert "the same command goes on" in text and "Trying to restart job" in text
    time.sleep(5)  # a kernel notices within seconds that its parent is gone
    assert (run / "ckpt" / NAMES[0] / "model.json").is_file(), "a dead job keeps its models"
    assert not (run / "metrics" / "02.json").exists()
    done = reproduce(run, *until, profile=named)
    assert done.returncode == 0, done.stdout[-3000:]
    whole = tmp_path / "whole"
    assert reproduce(whole, *until, profile=named).returncode == 0
    for name in NAMES:
        mine, other = (checkpoint.load_weights(f / "ckpt" / name) for f in (run, whole))
        assert same_weights(mine, other), name
        assert steps(run, name) == steps(whole, name) == sorted(set(steps(whole, name)))
    left = reproduce(run, *until, "--dry-run", profile=named).stdout
    assert re.search(r"^total +0$", left, re.MULTILINE), left

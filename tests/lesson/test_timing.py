"""Gains are ratios within a round, against the first method; records show what was measured."""

import os
import subprocess
import sys
import time

import pytest
from smoke import ROOT

from tblib.files import read_json
from tblib.lesson import timing


def test_methods_take_turns_and_the_first_calls_are_not_counted():
    calls = []
    methods = {name: lambda turn, name=name: calls.append((name, turn)) for name in "ab"}
    seconds = timing.compare(methods, rounds=2)
    assert calls == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}


def test_only_the_time_of_this_process_is_counted():
    def work(_):
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass

    seconds = timing.compare({"work": work, "sleep": lambda _: time.sleep(0.05)}, rounds=1)
    assert seconds["work"][0] >= 0.05 > 5 * seconds["sleep"][0]


def test_gains_are_taken_round_by_round():
    """The second round ran on a machine at half speed; the gain is the same."""
    found = timing.gains({"plain": [4.0, 8.0, 9.0], "ours": [1.0, 2.0, 3.0]})
    assert found == {"plain": (1, 1, 1), "ours": (4, 3, 4)}


RECORDS = sorted((ROOT / "results" / "benchmarks").glob("*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_the_readme_of_the_benchmarks_shows_what_was_recorded(path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    sys.modules.pop("common", None)
    from common import markdown

    record, readme = read_json(path), (ROOT / "benchmarks" / "README.md").read_text()
    assert {"device", "torch", "commit", "date", "rounds"} <= set(record["machine"])
    for entry in record["tables"]:
        assert markdown(entry) in readme, f"put this into the README:\n{markdown(entry)}"


def test_every_benchmark_of_the_processor_is_recorded():
    names = ["growth", "input_pipeline", "processes", "training"]
    assert [path.stem for path in RECORDS] == names


TABLES = ["speeds", "earlier", "layers", "errors", "resumed", "features", "classifiers"]


@pytest.mark.parametrize("name", TABLES)
def test_the_readme_of_the_benchmarks_shows_what_a_gpu_measured(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu_tables

    table = getattr(gpu_tables, name)()
    readme = (ROOT / "benchmarks" / "README.md").read_text()
    assert table in readme, f"put this into the README:\n{table}"


def test_the_readme_of_the_benchmarks_says_how_much_faster_steps_are():
    record = read_json(ROOT / "results" / "gpu" / "throughput.json")
    readme = " ".join((ROOT / "benchmarks" / "README.md").read_text().split())
    found = {}
    for title, rows in record.items():
        if title.endswith((" videos", " clips", " px")):
            found[title.split(",")[0]] = {row["name"].partition(":")[0]: row["ms"] for row in rows}

    def gain(step: str, way: str) -> float:
        return found[step][way] / found[step]["ours"]

    steps, own, tf32 = ("pretraining", "student"), "all layers in torch's form", "none of it"
    plain = tuple(gain(step, tf32) for step in steps)
    said = "pretraining is {:.1f} times and one of the student {:.1f} times"
    assert said.format(*plain) in readme
    first = " ".join((ROOT / "README.md").read_text().split())
    assert said.format(*plain) in first
    full = tuple(gain(step, f"{tf32}, and float32 without TF32") for step in steps)
    assert "it is {:.0f} and {:.0f} times".format(*full) in readme
    layers = (gain(step, own) for step in (*steps, "slow_r50 student"))
    said = "{:.2f} (pretraining), {:.2f} (student) and {:.2f} times (`slow_r50`) as fast"
    assert said.format(*layers) in readme


GPU_RECORDS = ["parity", "parity-cpu", "throughput", "throughput-h100", "resume", "layers"]
DEVICES = {"layers": "H200", "throughput": "H200", "parity-cpu": "Xeon"}


@pytest.mark.parametrize("name", GPU_RECORDS)
def test_a_record_of_a_gpu_program_says_where_it_comes_from(name):
    machine = read_json(ROOT / "results" / "gpu" / f"{name}.json")["machine"]
    assert {"device", "torch", "commit", "code_hash", "command", "date", "seconds"} <= set(machine)
    assert "+" not in machine["commit"] and "unknown" not in machine["commit"]
    assert DEVICES.get(name, "H100") in machine["device"]


@pytest.mark.slow
def test_the_programs_for_a_gpu_can_be_tried_without_one(tmp_path):
    """Kills and resumes real trainings, on the CPU and small."""
    program = ROOT / "benchmarks" / "gpu_resume.py"
    options = ["--device", "cpu", "--px", "16", "--backbone", "tiny_r3d", "--out", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(program), *options], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    record = read_json(tmp_path / "resume.json")
    assert "--out" not in record["machine"]["command"]
    assert {row["difference_after_kills"] for row in record["trainings"]} == {0.0}
    assert all(row["killed_after_state"] for row in record["trainings"])

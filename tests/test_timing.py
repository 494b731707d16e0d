"""Gains are ratios within a round, against the first method; records show what was measured."""

import sys
import time

import pytest
from smoke import ROOT

from tblib import timing
from tblib.io import read_json


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


def test_all_three_benchmarks_are_recorded():
    assert [path.stem for path in RECORDS] == ["growth", "input_pipeline", "training"]

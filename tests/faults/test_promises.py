"""The page on reliability: every test it names exists, every message is in its lists."""

import ast
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import measured
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "reliability.md").read_text()


@pytest.fixture
def promises(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book"))
    for name in ("build", "pages", "messages", "reference", "promises"):
        sys.modules.pop(name, None)
    import promises

    return promises


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 60
    missing = [f"{p}::{t}" for p, t in named if t not in functions_of(ROOT / p)]
    assert missing == []


def test_every_fault_of_the_plan_is_proven_or_its_deviation_named():
    part = PAGE.partition("## Fault by fault")[2].partition("\n## ")[0]
    items = re.findall(r"^- \*\*([^*]+)\.\*\* (.*?)(?=^- |\Z)", part, re.M | re.S)
    wanted = [f"A{n}" for n in range(1, 35)] + [f"B{n}" for n in range(1, 7)] + ["G1", "G2"]
    assert [name for names, _ in items for name in names.split(", ")] == wanted
    for names, text in items:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
        assert named or "*Instead:* " in text, names
        assert all(test in functions_of(ROOT / path) for path, test in named), names


def test_every_promise_has_tests_that_inject_its_fault():
    parts = re.split(r"^### (P\d+)\. ", PAGE.partition("## What was measured")[0], flags=re.M)
    assert parts[1::2] == [f"P{n}" for n in range(1, 14)]
    assert all("`tests/faults/" in text for text in parts[2::2])


def test_every_fault_test_is_collected_under_a_name_of_its_own():
    names = [
        name for path in Path(__file__).parent.glob("test_*.py") for name in functions_of(path)
    ]
    tests = [name for name in names if name.startswith("test_")]
    assert len(tests) == len(set(tests)) > 60


def test_messages_are_read_from_the_code(promises):
    from messages import messages

    found = messages()
    text = promises.message_lists()
    items = re.findall(r"^\* (`.+) \[(\w+), `([\w.]+)`\]\{\.given-by\}$", text, re.M)
    shown = {(message.strip("` "), kind, place) for message, kind, place in items}
    assert len(found) > 120 and len(items) == len(found)
    for kind, message, place in found:
        kind = "setting" if kind == "ValueError" else kind
        assert (message.strip("` "), kind, place.removesuffix(".__init__")) in shown, message
    assert "did you" not in text, "that part differs from case to case"
    for kind, message, place in found:
        ends = "]" if kind == "DecodeError" else "."
        assert kind == "ValueError" or message.endswith((ends, "…", "?")), (place, message)
        assert len(message) >= 10 and message[0] not in " .,", (place, message)


def test_messages_are_grouped_by_part_and_each_group_is_counted(promises):
    groups = re.findall(r"^:{5}\{dropdown\} (.+) \((\d+)\)$", promises.message_lists(), re.M)
    from messages import messages

    places = [promises.part_of(place) for *_, place in messages()]
    assert {part: int(count) for part, count in groups} == {p: places.count(p) for p in places}
    assert 4 <= len(groups) <= 8
    for place, part in (
        ("tblib.__main__", "Settings, runs and files"),
        ("tblib.data.lists", "Data sets and labels"),
        ("tblib.data.stickactions.make", "Videos, cache and clips"),
        ("tblib.models.__init__", "Networks and training"),
        ("tblib.a_module_of_tomorrow", "Settings, runs and files"),
        ("workflow.run", promises.BOOK),
    ):
        assert promises.part_of(place) == part


def test_the_parts_of_messages_are_all_pages_of_the_reference(promises):
    from reference import sections

    named = [f"book/api/{page}" for pages in promises.PARTS.values() for page in pages]
    assert sorted(named) == sorted(sections())


def test_lists_of_tests_are_closed_counted_and_complete(promises):
    page = promises.fill(PAGE, ROOT / "results")
    pattern = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
    assert pattern.findall(page) == pattern.findall(PAGE)
    fence = re.compile(r"^:{5}\{dropdown\} ([^\n]+)\n(.*?)^:{5}$", re.M | re.S)
    closed = fence.findall(page)
    counts = [(t, text) for t, text in closed if t.startswith("The tests (")]
    assert len(counts) == 13
    for title, text in counts:
        assert title == f"The tests ({len(pattern.findall(text))})"
    assert pattern.findall(fence.sub("", page)) == [], "outside of what is closed"
    titles = [
        title.rpartition(": ")[2] for title, _ in closed if re.search(r": [ABG]\d+ to ", title)
    ]
    assert titles[0] == "A1 to A6" and titles[-2:] == ["B1 to B6", "G1 to G2"]


def test_a_new_error_gets_into_the_lists(promises, tmp_path):
    from messages import messages

    (tmp_path / "tblib").mkdir()
    source = 'def f(x):\n    raise DataError(f"the box {x} is empty; fill it.")\n'
    (tmp_path / "tblib" / "box.py").write_text(source)
    assert messages(tmp_path) == [("DataError", "the box … is empty; fill it.", "tblib.box")]


def test_the_page_is_filled_and_each_exit_code_is_explained(promises):
    from tblib.__main__ import CRASHED, INTERRUPTED
    from tblib.errors import UserError

    page = promises.fill(PAGE, ROOT / "results")
    assert "<!--" not in page and promises.message_lists() in page
    for code in (0, 1, UserError.exit_code, CRASHED, INTERRUPTED):
        assert re.search(rf"^\| {code} \| ", page, re.M)


def test_a_missing_scorecard_says_how_to_make_one(promises, tmp_path):
    assert "make scorecard" in promises.scorecard(tmp_path / "none.json")
    (tmp_path / "reliability.json").write_text(
        '{"cards": {"stale_pages": {"date": "2026-01-02T03:04:05+00:00", "commit": "abc",'
        ' "device": "CPU", "host_cpus": 2, "tests": 9, "seconds": 90}}, "values":'
        ' {"stale_pages": 0, "kill_cycles": {"kills": 8, "survived": 7}}}'
    )
    text = promises.scorecard(tmp_path / "reliability.json")
    assert "| stale pages shown by the built book | 0 |" in text
    assert "all tests passed: 2026-01-02 03:04 UTC, commit `abc`, 9 tests." in text
    assert "| 7 of 8 |" in text and "CPU with 2 CPUs" in text and "Another run" not in text
    assert text.count("not measured yet") == len(promises.ROWS) - 2


def test_what_a_gpu_measured_is_shown_with_its_origin(promises, tmp_path):
    (tmp_path / "reliability.json").write_text('{"values": {}, "cards": {}}')
    (tmp_path / "gpu").mkdir()
    trainings = [
        {"killed_after_state": [4, 8], "difference_after_kills": 0.0},
        {"killed_after_state": [4], "difference_after_kills": 0.25},
    ]
    machine = {"device": "Some GPU", "date": "2026-01-02", "commit": "abc"}
    record = {"trainings": trainings, "machine": machine, "settings": {"backbone": "r3d_18"}}
    (tmp_path / "gpu" / "resume.json").write_text(json.dumps(record))
    text = promises.scorecard(tmp_path / "reliability.json")
    assert f"| {promises.ROWS['gpu_difference'][0]} | 0.25 |" in text
    assert "2 trainings of `r3d_18` were killed 3 times: Some GPU, 2026-01-02, commit `abc`" in text
    assert "The network was" not in text
    noted = json.dumps(record | {"network_note": "another then"})
    (tmp_path / "gpu" / "resume.json").write_text(noted)
    text = promises.scorecard(tmp_path / "reliability.json")
    assert "The network was another then." in text


def test_values_of_another_run_are_named_below_the_scorecard(promises, tmp_path):
    most = {"date": "2026-01-02T03:04:05+00:00", "commit": "abc", "device": "CPU", "host_cpus": 2}
    other = most | {"commit": "def", "tests": 3}
    cards = {"requests": other} | dict.fromkeys(["stale_pages", "fuzzed"], most | {"tests": 9})
    record = {"values": {"requests": 0, "stale_pages": 0, "fuzzed": 5}, "cards": cards}
    (tmp_path / "reliability.json").write_text(json.dumps(record))
    text = promises.scorecard(tmp_path / "reliability.json")
    assert text.count("`abc`, 9 tests") == 1, "what is true of most is said once"
    name = promises.ROWS["requests"][0]
    assert f"Another run measured “{name}”: 2026-01-02 03:04 UTC, commit `def`, 3 tests." in text


def test_every_value_that_tests_measure_is_shown(promises):
    sources = [*(ROOT / "tests").rglob("*.py")]
    known = {key for p in sources for key in re.findall(r'scorecard\["(\w+)"\]', p.read_text())}
    known |= {"fuzzer", "every_run"}  # by tests/faults/fuzz.py and tests/conftest.py
    assert known == set(promises.ROWS)


def test_a_run_of_one_part_leaves_the_values_of_the_others(tmp_path, monkeypatch, request):
    """Called as pytest does at the end of a run, for a record elsewhere."""
    plugins = request.config.pluginmanager.get_plugins()
    ends = next(p for p in plugins if hasattr(p, "SCORES"))
    place = tmp_path / "results" / "reliability.json"
    monkeypatch.setattr(measured, "RECORD", place)
    monkeypatch.setenv("TB_SCORECARD", "1")
    for values, status in (({"a": 1, "b": 1}, 0), ({"b": 2}, 0), ({"b": 3}, 1)):
        stash = {ends.SCORES: values, ends.BEGAN: 0.0}
        config = SimpleNamespace(stash=stash)
        session = SimpleNamespace(config=config, testscollected=len(values), items=[])
        ends.pytest_sessionfinish(session, status)
    record = json.loads(place.read_text())
    assert record["values"] == {"a": 1, "b": 2}, "a run with a failed test records nothing"
    assert {key: card["tests"] for key, card in record["cards"].items()} == {"a": 2, "b": 1}


def test_a_checked_cell_whose_output_was_removed_or_failed_is_refused(promises):
    """What nbval lets pass: it compares nothing with a cell that has no output."""
    import build
    import nbformat

    cell = nbformat.v4.new_code_cell("print(1)", metadata={"tags": ["nbval-check-output"]})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    with pytest.raises(build.UserError, match="cell 0 is tagged nbval-check-output but is empty"):
        build.check_outputs(notebook, "a")
    cell.outputs = [nbformat.v4.new_output("error", ename="E", evalue="no")]
    with pytest.raises(build.UserError, match="cell 0 ended in an error"):
        build.check_outputs(notebook, "a")
    cell.outputs = [nbformat.v4.new_output("stream", text="1\n")]
    build.check_outputs(notebook, "a")

"""Where time went: every second of a chapter belongs to one section."""

import sys

import nbformat
import pytest
from smoke import ROOT

from tblib.files import write_json
from tblib.lesson import section_times


def notebook():
    """A start of 2 s, one section of 3 + 4 s, one of 1 s, and a cell that never ran."""
    v4 = nbformat.v4
    cells = [
        v4.new_code_cell("a", metadata={"papermill": {"duration": 2.0}}),
        v4.new_markdown_cell("# Title\n\nwords\n\n## Training\n\nmore\n\n### Losses"),
        v4.new_code_cell("b", metadata={"papermill": {"duration": 3.0}}),
        v4.new_markdown_cell("words without a heading"),
        v4.new_code_cell("c", metadata={"papermill": {"duration": 4.0}}),
        v4.new_markdown_cell("## Testing"),
        v4.new_code_cell("d", metadata={"papermill": {"duration": 1.0}}),
        v4.new_code_cell("e"),
    ]
    return v4.new_notebook(cells=cells)


def test_seconds_are_added_up_below_headings_and_the_rest_is_the_start():
    assert section_times.by_section(notebook(), 15.0) == {
        "start": 7.0,
        "Losses": 7.0,
        "Testing": 1.0,
    }


def test_the_longest_sections_come_first_and_nothing_is_lost(tmp_path):
    section_times.note(tmp_path, "02", notebook(), 15.0)
    write_json(tmp_path / "times" / "01.json", {"start": 1.0, "Videos": 84.0})
    rows = section_times.longest(tmp_path, share=0.05)
    assert rows[0] == ("01", "Videos", 84.0)
    assert [row[:2] for row in rows[1:]] == [
        ("02", "start"), ("02", "Losses"), ("", "all other sections"),
    ]  # fmt: skip
    assert sum(seconds for *_, seconds in rows) == pytest.approx(100)


def test_a_run_without_times_has_no_table(tmp_path):
    assert section_times.longest(tmp_path) == []


def test_the_status_page_shows_times_with_their_share(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book"))
    sys.modules.pop("pages", None)
    import pages

    assert "not timed" in pages.time_table(tmp_path)
    write_json(tmp_path / "times" / "02.json", {"start": 30.0, "Training": 270.0})
    text = pages.time_table(tmp_path)
    assert "| 02 | Training | 4.5 min | 90 % |" in text and "| 02 | start | 30 s | 10 % |" in text

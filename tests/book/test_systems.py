"""The cards of the systems: one for each, and what they compute is what it says."""

import ast
import re

import pandas as pd
import pytest
import systems
from smoke import ROOT

from tblib.lesson import paper
from tblib.methods import semi

NAMES = systems.names()
each = pytest.mark.parametrize("name", NAMES)


def test_every_system_but_the_books_own_has_a_card_in_the_contents():
    assert set(semi.METHODS) - set(NAMES) == {"supervised", "timebalance"}
    contents = (ROOT / "_toc.yml").read_text()
    assert [name for name in NAMES if f"book/systems/{name}\n" not in contents] == []


@each
def test_a_card_has_every_part_and_no_mark_is_left(name):
    page = systems.fill((systems.PAGES / f"{name}.md").read_text(), name)
    assert "<!--" not in page
    for heading in ("The equation and the code", "What was changed here, and why",
                    "What the paper reports", "Our numbers", "Run it"):  # fmt: skip
        assert f"## {heading}\n\n" in page
    assert "$$\n" in page
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert ast.parse(code).body[0].name == "forward"
    assert f"--method {name}\n" in page
    first = page.partition("\n\n")[2].partition("```")[0]
    assert 2 <= len(re.findall(r"\.(?:\s|$)", first)) <= 5, "what it is, in about three sentences"


@each
def test_reported_numbers_are_those_of_the_papers_table(name):
    (row,) = re.findall(r"<!-- reported: (.+?) -->", (systems.PAGES / f"{name}.md").read_text())
    table = paper.results()
    mine = table[table["method"] == row].filter(regex="ucf101|hmdb51|k400").stack().dropna()
    assert len(mine)
    shown = systems.reported(row)
    assert all(re.search(rf"\b{value:g}\b", shown) for value in mine)


def test_numbers_of_our_own_come_from_the_leaderboard_or_are_said_to_be_missing(tmp_path):
    assert systems.ours("fixmatch", tmp_path).startswith("**Not measured yet.**")
    lines = {"method": ["fixmatch", "fixmatch", "tcl"], "dataset": "stickactions", "share": 0.05,
             "start": "random", "top1": [40.0, 50.0, 1.0]}  # fmt: skip
    pd.DataFrame(lines).to_csv(tmp_path / "leaderboard.csv")
    assert "| stickactions | 0.05 | random | 45.0 | 2 |" in systems.ours("fixmatch", tmp_path)


def test_the_field_page_lists_every_card():
    shown = systems.overview().splitlines()
    assert len(shown) == len(NAMES) and all(line.endswith(".") for line in shown)

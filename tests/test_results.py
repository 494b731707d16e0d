"""Recorded results: complete, with run cards, and what the README says of them."""

import sys
from pathlib import Path

import pytest

from tblib.io import read_json

ROOT = Path(__file__).resolve().parents[1]
RECORDS = sorted((ROOT / "results").glob("*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_every_chapter_and_its_card(path):
    record = read_json(path)
    assert record["name"] == path.stem
    for part in ("cards", "metrics"):
        assert sorted(record[part]) == [f"{n:02d}" for n in range(1, 8)]
    assert len({card["code_hash"] for card in record["cards"].values()}) == 1
    for card in record["cards"].values():
        assert {"seed", "device", "commit", "label_fraction", "seconds", "versions"} <= set(card)
    assert all(training["seconds"] > 0 for training in record["trainings"])


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_tables_agree_with_the_numbers_they_are_made_from(path):
    metrics = read_json(path)["metrics"]["07"]
    for name, top1, *_ in metrics["table"]["rows"]:
        assert top1 == pytest.approx(metrics["accuracy"][name]["top1"], abs=0.06)


def test_the_readme_shows_the_recorded_numbers(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book"))
    sys.modules.pop("pages", None)
    import pages

    assert RECORDS, "no recorded result"
    expected = pages.headline(ROOT / "results")
    assert expected in (ROOT / "README.md").read_text(), f"put this into the README:\n{expected}"

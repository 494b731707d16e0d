"""The picture of the rooms is drawn from the imports; the page beside it names what there is."""

import importlib
import re
import sys

import grimp
import pytest
from PIL import Image
from smoke import ROOT

PAGE = ROOT / "book" / "how-the-code-hangs-together.md"


@pytest.fixture
def rooms(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book"))
    sys.modules.pop("rooms", None)
    return importlib.import_module("rooms")


def bows(figure):
    """Lines of the picture by the pair they stand for."""
    return {p.get_gid(): p for p in figure.axes[0].patches if p.get_gid()}


def test_the_arrows_are_the_imports_between_floors(rooms):
    """Counted once more, by squeezing each floor of the graph into one module."""
    floors, graph = rooms.floors(), grimp.build_graph("tblib")
    owner = {f"tblib.{name}": floor for floor, names in floors.items() for name in names}
    assert set(owner) == graph.find_children("tblib"), "every file and folder has a floor"
    for module in owner:
        if graph.find_children(module):
            graph.squash_module(module)
    expected = {
        f"{owner[a]}→{owner[b]}"
        for a in owner
        for b in graph.find_modules_directly_imported_by(a) & owner.keys()
        if owner[a] != owner[b]
    }
    assert expected and set(bows(rooms.draw())) == expected


def test_no_arrow_goes_up(rooms):
    for pair, bow in bows(rooms.draw()).items():
        points = bow.get_path().vertices
        assert points[0, 1] > points[-1, 1], pair


def test_arrows_are_the_thicker_the_more_is_imported(rooms):
    found, drawn = rooms.arrows(), bows(rooms.draw())
    order = sorted(found, key=found.get)
    widths = [drawn["→".join(pair)].get_linewidth() for pair in order]
    assert widths == sorted(widths) and widths[0] < widths[-1]
    package = grimp.build_graph("tblib")
    methods, data = (package.find_descendants(f"tblib.{room}") for room in ("methods", "data"))
    pairs = [(a, b) for a in methods | {"tblib.methods"} for b in data | {"tblib.data"}
             if package.direct_import_exists(importer=a, imported=b)]  # fmt: skip
    assert found["methods", "data"] == len(pairs)


def test_an_import_that_goes_up_would_be_seen(rooms, monkeypatch):
    graph = grimp.build_graph("tblib")
    graph.add_import(importer="tblib.data.clips", imported="tblib.study.grid")
    monkeypatch.setattr(rooms.grimp, "build_graph", lambda name: graph)
    assert rooms.arrows()["data", "study"] == 1


def test_the_page_has_the_picture_with_words_and_a_paragraph_for_each_floor(rooms, tmp_path):
    text = rooms.fill(PAGE.read_text(), tmp_path)
    words = re.search(r"```\{image\} rooms\.png\n:alt: (.+)\n", text)[1]
    assert all(floor in words for floor in rooms.floors()) and "none of them upwards" in words
    assert Image.open(tmp_path / "rooms.png").width == 900
    section = text.partition("## The rooms\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\*\*(.+?)\*\*", section, re.M)
    (*above, (_, loose)) = rooms.floors().items()
    assert named == [*dict(above), "The ground floor"]
    assert set(loose) <= set(re.findall(r"`(\w+)`", section.rpartition("\n\n")[2]))


def test_names_on_the_page_exist():
    names = re.findall(r"\{py:\w+\}`(tblib[\w.]+)`", PAGE.read_text())
    assert len(names) > 30
    for name in names:
        parts = name.split(".")
        for k in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:k]))
                break
            except ModuleNotFoundError:
                continue
        for part in parts[k:]:
            found = getattr(found, part)

"""The rendered book: complete, offline, linked, and honest about what it shows."""

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from bs4 import BeautifulSoup
from needs import chromium, in_a_browser
from smoke import ROOT

from tblib.run.chapter_code import chapter_code
from tblib.study import reading

pytestmark = pytest.mark.timeout(900)
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
FETCHED = {"stylesheet", "preload", "icon", "shortcut", "modulepreload"}
LABEL = re.compile(r"^\$\$ \((eq-[\w-]+)\)$", re.MULTILINE)
CITED = re.compile(r":eq:`(eq-[\w-]+)`")


@pytest.fixture(scope="session")
def soups(html) -> dict[Path, BeautifulSoup]:
    # The theme leaves templates of its own in _static.
    paths = [path for path in html.rglob("*.html") if "_static" not in path.parts]
    return {path: BeautifulSoup(path.read_text(), "html.parser") for path in paths}


def loads(soup):
    """Yield the address of everything a browser fetches by itself."""
    for tag, attribute in LOADED.items():
        yield from (node[attribute] for node in soup.find_all(tag) if node.get(attribute))
    for node in soup.find_all("link"):
        if set(node.get("rel", [])) & {
            "stylesheet",
            "preload",
            "icon",
            "shortcut",
            "modulepreload",
        }:
            yield node["href"]


def test_all_pages_of_the_contents_are_there(html):
    toc = (ROOT / "_toc.yml").read_text()
    names = re.findall(r"file: (\S+)", toc) + ["book/intro"]
    missing = [n for n in names if not (html / n).with_suffix(".html").is_file()]
    assert missing == []
    assert (html / "index.html").is_file()


def test_nothing_is_fetched_from_a_network(html, soups, scorecard):
    outside = {
        address
        for soup in soups.values()
        for address in loads(soup)
        if urlparse(address).scheme in ("http", "https") or address.startswith("//")
    }
    assert outside == set()
    styles = "\n".join(path.read_text() for path in html.rglob("*.css"))
    named = re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']+", styles)
    assert named == []
    scorecard["requests"] = len(outside) + len(named)


def test_no_page_is_of_other_code(smoke_run, html, scorecard):
    made_by = [json.loads(path.read_text()) for path in (smoke_run / "cards").glob("*.json")]
    stale = [
        card["chapter"]
        for card in made_by
        if card["chapter_code"] != chapter_code(card["chapter"], card["backbone"], card["student"])
    ]
    assert made_by and stale == []
    scorecard["stale_pages"] = len(stale)


def test_links_images_and_scripts_exist(html, soups):
    broken = set()
    for page, soup in soups.items():
        addresses = list(loads(soup)) + [a["href"] for a in soup.find_all("a", href=True)]
        for address in addresses:
            parts = urlparse(address)
            if parts.scheme or not parts.path:
                continue
            if not (page.parent / unquote(parts.path)).resolve().exists():
                broken.add(f"{page.relative_to(html)} -> {address}")
    assert broken == set()


def test_anchors_exist(html, soups):
    anchors = {
        page.resolve(): {node.get("id") for node in soup.find_all(id=True)}
        for page, soup in soups.items()
    }
    broken = set()
    for page, soup in soups.items():
        for link in soup.select("article a.reference.internal[href*='#']"):
            parts = urlparse(link["href"])
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
            if parts.fragment and unquote(parts.fragment) not in anchors.get(target, set()):
                broken.add(f"{page.relative_to(html)} -> {link['href']}")
    assert broken == set()


@pytest.mark.parametrize("name", reading.recorded())
def test_tables_of_a_study_are_behind_one_cover(html, soups, name):
    page = soups[html / "book" / "results.html"]
    covers = [
        node
        for node in page.select("article details")
        if node.summary.get_text(strip=True).startswith(f"{name}, as chapter 9 reads it")
    ]
    assert len(covers) == 1
    parts = covers[0].select("details")
    assert f": {len(parts)} tables" in covers[0].summary.get_text()
    assert len(parts) > 2 and all(len(part.select("table")) == 1 for part in parts)
    assert all(part.summary.get_text(strip=True).startswith(f"{name}: ") for part in parts)


def test_the_results_page_opens_studies_of_the_chapters_not_those_made_for_a_statement(html, soups):
    page = soups[html / "book" / "results.html"]
    titles = [node.summary.get_text(strip=True) for node in page.select("article details")]
    covered = {
        title.split(":")[0] for title in titles if title.endswith(": the main systems, over seeds")
    }
    assert set(reading.recorded()) - covered == {"laptop-study", "ucf101-study"}


def test_pictures_say_what_they_show(html, soups):
    """A file's name is no description; chapters have dozens of figures, each with its own words."""
    for path, soup in soups.items():
        # The index of modules has Sphinx's own buttons, "+" and "-", which are no pictures.
        said = [node.get("alt", "") for node in soup.select("article img:not(.toggler)")]
        short = [
            words for words in said if len(words.split()) < 4 or re.search(r"\.(png|svg)", words)
        ]
        assert short == [], path.relative_to(html)
    chapters = [p for p in soups if p.parent.name == "notebooks"]
    said = {node["alt"] for p in chapters for node in soups[p].select("article img")}
    assert len(said) > 40, "not one sentence for all"


def test_tables_are_named_and_their_headers_have_a_direction(html, soups):
    for path in soups:
        if path.parent.name in ("notebooks", "book"):
            for table in soups[path].select("article table"):
                assert table.caption and table.caption.get_text(strip=True), path
                assert all(cell.get("scope") in ("col", "row") for cell in table.find_all("th"))


def test_a_page_says_what_it_is(html, soups):
    """To a search engine, to who shows a link to it, and in a tab."""
    for path in soups:
        if path.parent.name not in ("notebooks", "book"):
            continue
        head = soups[path].head
        said = head.find("meta", attrs={"name": "description"})
        assert said and len(said["content"]) > 40, path
        assert head.find("meta", property="og:title")["content"] in head.title.get_text()
        assert head.find("link", rel="icon"), path
    first = soups[html / "index.html"]
    assert first.html["lang"] == "en" and "TimeBalance" in first.title.get_text()


def test_chapters_are_numbered_where_they_are_named(soups, html):
    links = soups[html / "book" / "intro.html"].select("nav.bd-links a, article table a")
    texts = [" ".join(a.get_text().split()) for a in links if "notebooks/" in a["href"]]
    assert sorted({t[:2] for t in texts}) == [f"{n}." for n in range(1, 10)]
    assert len(texts) == 18 and all(re.match(r"[1-9]\. \w", text) for text in texts)


def cited() -> set[tuple[str, str]]:
    """Pairs of a documented name of tblib and an equation that its docstring cites."""
    pairs = set()
    for path in (ROOT / "tblib").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text())
        for node in [tree, *tree.body]:
            if not isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
                continue
            name = f"{module}.{node.name}" if hasattr(node, "name") else module
            pairs |= {(name, label) for label in CITED.findall(ast.get_docstring(node) or "")}
    return pairs


def linked(page: str) -> set[tuple[str, str]]:
    """Pairs of a name of tblib and the numbered equation below which the page links to it."""
    parts = LABEL.split(page)[1:]
    return {
        (name, label)
        for label, text in zip(parts[::2], parts[1::2], strict=True)
        for line in re.findall(r"^\*In code:\* (.*)$", text, re.MULTILINE)
        for name in re.findall(r"\{py:\w+\}`([\w.]+)`", line)
    }


def test_equations_and_docstrings_link_to_each_other():
    page = (ROOT / "book" / "notation.md").read_text()
    labels = set(LABEL.findall(page))
    code = "\n".join(path.read_text() for path in (ROOT / "tblib").rglob("*.py"))
    assert labels == set(CITED.findall(code))
    assert linked(page) == cited()
    assert labels == {label for _, label in linked(page)}


def test_links_from_equations_reach_the_reference(soups):
    page = next(soup for path, soup in soups.items() if path.name == "notation.html")
    found = {a["href"].partition("#")[2] for a in page.select("article a[href^='api/']")}
    assert {name for name, _ in linked((ROOT / "book" / "notation.md").read_text())} <= {
        name.removeprefix("module-") for name in found
    }


def test_every_module_is_in_the_reference():
    pages = (ROOT / "book" / "api").glob("*.md")
    named = [name for p in pages for name in re.findall(r"automodule:: (\S+)", p.read_text())]
    listed = set(named)
    assert len(named) == len(listed), "a module is on one page"
    modules = set()
    for path in (ROOT / "tblib").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    # Packages that present themselves through __all__ are documented as a whole.
    whole = ("tblib.lesson.plot.", "tblib.data.stickactions.", "tblib.run.doctor.")
    empty = {"tblib.__main__", "tblib.methods.pretrain", "tblib.methods.semi"}
    assert {m for m in modules if not m.startswith(whole)} - empty == listed


def test_the_overview_of_the_reference_leads_to_every_module(html, soups):
    page = soups[html / "book" / "api.html"]
    lines = [item for item in page.select("article li") if item.select_one("a[href*='#module-']")]
    shown = {line.a["href"].partition("#module-")[2]: line for line in lines}
    pages = re.findall(r"file: (book/api/\S+)", (ROOT / "_toc.yml").read_text())
    for place in pages:
        for name in re.findall(r"automodule:: (\S+)", (ROOT / f"{place}.md").read_text()):
            line = shown.pop(name)
            assert line.a["href"] == f"{place.removeprefix('book/')}.html#module-{name}"
            words = (importlib.import_module(name).__doc__).split()[:3]
            assert re.sub(r"\W", "", "".join(words)) in re.sub(r"\W", "", line.text)
    assert shown == {}
    written = {p.stem for p in (ROOT / "book" / "api").glob("*.md")}
    assert written == {Path(place).name for place in pages}, "each page is in the contents"


def test_mathematics_is_complete(html):
    assert (html / "_static" / "mathjax" / "tex-chtml.js").is_file()
    assert list((html / "_static" / "mathjax").rglob("*.woff"))


def build(run: Path, out: Path, *extra: str) -> subprocess.CompletedProcess:
    line = [sys.executable, "book/build.py", "--run", str(run), "--out", str(out), *extra]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.fixture
def spoiled(smoke_run, tmp_path) -> Path:
    """A copy of the notebooks and cards of the smoke run, for breaking."""
    for name in ("notebooks", "cards", "metrics"):
        shutil.copytree(smoke_run / name, tmp_path / "run" / name)
    return tmp_path / "run"


def test_results_of_other_code_are_refused(spoiled, tmp_path):
    card = spoiled / "cards" / "03.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"chapter_code": "0"}))
    done = build(spoiled, tmp_path)
    assert done.returncode != 0
    assert "other code than the present one" in done.stderr
    assert not (tmp_path / "_build").exists()


def test_a_failed_notebook_is_refused(spoiled, tmp_path):
    path = next((spoiled / "notebooks").glob("02_*.ipynb"))
    notebook = json.loads(path.read_text())
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    cell["outputs"] = [{"output_type": "error", "ename": "E", "evalue": "no", "traceback": []}]
    path.write_text(json.dumps(notebook))
    done = build(spoiled, tmp_path)
    assert done.returncode != 0
    assert "ended in an error" in done.stderr


def test_a_missing_chapter_is_named(spoiled, tmp_path):
    (spoiled / "cards" / "06.json").unlink()
    done = build(spoiled, tmp_path)
    assert done.returncode != 0
    assert "chapter 06 has not been run" in done.stderr


QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
QUIET += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@in_a_browser
def test_a_browser_typesets_the_equations(html, tmp_path):
    page = html / "book" / "notation.html"
    line = [chromium.find(), *QUIET, f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000"]
    done = subprocess.run(
        [*line, "--enable-logging=stderr", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    soup = BeautifulSoup(done.stdout, "html.parser")
    labels = LABEL.findall((ROOT / "book" / "notation.md").read_text())
    assert len(soup.select("div.math mjx-container")) == len(labels)
    assert soup.select("mjx-merror") == []
    assert "Uncaught" not in done.stderr

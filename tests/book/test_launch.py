"""Launch and edit buttons: absent without an address, right with one; and the README's figure."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from bs4 import BeautifulSoup
from PIL import Image
from smoke import ROOT

sys.path.insert(0, str(ROOT / "book"))
import launch  # noqa: E402
import readme_figure  # noqa: E402

from tblib.errors import ConfigError  # noqa: E402
from tblib.lesson.execute import read  # noqa: E402

URL = "https://github.com/owner/name"


pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def config(tmp_path):
    """The book's settings, without an address if one was set."""
    text = (ROOT / "_config.yml").read_text()
    (tmp_path / "_config.yml").write_text(re.sub(r'\burl: "[^"]*"', 'url: ""', text))
    return tmp_path / "_config.yml"


def test_without_an_address_nothing_is_switched_on(config):
    assert yaml.safe_load(config.read_text())["repository"]["url"] == ""
    before = config.read_text()
    assert launch.configure(config) == ""
    assert config.read_text() == before
    assert "No public address" in launch.said("")


@pytest.mark.parametrize("given", ["owner/name", "https://example.org/owner/name", URL + "/tree/x"])
def test_an_address_that_colab_cannot_open_is_refused(config, given):
    with pytest.raises(ConfigError, match="https://github.com/owner/name"):
        launch.configure(config, given)


def small_book(folder, config):
    """Render a start page, a page that a program writes, and a chapter without outputs."""
    (folder / "book").mkdir()
    (folder / "notebooks").mkdir()
    for name in ("intro", "results"):
        (folder / "book" / f"{name}.md").write_text(f"# {name}\n")
    notebook = read(ROOT / "notebooks" / "02_ssl_pretraining.py")
    notebook.cells = notebook.cells[:1]
    notebook.cells[0].source = "# Two\n\nWords."
    notebook.cells.insert(1, launch.first_cell(URL, ["01"]))
    nbformat.write(notebook, folder / "notebooks" / "02_x.ipynb")
    toc = {
        "format": "jb-book",
        "root": "book/intro",
        "chapters": [{"file": "book/results"}, {"file": "notebooks/02_x.ipynb"}],
    }
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    settings = yaml.safe_load(config.read_text())
    settings.pop("bibtex_bibfiles")
    settings["sphinx"]["config"]["extensions"].remove("sphinxcontrib.bibtex")
    config.write_text(yaml.safe_dump(settings))
    program = Path(sys.executable).with_name("jupyter-book")
    line = [str(program), "build", str(folder), "--quiet"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "_build" / "html"


def links(path) -> list[str]:
    soup = BeautifulSoup(path.read_text(), "html.parser")
    return [a["href"] for a in soup.select(".article-header-buttons a[href]")]


@pytest.mark.slow
def test_buttons_lead_to_sources_and_to_notebooks_that_install(config, tmp_path):
    assert launch.configure(config, URL + ".git") == URL
    html = small_book(tmp_path, config)
    chapter = links(html / "notebooks" / "02_x.html")
    assert f"{URL}/edit/main/notebooks/02_x.py" in chapter
    colab = "https://colab.research.google.com/github/owner/name/blob/gh-pages/_sources/"
    assert f"{colab}notebooks/02_x.ipynb" in chapter
    binder = "https://mybinder.org/v2/gh/owner/name/main?urlpath=lab/tree/notebooks/02_x.ipynb"
    assert binder in chapter
    assert f"{URL}/edit/main/book/intro.md" in links(html / "book" / "intro.html")
    assert f"{URL}/edit/main/book/pages.py" in links(html / "book" / "results.html")
    opened = nbformat.read(html / "_sources" / "notebooks" / "02_x.ipynb", as_version=4)
    assert opened.cells[1].source == launch.first_cell(URL, ["01"]).source
    assert "_util.find_spec" not in (html / "notebooks" / "02_x.html").read_text()


def test_the_first_cell_installs_only_what_is_missing(monkeypatch):
    lines = []
    monkeypatch.setattr(subprocess, "run", lambda line, check: lines.append(line))
    monkeypatch.setattr(sys, "path", list(sys.path))
    source, names = launch.first_cell(URL, ["01", "02"]).source, {}
    exec(source, names)
    assert lines == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    exec(source, names)
    assert lines[0][-2:] == [URL, "timebalance"] and lines[1][1:3] == ["-m", "pip"]
    assert [line[-1] for line in lines[2:]] == ["01", "02"]
    assert [
        name for name in names if not name.startswith("_")
    ] == []  # `tblib.start` refuses others


def test_binder_installs_the_package():
    tree = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text())
    assert "python=3.11" in tree["dependencies"]
    script = ROOT / "binder" / "postBuild"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    assert "-e ." in script.read_text()


def test_the_figure_of_the_readme_is_what_its_program_draws(tmp_path):
    assert "book/readme.png" in (ROOT / "README.md").read_text()
    kept = np.asarray(Image.open(readme_figure.PATH).convert("RGB"), dtype=float)
    drawn = np.asarray(Image.open(readme_figure.save(tmp_path / "x.png")).convert("RGB"), float)
    assert drawn.shape == kept.shape
    assert np.abs(drawn - kept).mean() < 2
    assert readme_figure.PATH.stat().st_size < 300_000


# In place of pip, which would need a network to build the package: notes what it was told, and
# does what an editable install comes down to.
PIP = """
import sys, sysconfig
from pathlib import Path
folder = Path(sys.argv[-1]).resolve()
Path(sysconfig.get_path("purelib"), "tblib.pth").write_text(str(folder))
Path("said.txt").write_text(" ".join(sys.argv[1:]))
"""


def without_tblib(folder) -> Path:
    """Make a Python that has all packages of this one, but not `tblib`; return it."""
    venv.create(folder, with_pip=False)
    (own,) = folder.glob("lib/python*/site-packages")
    places = [path for path in sys.path if path.endswith("site-packages")]
    (own / "others.pth").write_text("\n".join(places))  # links among them are not followed
    (own / "pip").mkdir()
    (own / "pip" / "__init__.py").touch()  # before the real one of the other places
    (own / "pip" / "__main__.py").write_text(PIP)
    return folder / "bin" / "python"


def repository(folder: Path) -> Path:
    """Make a git repository of the package as it is here, for `git clone` to find."""
    caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tblib", folder / "tblib", ignore=caches)
    shutil.copy(ROOT / "pyproject.toml", folder)
    author = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "all")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.mark.slow
def test_the_first_cell_works_in_a_python_without_tblib(tmp_path):
    """Git is the real one; the address leads to a folder instead of a network."""
    python = without_tblib(tmp_path / "venv")
    here = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_VALUE_0": URL, "PYTHONPATH": ""}
    here["GIT_CONFIG_KEY_0"] = f"url.{repository(tmp_path / 'origin').as_uri()}.insteadOf"
    cell = launch.first_cell(URL, []).source

    def run(code):
        line, options = [str(python), "-c", code], {"capture_output": True, "text": True}
        return subprocess.run(line, cwd=tmp_path, env=os.environ | here, timeout=300, **options)

    assert "No module named 'tblib'" in run("import tblib").stderr
    done = run(f"{cell}\nimport tblib\nprint(tblib.__file__)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("timebalance/tblib/__init__.py")
    assert (tmp_path / "said.txt").read_text() == "install -q -e timebalance"
    (tmp_path / "said.txt").unlink()
    again = run(f"{cell}\nimport tblib.methods.losses")  # another kernel: nothing is fetched twice
    assert again.returncode == 0, again.stderr
    assert not (tmp_path / "said.txt").exists()

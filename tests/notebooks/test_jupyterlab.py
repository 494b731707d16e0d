"""Two chapters in a real JupyterLab, as `make lab` opens them: read, saved, and run to the end."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest
from needs import chromium, in_a_browser

import tblib.lesson.chapters
from tblib.lesson.chapters import FOLDER
from tblib.lesson.pairing import pair

LIMIT = 600  # seconds; a busy machine is not an error
CHAPTERS = ("01_data_and_clips", "02_ssl_pretraining")
# All cells at once instead of those in sight, and no question about news.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false"},
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * LIMIT), in_a_browser]


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A copy of the chapters, paired."""
    folder = tmp_path / "notebooks"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".*"))
    monkeypatch.setattr(tblib.lesson.chapters, "FOLDER", folder)
    pair()
    return folder


@pytest.fixture
def address(notebooks, tmp_path):
    """Start JupyterLab on the copy; nothing is kept of it in the home folder."""
    for name, values in SETTINGS.items():
        path = tmp_path / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{n}_DIR": str(tmp_path / n) for n in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{n}_DIR": str(tmp_path / n.lower()) for n in ("SETTINGS", "WORKSPACES")}
    own |= {"TB_RUNS": str(tmp_path / "runs"), "TB_DATA": str(tmp_path / "data")}
    environment = {k: v for k, v in os.environ.items() if k != "TB_PROGRESS"} | own
    line = [sys.executable, "-m", "jupyterlab", str(notebooks), "--no-browser", "--allow-root"]
    line += [f"--port={port}", "--IdentityProvider.token=", "--ServerApp.port_retries=0"]
    log = (tmp_path / "server.log").open("w")
    server = subprocess.Popen(line, env=environment, stdout=log, stderr=log)
    try:
        yield _awaited(f"http://127.0.0.1:{port}", server)
    finally:
        server.terminate()
        server.wait()
        log.close()


def _awaited(address, server):
    limit = time.monotonic() + LIMIT
    while True:
        assert server.poll() is None and time.monotonic() < limit, "JupyterLab did not start"
        try:
            urlopen(f"{address}/api").close()
        except OSError:
            time.sleep(0.2)
        else:
            return address


def opened(page, address, chapter):
    """Open a chapter and wait until its last cell is drawn and its kernel is there."""
    page.goto(f"{address}/lab/tree/{chapter}.ipynb?reset")
    page.locator(".jp-MarkdownCell").last.locator("h2").first.wait_for()
    idle(page)


def idle(page):
    page.locator(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()


def reads_as_on_the_page(page, chapter):
    """Say what is wrong: answers lie open, a formula or a reference is raw text."""
    answers = page.locator(".jp-Notebook details")
    wanted = (FOLDER / f"{chapter}.py").read_text().count("# :class: dropdown")
    assert answers.count() == wanted > 5
    inside = page.locator(".jp-Notebook details > :not(summary)")
    assert [text for text in inside.all() if text.is_visible()] == []
    answers.first.locator("summary").click()
    assert inside.first.is_visible()
    assert page.locator(".jp-Notebook .katex").count() > 10
    assert page.locator(".jp-Notebook .katex-error").count() == 0
    cells = page.locator(".jp-Notebook .jp-MarkdownCell")
    said = "\n".join(cells.all_inner_texts())
    assert len(said) > 4000
    raw = ("```", ":::", "{admonition}", "{eq}", "{cite", "$$", "eq-", "](", ":class:")
    assert [mark for mark in raw if mark in said] == []
    assert "(simclr)" in said or "(tclr)" in said, "citations name what they cite"


def test_chapters_read_run_and_show_their_progress(address, notebooks):
    with chromium.started() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(1000 * LIMIT)
        for chapter in CHAPTERS:
            files = [notebooks / f"{chapter}{ending}" for ending in (".ipynb", ".py")]
            before = [path.read_bytes() for path in files]
            opened(page, address, chapter)
            reads_as_on_the_page(page, chapter)
            assert page.locator(".jp-mod-dirty").count() == 0, "opening a chapter changes it"
            saved(page, files)
            after = [path.read_bytes() for path in files]
            assert after == before, "saving an unchanged chapter changed a file"
            everything_runs(page)
        shown = page.locator(".jp-OutputArea-output").all_inner_texts()
        assert any("ssl_joint" in text and "100%|" in text for text in shown), "bars"
        assert page.locator(".jp-OutputArea img").count() >= 4, "figures and the curves"


def saved(page, files):
    """Save by the keyboard and wait until both files were written, to the end."""
    since = [path.stat().st_mtime_ns for path in files]
    page.keyboard.press("Control+s")
    limit = time.monotonic() + LIMIT
    while any(
        path.stat().st_mtime_ns == then or not path.stat().st_size
        for path, then in zip(files, since, strict=True)
    ):
        assert time.monotonic() < limit, "nothing was saved"
        page.wait_for_timeout(500)
    page.wait_for_timeout(3000)


def everything_runs(page):
    """Run all cells; none may end in an error."""
    page.locator(".lm-MenuBar-item", has_text="Run").click()
    page.locator(".lm-Menu-item[data-command='runmenu:run-all']").click()
    last = page.locator(".jp-CodeCell").last.locator(".jp-InputPrompt")
    page.wait_for_function(
        "cell => /\\[\\d+\\]/.test(cell.innerText)", arg=last.element_handle(), timeout=1000 * LIMIT
    )
    idle(page)
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts() == []
    assert page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0

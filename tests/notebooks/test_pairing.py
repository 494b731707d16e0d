"""JupyterLab opens every chapter, whichever of its two files is newer, and saving changes none."""

import asyncio
import os
import shutil

import jupytext
import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

import tblib.lesson.chapters
from tblib.lesson.chapters import FOLDER
from tblib.lesson.pairing import pair


@pytest.fixture
def paired(tmp_path, monkeypatch):
    """A copy of the chapters whose `.ipynb` were written anew and are a minute newer."""
    for path in [*FOLDER.glob("[0-9]*.*"), FOLDER / "jupytext.toml"]:
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(tblib.lesson.chapters, "FOLDER", tmp_path)
    pair()
    for path in tmp_path.glob("*.py"):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))
    return tmp_path


def manager(folder):
    """What reads and writes files in JupyterLab where jupytext is installed."""
    made = jupytext.build_async_jupytext_contents_manager_class(AsyncLargeFileManager)()
    made.root_dir = str(folder)
    return made


def files(folder):
    return {path.name: path.read_bytes() for path in folder.glob("[0-9]*.*")}


def test_a_newer_notebook_opens_and_saving_it_changes_no_file(paired):
    before, contents = files(paired), manager(paired)

    async def open_and_save(name):
        await contents.save(await contents.get(name, type="notebook"), name)

    for name in before:
        asyncio.run(open_and_save(name))
    after = files(paired)
    assert len(before) == 18 and [name for name in after if after[name] != before[name]] == []


def test_an_older_text_that_differs_is_still_refused(paired):
    """Opening it would lose what was typed in the newer file."""
    path = paired / "01_data_and_clips.ipynb"
    path.write_text(path.read_text().replace("Data and clips", "Clips and data", 1))
    with pytest.raises(HTTPError, match="more recent"):
        asyncio.run(manager(paired).get(path.name, type="notebook"))

"""Launch and edit buttons: where they lead, and what a chapter needs that is opened by itself.

They need the public address of the repository. It is `repository.url` in `_config.yml`, or
`REPOSITORY` of one call of `make html`; without it pages have no such buttons, and the status page
says so.  Colab opens chapters from the branch that holds the published pages, because the
notebooks there begin with a cell that installs what is missing; Binder builds the repository
(folder `binder/`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import yaml

from tblib.errors import ConfigError

SERVICES = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}
PAGES = "gh-pages"  # the branch of the published pages
# Pages that programs write; the others are edited where they stand.
WRITTEN = {"book/results.md": "book/pages.py", "book/status.md": "book/pages.py"}

FIRST = """\
# Where tblib is missing, as in Colab: fetch and install it, and run the chapters before this one.
import importlib.util as _util, subprocess as _shell, sys as _sys

if _util.find_spec("tblib") is None:
    _shell.run(["git", "clone", "--depth", "1", "{url}", "timebalance"], check=True)
    _shell.run([_sys.executable, "-m", "pip", "install", "-q", "-e", "timebalance"], check=True)
    _sys.path.insert(0, "timebalance")
    for _chapter in {before}:
        _shell.run([_sys.executable, "-m", "tblib", "run", _chapter], check=True)
"""


def address(given: str, config: dict[str, Any]) -> str:
    """Return the public address of the repository, `""` where none is known.

    Args:
        given: by the caller; `""` takes the one of `_config.yml`.

    Raises:
        ConfigError: it is not the address of a repository on GitHub.
    """
    url = (given or config.get("repository", {}).get("url", "")).rstrip("/").removesuffix(".git")
    if url and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise ConfigError(
            f"repository address {url!r} must look like https://github.com/owner/name, because "
            "Colab opens notebooks from there; correct REPOSITORY or repository.url in _config.yml."
        )
    return url


def configure(path: Path, given: str = "") -> str:
    """Switch the buttons on in a copy of `_config.yml` if an address is known; return it."""
    config = yaml.safe_load(path.read_text())
    url = address(given, config)
    if url:
        config["repository"] = {"branch": "main", **config.get("repository", {}), "url": url}
        config["html"]["use_edit_page_button"] = True
        config["launch_buttons"] |= SERVICES
        config["sphinx"]["local_extensions"] = {"buttons": str(Path(__file__).parent)}
        config["sphinx"]["config"]["extensions"].append("buttons")  # that list is the whole list
        path.write_text(yaml.safe_dump(config, sort_keys=False))
    return url


def first_cell(url: str, before: list[str]) -> nbformat.NotebookNode:
    """Return a cell that makes a chapter run where there is only the chapter.

    Args:
        before: chapters that have to be run earlier.
    """
    cell = nbformat.v4.new_code_cell(FIRST.format(url=url, before=before))
    cell.metadata["tags"] = ["remove-cell"]
    cell["id"] = "install"
    return cell


def said(url: str) -> str:
    """Say on the status page where the buttons lead, or why there are none."""
    if not url:
        return (
            "No public address of the repository is set, so these pages have no buttons for Colab "
            "and Binder and no link *edit this page*. Set `repository.url` in `_config.yml`, or "
            "call `make html REPOSITORY=https://github.com/owner/name`.\n"
        )
    return (
        f"The repository is at <{url}>. Binder builds it from the folder `binder/`; Colab opens "
        f"the chapters from its branch `{PAGES}`, which has to hold these pages.\n"
    )

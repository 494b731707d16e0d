"""Render the book from the executed notebooks of one run: what `make book` and `make html` call.

Pages show results, so three things stop the build: a notebook that ended in an error, a checked
cell without output, and a run made by other code than the present one.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow"))
import beside  # noqa: E402, F401 (refuses the code of another checkout, before it is imported)

# isort: split
import alive
import head
import launch
import nbformat
import pages
import pictures
import promises
import reference
import rooms
import systems

from tblib.errors import MissingStage, UserError
from tblib.files import read_json
from tblib.lesson.chapters import ROOT, chapters
from tblib.lesson.execute import drop_injected, inputs, read, tagged
from tblib.run.chapter_code import chapter_code
from tblib.settings.profiles import load_profile, run_folder

MATHJAX = ("tex-chtml.js", "input/tex/extensions/", "output/chtml/fonts/woff-v2/")


def stale_chapters(run: Path) -> list[str]:
    """Return the chapters whose text or whose run's code differs from the present one.

    Raises:
        MissingStage: a chapter has no executed notebook or no run card.
    """
    stale = []
    for number, source in chapters().items():
        notebook = run / "notebooks" / f"{source.stem}.ipynb"
        card = run / "cards" / f"{number}.json"
        for path in (notebook, card):
            if not path.is_file():
                raise MissingStage(
                    f"{path} does not exist, so chapter {number} has not been run; run "
                    "`make reproduce` with the same PROFILE and RUN_DIR first."
                )
        executed = drop_injected(nbformat.read(notebook, as_version=4))
        if not is_present(number, read_json(card)) or inputs(executed) != inputs(read(source)):
            stale.append(source.stem)
    return stale


def is_present(number: str, card: dict[str, Any]) -> bool:
    """Say whether a run card is of the present code, as far as the chapter uses it."""
    made_by = card.get("chapter_code")  # earlier cards have none
    return made_by is not None and made_by == chapter_code(
        number, card["backbone"], card["student"]
    )


def check_outputs(notebook: nbformat.NotebookNode, name: str) -> None:
    """Refuse a notebook with an error, or with a checked cell that shows nothing.

    Raises:
        UserError: names the cell.
    """
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if any(output.output_type == "error" for output in cell.outputs):
            raise UserError(f"{name}: cell {number} ended in an error; run the chapter again.")
        if tagged(cell, "nbval-check-output") and not cell.outputs:
            raise UserError(f"{name}: cell {number} is tagged nbval-check-output but is empty.")


def stage_notebooks(run: Path, staging: Path, banner: str, url: str) -> None:
    """Copy the executed notebooks without injected parameters, with a line on their run."""
    earlier: list[str] = []
    (staging / "notebooks").mkdir()
    for number, source in chapters().items():
        name = f"{source.stem}.ipynb"
        notebook = drop_injected(nbformat.read(run / "notebooks" / name, as_version=4))
        check_outputs(notebook, name)
        line = pages.run_line(read_json(run / "cards" / f"{number}.json"))
        first = notebook.cells[0]
        title, _, rest = first.source.partition("\n")
        first.source = f"{title}\n\n{banner}{line}\n{rest}"
        if url:
            notebook.cells.insert(1, launch.first_cell(url, earlier))
        earlier = [*earlier, number]
        nbformat.write(notebook, staging / "notebooks" / name)


def stage_prose(run: Path, staging: Path, banner: str, url: str) -> None:
    """Copy hand-written pages and write the generated ones."""
    shutil.copytree(ROOT / "book", staging / "book", ignore=shutil.ignore_patterns("*.py", "__*"))
    if not alive.write(run, staging / "book"):
        (staging / "book" / "hands-on.md").write_text(alive.NOTHING)
    shutil.copytree(staging / "book" / "_static", staging / "_static")
    (staging / "book" / "status.md").write_text(pages.status(run, launch.said(url)))
    text = pages.results(run, ROOT / "results", staging / "book")
    (staging / "book" / "results.md").write_text(text)
    reliability = staging / "book" / "reliability.md"
    reliability.write_text(promises.fill(reliability.read_text(), ROOT / "results"))
    overview = staging / "book" / "api.md"
    overview.write_text(reference.fill(overview.read_text()))
    for name in systems.names():
        card = staging / "book" / "systems" / f"{name}.md"
        card.write_text(systems.fill(card.read_text(), name))
    field = staging / "book" / "field.md"
    field.write_text(field.read_text().replace("<!-- systems -->\n", systems.overview()))
    floors = staging / "book" / "how-the-code-hangs-together.md"
    floors.write_text(rooms.fill(floors.read_text(), floors.parent))
    for page in (staging / "book").rglob("*.md"):
        title, _, rest = page.read_text().partition("\n\n")
        page.write_text(f"{title}\n\n{banner}{rest}")


def add_mathjax(html: Path) -> None:
    """Copy the parts of MathJax that pages use from the installed package.

    Done after rendering: Jupyter Book makes every script it finds in `_static` run on each page.

    Raises:
        UserError: the package is not installed.
    """
    found = [file for file in files("sphinx-mathjax-offline") or [] if "static" in file.parts]
    wanted = {file.as_posix().split("static/mathjax/")[-1]: file for file in found}
    wanted = {name: file for name, file in wanted.items() if name.startswith(MATHJAX)}
    if not wanted:
        raise UserError("MathJax is missing; install it with `pip install sphinx-mathjax-offline`.")
    for name, file in wanted.items():
        target = html / "_static" / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.locate(), target)


def render(staging: Path, out: Path) -> Path:
    """Call Jupyter Book with every warning an error; return the start page."""
    program = Path(sys.executable).with_name("jupyter-book")
    line = [str(program), "build", str(staging), "--path-output", str(out)]
    done = subprocess.run([*line, "-n", "-W", "--keep-going", "--quiet"], cwd=ROOT)
    if done.returncode:
        raise UserError("the book has warnings, which count as errors; they are listed above.")
    return out / "_build" / "html" / "index.html"


def build(run: Path, out: Path, allow_stale: bool = False, repository: str = "") -> Path:
    """Assemble `out/_build/book`, render it to `out/_build/html`, return the start page.

    Args:
        repository: its public address, for launch and edit buttons; see `launch.py`.

    Raises:
        UserError: results are missing, failed or stale, or Jupyter Book complains.
    """
    stale = stale_chapters(run)
    if stale and not allow_stale:
        raise UserError(
            f"{', '.join(stale)} in {run} were made by other code than the present one; run "
            "`make reproduce` with its PROFILE and RUN_DIR again, or pass --allow-stale to mark "
            "every page."
        )
    staging = out / "_build" / "book"
    shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(out / "_build" / "html", ignore_errors=True)
    staging.mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, staging / name)
    url = launch.configure(staging / "_config.yml", repository)
    banner = pages.BANNER if stale else ""
    stage_notebooks(run, staging, banner, url)
    stage_prose(run, staging, banner, url)
    index = render(staging, out)
    add_mathjax(index.parent)
    pictures.finish(index.parent, staging)
    head.complete(index.parent)
    return index


def main(argv: list[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="", help="run directory; default that of the profile")
    parser.add_argument("--profile", default="laptop", help="profile whose results are shown")
    parser.add_argument("--out", type=Path, default=ROOT, help="_build/ is made in here")
    parser.add_argument("--allow-stale", action="store_true", help="render, but mark every page")
    parser.add_argument("--repository", default="", help="public address, for launch buttons")
    arguments = parser.parse_args(argv)
    out = arguments.out.absolute()
    try:
        run = run_folder(load_profile(arguments.profile), arguments.run)
        index = build(run, out, arguments.allow_stale, arguments.repository)
    except UserError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(f"The book is ready: open {index}")


if __name__ == "__main__":
    main()

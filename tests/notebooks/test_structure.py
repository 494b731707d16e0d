"""Every notebook has the same frame, is in step with its text and stores presentable outputs."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from jupytext.config import find_jupytext_configuration_file, load_jupytext_configuration_file

from tblib.lesson.chapters import FOLDER, chapters
from tblib.lesson.execute import defaults, inputs, read, tagged
from tblib.lesson.pairing import pair
from tblib.methods import reweight
from tblib.settings.profiles import load_profile

SOURCES = list(chapters().values())
ABSOLUTE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|Users|usr|opt)/|[A-Z]:\\\\")
EQUATION = re.compile(r"\(eq-[\w-]+\)$", re.M)
each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def stored(source: Path) -> nbformat.NotebookNode:
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_all_chapters_are_in_the_table_of_contents():
    assert [path.name[:2] for path in SOURCES] == [f"{n:02d}" for n in range(1, 10)]
    toc = (FOLDER.parent / "_toc.yml").read_text()
    assert [path.stem for path in SOURCES if f"notebooks/{path.stem}.ipynb" not in toc] == []


def test_text_and_notebook_are_in_step():
    assert pair(check=True) == [], "run `make notebooks`"


@each
def test_what_is_compared_holds_no_time(source):
    """`loss 0.408 (1 s)` differs between machines, and on one machine from run to run."""
    compared = [cell for cell in code_cells(stored(source)) if tagged(cell, "nbval-check-output")]
    printed = ["".join(out.get("text", "") for out in cell.outputs) for cell in compared]
    assert [text for text in printed if re.search(r"\(\d+ (s|min)\)", text)] == []


@each
def test_parameters_come_first_and_are_validated_next(source):
    cells = code_cells(read(source))
    assert tagged(cells[0], "parameters")
    assert defaults(read(source)).keys() == {"profile", "run_dir", "seed", "overrides"}
    assert defaults(read(source))["profile"] == "smoke"
    assert f"tblib.start(globals(), chapter={int(source.name[:2])})" in cells[1].source


@each
def test_cells_are_short_and_code_comes_after_words(source):
    notebook = read(source)
    assert notebook.cells[0].source.startswith(f"# {int(source.name[:2])}. ")
    long = [c.source.splitlines()[0] for c in code_cells(notebook) if c.source.count("\n") >= 30]
    assert long == []


@each
def test_plumbing_is_folded_on_the_page(source):
    """Imports and what is saved teach nothing; a reader opens them with a click."""
    _, _, imports, *rest = code_cells(read(source))
    saving = [cell for cell in rest if cell.source.startswith("run.save_metrics(")]
    assert imports.source.startswith(("import ", "from "))
    assert all(tagged(cell, "hide-input") for cell in [imports, *saving])


@each
def test_stored_outputs_are_complete_and_presentable(source):
    problems = []
    for cell in code_cells(stored(source)):
        first = cell.source.splitlines()[0]
        if cell.execution_count is None:
            problems.append(f"not executed: {first}")
        if tagged(cell, "nbval-check-output") and not cell.outputs:
            problems.append(f"checked but empty: {first}")
        for output in cell.outputs:
            if output.output_type == "error" or output.get("name") == "stderr":
                problems.append(f"error or warning: {first}")
            if any("widget" in kind for kind in output.get("data", {})):
                problems.append(f"widget: {first}")
            text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            if ABSOLUTE.search(text) or ABSOLUTE.search(cell.source):
                problems.append(f"absolute path: {first}")
    assert problems == []


@each
def test_at_least_one_output_is_checked(source):
    assert any(tagged(cell, "nbval-check-output") for cell in code_cells(read(source)))


@each
def test_file_is_small(source):
    assert source.with_suffix(".ipynb").stat().st_size < 1_000_000


@each
def test_sentences_read_where_references_do_not_resolve(source):
    """JupyterLab knows neither the other pages nor the bibliography: it shows what is written."""
    equations = EQUATION.findall((FOLDER.parent / "book" / "notation.md").read_text())
    numbers = {label.strip("()"): n for n, label in enumerate(equations, 1)}
    text = "\n".join(cell.source for cell in read(source).cells if cell.cell_type == "markdown")
    assert re.findall(r"(?<!`)\[\]\([^)]*\)", text) == [], "a link without words vanishes"
    assert re.findall(r"\{cite:(?!alp)\w+\}.*|(?<!\()\{cite:alp\}.*", text) == [], "a bare label"
    said = re.findall(r"\{eq\}`([^`]*)`", text)
    assert len(numbers) > 5 and text.count("{eq}") == len(said)
    assert [
        part for part in said if part not in {f"({n}) <{eq}>" for eq, n in numbers.items()}
    ] == []


def test_inputs_notice_a_changed_tag():
    notebook = read(SOURCES[0])
    before = inputs(notebook)
    notebook.cells[-1].metadata["tags"] = ["new"]
    assert inputs(notebook) != before


def test_jupyterlab_finds_the_pairing_in_the_folder_it_opens():
    """`make lab` opens notebooks/, and a server looks for settings nowhere above its root."""
    found = find_jupytext_configuration_file(str(FOLDER))
    assert Path(found) == FOLDER / "jupytext.toml"
    assert load_jupytext_configuration_file(found).default_formats("x.ipynb") is not None


def test_chapter_5_maps_with_every_setting_that_it_prints():
    c = load_profile("smoke", {"similarity.map": "logistic", "similarity.temperature": 0.1})
    h = torch.randn(9, 4, 6, generator=torch.Generator().manual_seed(0))
    cell = next(x for x in code_cells(read(chapters()["05"])) if "print(c.similarity)" in x.source)
    place = {"c": c, "run": None, "everyone": None, "pool_rows": np.arange(6), "reweight": reweight}
    exec(cell.source, place | {"features": lambda *_, **__: h}, found := {})
    raw = reweight.raw_similarity(h)
    assert torch.equal(found["s"], reweight.fit_map(raw[:6], "logistic", 0.1)(raw))
    assert not torch.equal(found["s"], reweight.fit_map(raw[:6], "logistic")(raw))

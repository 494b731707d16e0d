"""The card of each system: its page is written by hand, what can be computed is filled in here."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import pandas as pd

from tblib.lesson import paper
from tblib.lesson.chapters import ROOT
from tblib.methods import semi

PAGES = ROOT / "book" / "systems"
EQUATION = re.compile(r"^\$\$\n(?P<formula>.*?)\n\$\$ \((?P<label>eq-[\w-]+)\)$", re.M | re.S)
SHOWN = {"ucf101": "UCF101", "hmdb51": "HMDB51", "k400": "Kinetics-400"}
BRIDGE = {"learner", "batch", "sampling", "teachers", "score"}  # not what makes a method itself


def names() -> list[str]:
    """Return the systems that have a card, in the order of the shelf."""
    return [name for name in semi.METHODS if (PAGES / f"{name}.md").is_file()]


def title(name: str) -> str:
    """Return the title of a card."""
    return (PAGES / f"{name}.md").read_text().partition("\n")[0].removeprefix("# ")


def equation(name: str) -> str:
    """Show the equation that a method's module cites, and beside it the code that is it."""
    module = inspect.getmodule(semi.METHODS[name])
    labels = re.findall(r":eq:\s*`(eq-[\w-]+)`", module.__doc__)
    formulas = {m["label"]: m["formula"] for m in EQUATION.finditer(_notation())}
    shown = "\n\n".join(f"$$\n{formulas[label]}\n$$" for label in labels)
    links = ", ".join(f"{{eq}}`{label}`" for label in labels)
    code = textwrap.dedent(inspect.getsource(semi.METHODS[name].forward)).rstrip()
    return (
        f"{shown}\n\nIt is {links} on the page of [](/book/notation.md); in code, "
        f"{{py:mod}}`{module.__name__}`:\n\n```python\n{code}\n```\n"
    )


def _notation() -> str:
    return (ROOT / "book" / "notation.md").read_text()


def options(name: str) -> str:
    """List the constants of a method with their defaults: each is an option of a training."""
    found = inspect.signature(semi.METHODS[name].__init__).parameters.values()
    rows = [
        f"| `{p.name}` | `{p.default!r}` |"
        for p in found
        if p.name not in BRIDGE | {"self"} and p.default is not p.empty
    ]
    return "\n".join(["| option | default |", "|:--|:--|", *rows, ""])


def reported(name: str) -> str:
    """Show the rows that the paper's table has for a method, as printed."""
    table = paper.results()
    rows = table[table["method"] == name]
    return (
        "\n".join(_reported(row, table) for _, row in rows.iterrows()) or "It has no row there.\n"
    )


def _reported(row: pd.Series, table: pd.DataFrame) -> str:
    cells = {c: row[c] for c in table if c.startswith(tuple(SHOWN)) and pd.notna(row[c])}
    heads = [f"{SHOWN[c.rpartition('_')[0]]}, {c.rpartition('_')[2]} %" for c in cells]
    variant = f", {row.variant}" if row.variant else ""
    return (
        f"{row.backbone}, {row.frames} frames{variant} ({row.notes}):\n\n"
        f"| {' | '.join(heads)} |\n|{' --: |' * len(heads)}\n"
        f"| {' | '.join(f'{value:g}' for value in cells.values())} |\n"
    )


def run(name: str) -> str:
    """Say how a system is trained in one command, from a finished or a fresh run."""
    return (
        "```\nmake reproduce PROFILE=laptop\n"
        f".venv/bin/python -m tblib run 6 --profile laptop --method {name}\n```\n\n"
        f'In a notebook `overrides = {{"student.method": "{name}"}}` is the same, and '
        '`"student.options"` takes the options above. It starts from the weights of the joint '
        'pretraining; `"student.init": "random"` starts it from none.\n'
    )


def ours(name: str, records: Path = ROOT / "results") -> str:
    """Show what recorded runs of this book say of a system, or that there is none."""
    path = records / "leaderboard.csv"
    lines = pd.read_csv(path) if path.is_file() else pd.DataFrame({"method": []})
    lines = lines[lines["method"] == name]
    if not len(lines):
        return "**Not measured yet.** No record of this book has a run of this system.\n"
    means = lines.groupby(["dataset", "share", "start"])["top1"].agg(["mean", "count"]).round(1)
    rows = [f"| {' | '.join(map(str, row))} |" for row in means.reset_index().to_numpy()]
    return "\n".join(
        ["| data | share | start | top-1, % | seeds |", "|:--|--:|:--|--:|--:|", *rows, ""]
    )


def fill(page: str, name: str) -> str:
    """Put what is computed in the places that a card marks."""
    parts = {"equation": equation, "options": options, "run": run, "ours": ours}
    for mark, make in parts.items():
        page = page.replace(f"<!-- {mark} -->\n", make(name) if f"<!-- {mark} -->" in page else "")
    return re.sub(r"<!-- reported: ([^>]+?) -->\n", lambda m: reported(m[1]), page)


def overview() -> str:
    """List the cards with the first sentence of each."""
    lines = []
    for name in names():
        text = (PAGES / f"{name}.md").read_text().partition("\n\n")[2]
        sentence = " ".join(re.match(r"(.+?\.)(\s|$)", text, re.S)[1].split())
        lines.append(f"- [{title(name)}](systems/{name}.md): {sentence}")
    return "\n".join(lines) + "\n"

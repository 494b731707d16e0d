"""Pages written from run cards and recorded results: status and results."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import papertable
from tables import closed, sortable, table

from tblib import stats
from tblib.files import read_json
from tblib.lesson import section_times
from tblib.run.cards import trainings
from tblib.study import reading
from tblib.study.record import is_of_earlier_code

BANNER = """:::{danger}
This page shows results of an earlier version of the code. Run `make book` to renew it.
:::

"""


def minutes(seconds: float) -> str:
    """Write a duration the way people say it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def run_line(card: dict[str, Any]) -> str:
    """Say in one line which run a chapter's page shows."""
    return (
        f"*This page shows profile `{card['profile']}`, seed {card['seed']}: "
        f"{minutes(card['seconds'])} on {card['device']}, {card['threads']} thread(s) "
        "([all runs](../book/status.md)). Opened in JupyterLab, the chapter runs at `smoke`.*\n"
    )


def cards(run: Path) -> dict[str, dict[str, Any]]:
    """Read the run cards of a run directory, by chapter."""
    return {path.stem: read_json(path) for path in sorted((run / "cards").glob("[0-9]*.json"))}


def _one(found: dict[str, dict[str, Any]], key: str) -> str:
    """Name the value that all cards share, or all values there are."""
    return ", ".join(dict.fromkeys(f"`{card[key]}`" for card in found.values()))


def run_table(found: dict[str, dict[str, Any]]) -> str:
    """Write what the cards of a run share as a sentence, and the rest as a table."""
    shared = (
        f"Profile {_one(found, 'profile')}, seed {_one(found, 'seed')}, commit "
        f"{_one(found, 'commit')}, code {_one(found, 'code_hash')}, on {_one(found, 'device')} in "
        f"a machine with {_one(found, 'host_cpus')} CPUs. Times of start are UTC.\n"
    )
    rows = [
        [
            *(number, minutes(card["seconds"]), card["started"][:16].replace("T", " ")),
            *(card["jobs"], card["threads"]),
        ]
        for number, card in found.items()
    ]
    return f"{shared}\n{table(['chapter', 'time', 'started', 'jobs', 'threads per job'], rows)}"


def training_table(found: list[dict[str, Any]]) -> str:
    """Write how long each training took."""
    rows = [
        [
            *(item["name"], item["steps"], minutes(item["seconds"])),
            f"{1e3 * item['seconds'] / item['steps']:.0f}",
        ]
        for item in found
    ]
    return table(["training", "steps", "time", "ms a step"], rows)


def time_table(run: Path) -> str:
    """Write where the time of a run went: sections of chapters, longest first."""
    found = section_times.longest(run)
    if not found:
        return "The chapters of this run were not timed section by section.\n"
    total = sum(seconds for *_, seconds in found)
    rows = [
        [number, name, minutes(seconds), f"{100 * seconds / total:.0f} %"]
        for number, name, seconds in found
    ]
    return table(["chapter", "section", "time", "share"], rows)


def status(run: Path, buttons: str) -> str:
    """Write the status page: which run the chapters show, on what, with which versions.

    Args:
        buttons: what is to be said of launch and edit buttons.
    """
    found = cards(run)
    first = next(iter(found.values()))
    total = sum(card["seconds"] for card in found.values())
    versions = sorted(first["versions"].items())
    return "\n".join(
        [
            "# Status of this rendering\n",
            f"The chapters shown here took {minutes(total)} in all. *Code* is a fingerprint of "
            "`tblib`; the book is rendered only when the code that each chapter uses and its text "
            "are the present ones.\n",
            run_table(found),
            "## Where the time goes\n",
            "Wall time of the sections that took at least 2 % of the whole; *start* is that of "
            "Python and its packages. Chapters that were run side by side count each by itself.\n",
            time_table(run),
            "## Trainings\n",
            "A chapter that finds its models ready does not train again and is then quick; this "
            "is how long the trainings took, some of them side by side.\n",
            training_table(trainings(run)),
            "## Running and editing online\n",
            buttons,
            "## Versions\n",
            table(["package", "version"], [list(item) for item in versions]),
        ]
    )


def tables(value: Any) -> list[dict[str, Any]]:
    """Find every entry named `table` or `tables` in nested metrics."""
    if isinstance(value, list):
        return [found for item in value for found in tables(item)]
    if not isinstance(value, dict):
        return []
    own = [value["table"]] if isinstance(value.get("table"), dict) else []
    rest = [found for key, item in value.items() if key != "table" for found in tables(item)]
    return own + rest


def _section(entry: dict[str, Any], source: str, folder: Path) -> str:
    """Write one table of a run, closed until asked for, with its title, note and CSV file."""
    note = f"\n{entry['note']}\n" if entry.get("note") else ""
    name = f"{source} {entry['title']}"
    text = sortable(name, entry["columns"], entry["rows"], folder)
    return closed(entry["title"], f"{text}{note}")


def _sections(entries: list[dict[str, Any]], studies: list[str], folder: Path) -> list[str]:
    """Write the tables of this run; those called `study: what` share a cover for each study."""

    def study(entry: dict[str, Any]) -> str | None:
        name = entry["title"].partition(": ")[0]
        return name if name in studies else None

    written = []
    for name, group in groupby(entries, study):
        sections = [_section(entry, "this run", folder) for entry in group]
        if name is not None:
            title = f"{name}, as chapter 9 reads it: {len(sections)} tables"
            sections = [closed(title, "\n".join(sections), "::::::")]
        written += sections
    return written


def _metrics(run: Path) -> dict[str, Any]:
    return {path.stem: read_json(path) for path in sorted((run / "metrics").glob("[0-9]*.json"))}


def _recorded(path: Path, folder: Path) -> str:
    record = read_json(path)
    cards_of = record["cards"]
    total = minutes(sum(item["seconds"] for item in record["trainings"]))
    what = f"Dataset `{record['dataset']}`; the trainings took {total}, some side by side."
    head = f"### {record['title']}\n\n{what}\n"
    body = [_section(entry, path.stem, folder) for entry in tables(record["metrics"])]
    spent = training_table(record["trainings"])
    return "\n".join([head, *body, closed("Run cards", f"{run_table(cards_of)}\n{spent}")])


# What the start of the results page and the README compare: name, chapter, key in its metrics.
HEADLINE = (
    ("labelled only, random start", "07", "labelled only, random"),
    ("labelled only, SSL start", "07", "labelled only, SSL"),
    ("invariant teacher", "04", "teacher_invariant"),
    ("distinctive teacher", "04", "teacher_distinctive"),
    ("student of the average of both", "07", "average"),
    ("student of the reweighted mixture (TimeBalance)", "07", "reweighted"),
    ("all labels", "07", "all labels"),
)


def runs(recorded: Path) -> list[Path]:
    """List the files of recorded runs; the scorecard beside them is no run."""
    return [path for path in sorted(recorded.glob("*.json")) if path.stem != "reliability"]


def headline(recorded: Path) -> str:
    """Compare the main systems over all recorded runs, top-1 in percent on test videos."""
    records = [read_json(path) for path in runs(recorded)]
    rows = [
        [name, *(round(r["metrics"][chapter]["accuracy"][key]["top1"], 1) for r in records)]
        for name, chapter, key in HEADLINE
    ]
    return table(["top-1, %", *(record["title"].split(": ", 1)[1] for record in records)], rows)


# Rows of the README's table of a study: name and cell.
COMPARED = (
    ("labelled only, random start", "scratch"),
    ("labelled only, SSL start", "ssl"),
    ("student of the invariant teacher", "student_invariant_only"),
    ("student of the distinctive teacher", "student_distinctive_only"),
    ("student of the average of both", "student_average"),
    ("student of the reweighted mixture (TimeBalance)", "student_reweighted"),
    ("all labels", "all_labels"),
)


def over_seeds(recorded: Path, name: str = "laptop-study") -> str:
    """Compare the main systems of a study at each main share of labels, mean ± 95 % CI."""
    study = reading.load(name, recorded / "study")
    shares = [f for f in study.main if f in study.fractions]
    rows = []
    for label, cell in COMPARED:
        values = [study.top1(cell, f) for f in shares]
        rows.append([label, *(_with_ci(v) for v in values)])
    return table(["top-1, %", *(f"{100 * f:g} % of the labels" for f in shares)], rows)


def _with_ci(values) -> str:
    if len(values) < 2:
        return "–"
    mean, _, high = stats.mean_ci(values)
    return f"{mean:.1f} ± {high - mean:.1f}"


def studies(recorded: Path) -> str:
    """Write one line for each recorded study: what was run, how long, with which code."""
    rows = []
    for path in sorted((recorded / "study").glob("*.json")):
        study = read_json(path)
        units, card = study["units"], study["units"][0]["card"]
        made = [p for u in units for p in [*u["cells"].values(), *u["pretraining"].values()]]
        rows.append(
            [
                study["title"].split(": ", 1)[1],
                len({unit["seed"] for unit in units}),
                ", ".join(f"{100 * f:g} %" for f in sorted({u["fraction"] for u in units})),
                len(made),
                minutes(sum(part["seconds"] for part in made)),
                *(card["device"], card["commit"], card["training_code"]),
                "earlier" if is_of_earlier_code(study) else "present",
            ]
        )
    columns = ["study", "seeds", "labels", "trainings", "time of all trainings"]
    return table([*columns, "device", "commit", "training code", "code is"], rows)


def _main_systems(recorded: Path) -> str:
    """Write the main systems of every study; the second of a data set is opened by a click.

    The studies of the chapters' own settings come first: not those made for a statement.
    """
    parts, shown = [], set()
    names = reading.recorded(recorded / "study")
    for name in sorted(names, key=lambda name: name not in ("laptop-study", "ucf101-study")):
        study = reading.load(name, recorded / "study")
        seeds = max(len(study.seeds(f)) for f in study.main)
        what = study.title.split(": ", 1)[1]
        said = f"{what[0].upper()}{what[1:]}: {seeds} seeds, mean ± half of the 95 % interval.\n"
        kept = over_seeds(recorded, name).replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
        text = f"{said}\n{kept}"  # on a phone a cell must not break there
        title = f"{name}: the main systems, over seeds"
        parts.append(closed(title, text) if study.dataset in shown else text)
        shown.add(study.dataset)
    return "\n".join(parts)


def results(run: Path, recorded: Path, folder: Path) -> str:
    """Write the results page: main tables first, then every table of every run, closed.

    Args:
        folder: where the page will be; CSV files go to its `tables/`.
    """
    name = next(iter(cards(run).values()))["profile"]
    this = _sections(tables(_metrics(run)), reading.recorded(recorded / "study"), folder)
    return "\n".join(
        [
            "# Results\n",
            "Top-1 accuracy on test videos, in percent; videos are counted, not clips. "
            "[Chapter 9](../notebooks/09_the_claim_tested.ipynb) judges what these numbers say.\n",
            "## The main systems, over seeds\n",
            _main_systems(recorded),
            closed("What was run: trainings, times, device and code", studies(recorded)),
            "## One seed, all systems\n",
            "One run each, so differences of a few points mean nothing.\n",
            headline(recorded),
            "## All tables of all runs\n",
            "A click on a title opens a table, one on a head orders the rows by that column, and "
            "the link below the table downloads it. Every table is written from a file that a run "
            "left behind; none is typed by hand.\n",
            f"### This rendering: profile `{name}`\n",
            *(this or ["This run has left no tables.\n"]),
            *(_recorded(path, folder) for path in runs(recorded)),
            papertable.section(folder),
        ]
    )

"""The parts of the page on reliability that are written when the book is built."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from messages import messages
from reference import page_of
from tables import closed, table

from tblib.files import read_json

UNKNOWN = "not measured yet"
ROWS = {  # key of the record: what is measured, and the words for its value
    "kill_cycles": (
        "kills at random times after which the weights were bit-identical",
        "{survived} of {kills}",
    ),
    "write_points": ("write points at which a kill was survived, all there are", "{}"),
    "loader_points": ("write points at which a killed loader was reported and survived", "{}"),
    "fault_files": ("damaged video files found with the right reason", "{right} of {of}"),
    "fuzzed": ("changed files that each reader answered, of all kinds", "{}"),
    "fuzzer": (
        "files made by a fuzzer that is led by coverage",
        "{inputs:,} in {minutes} minutes for {readers} readers; {found} broke one",
    ),
    "wrong_parameter": (
        "time to refuse a wrong parameter, whole process",
        "{processor_seconds} s of one processor ({seconds} s passed)",
    ),
    "checkpoints": (
        "time for verified checkpoints",
        "{percent:.2g} % ({milliseconds} ms every {every} steps)",
    ),
    "gpu_difference": ("largest difference after resuming on a GPU", "{}"),
    "every_run": (
        "time of the fault tests that are part of `make test`",
        "{seconds} s for {tests} tests",
    ),
    "stale_pages": ("stale pages shown by the built book", "{}"),
    "requests": ("external requests by the built book", "{}"),
}


# Parts of the package by the pages of its reference; what is on no page belongs to the book.
PARTS = {
    "Settings, runs and files": (
        "settings",
        "runs",
        "models-in-use",
        "fingerprints",
        "plan",
        "ground",
    ),
    "Data sets and labels": ("datasets",),
    "Videos, cache and clips": ("videos", "clips", "looks"),
    "Networks and training": (
        "networks",
        "method",
        "pretraining",
        "systems",
        "systems-of-views",
        "training",
    ),
    "The study": ("study", "study-records"),
    "Chapters and figures": ("lesson",),
}
BOOK = "The book and its pipeline"


def fill(page: str, recorded: Path) -> str:
    """Write the scorecard and the messages at their marks, and close what few will read."""
    page = page.replace("<!-- scorecard -->", scorecard(recorded / "reliability.json"))
    page = page.replace("<!-- messages -->", message_lists())
    page = re.sub(r"^(?:- `tests/[^`\n]+`\n)+", _closed_tests, page, flags=re.M)
    start, mark, rest = page.partition("## Fault by fault\n")
    part, end, rest = rest.partition("\n## ")
    return f"{start}{mark}{_closed_faults(part)}{end}{rest}"


def _closed_tests(found: re.Match[str]) -> str:
    lines = found[0]
    return closed(f"The tests ({lines.count('- `tests/')})", lines)


def _closed_faults(part: str) -> str:
    """Write each group of faults closed, and the tests of a fault below each other."""
    part = re.sub(r"^  (`tests/[^`]+`)[,.]$", r"  - \1", part, flags=re.M)
    part = part.replace("\n  *Instead:*", "\n\n  *Instead:*")
    words, *groups = part.split("\n### ")
    return "\n".join([words, *map(_closed_group, groups)])


def _closed_group(group: str) -> str:
    title, _, items = group.partition("\n\n")
    names = ", ".join(re.findall(r"^- \*\*([^*]+)\.\*\*", items, re.M)).split(", ")
    return closed(f"{title}: {names[0]} to {names[-1]}", items.rstrip("\n") + "\n")


def scorecard(path: Path) -> str:
    """Write what the last recorded run of the fault tests measured, and where."""
    if not path.is_file():
        return "No run of the fault tests has been recorded; `make scorecard` records one.\n"
    record = read_json(path)
    gpu, said = on_gpu(path.parent / "gpu" / "resume.json")
    values = gpu | record["values"]
    rows = [[name, _worded(values.get(key), words)] for key, (name, words) in ROWS.items()]
    cards = {key: card for key, card in record["cards"].items() if key in ROWS}
    return f"{table(['measured', 'value'], rows)}\n{_runs(cards)}{said}"


def on_gpu(path: Path) -> tuple[dict[str, float], str]:
    """Return what `benchmarks/gpu_resume.py` measured, by key of `ROWS`, and where it did."""
    if not path.is_file():
        return {}, ""
    record = read_json(path)
    trainings, machine = record["trainings"], record["machine"]
    net = record["settings"]["backbone"]
    kills = sum(len(training["killed_after_state"]) for training in trainings)
    said = (
        f"\nOn the GPU {len(trainings)} trainings of `{net}` were killed "
        f"{kills} times: {machine['device']}, {machine['date']}, commit `{machine['commit']}`, "
        "`benchmarks/gpu_resume.py`.\n"
    )
    most = max(training["difference_after_kills"] for training in trainings)
    if note := record.get("network_note"):
        said += f"The network was {note}.\n"
    return {"gpu_difference": most}, said


def _worded(value: Any, words: str) -> str:
    if value is None:
        return UNKNOWN
    return words.format(**value) if isinstance(value, dict) else words.format(value)


def _runs(cards: dict[str, dict[str, Any]]) -> str:
    """Say which run measured most values, then which values were measured by another."""
    said = []
    for when, _ in Counter(map(_when, cards.values())).most_common():
        names = "; ".join(f"“{ROWS[key][0]}”" for key, card in cards.items() if _when(card) == when)
        start = f"Another run measured {names}" if said else "The run, in which all tests passed"
        said.append(f"{start}: {when}.")
    machines = {f"{card['device']} with {card['host_cpus']} CPUs" for card in cards.values()}
    return " ".join([*said, f"Machines: {'; '.join(sorted(machines))}."]) + "\n"


def _when(card: dict[str, Any]) -> str:
    date = card["date"][:16].replace("T", " ")
    return f"{date} UTC, commit `{card['commit']}`, {card['tests']} tests"


def message_lists() -> str:
    """Write every message with its kind and the module that gives it, by part of the package."""
    groups: dict[str, list[str]] = {part: [] for part in (*PARTS, BOOK)}
    for kind, text, place in messages():
        kind = "setting" if kind == "ValueError" else kind
        by = f"[{kind}, `{place.removesuffix('.__init__')}`]{{.given-by}}"
        # Not "- ": before a message that starts with "--", MyST would see front matter.
        groups[part_of(place)].append(f"* {_code(text)} {by}\n")
    return "\n".join(
        closed(f"{part} ({len(lines)})", "".join(lines)) for part, lines in groups.items() if lines
    )


def part_of(place: str) -> str:
    """Return the part of the package that a module belongs to."""
    page = (page_of(place) or "").rpartition("/")[2]
    return next((part for part, pages in PARTS.items() if page in pages), BOOK)


def _code(text: str) -> str:
    """Write a message as code, which may itself contain code marks."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"

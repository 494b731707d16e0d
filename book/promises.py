"""The parts of the page on reliability that are written when the book is built."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from messages import messages
from pages import table

from tblib.io import read_json

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
    "stale_pages": ("stale pages shown by the built book", "{}"),
    "requests": ("external requests by the built book", "{}"),
}


def fill(page: str, recorded: Path) -> str:
    """Put the scorecard and the table of messages where the page has their marks."""
    page = page.replace("<!-- scorecard -->", scorecard(recorded / "reliability.json"))
    return page.replace("<!-- messages -->", message_table())


def scorecard(path: Path) -> str:
    """Write what the last recorded run of the fault tests measured, and where."""
    if not path.is_file():
        return "No run of the fault tests has been recorded; `make scorecard` records one.\n"
    record = read_json(path)
    cards = record["cards"]
    rows = [
        [name, _worded(record["values"].get(key), words), _when(cards.get(key))]
        for key, (name, words) in ROWS.items()
    ]
    note = (
        "Each value was measured by a run of the tests in which all passed: its time in UTC, its "
        f"commit, and how many tests it had. Machines: {_machines(cards.values())}.\n"
    )
    return f"{table(['measured', 'value', 'when'], rows)}\n{note}"


def _worded(value: Any, words: str) -> str:
    if value is None:
        return UNKNOWN
    return words.format(**value) if isinstance(value, dict) else words.format(value)


def _when(card: dict[str, Any] | None) -> str:
    if card is None:
        return ""
    return f"{card['date'][:16].replace('T', ' ')}, `{card['commit']}`, {card['tests']} tests"


def _machines(cards: Iterable[dict[str, Any]]) -> str:
    names = {f"{card['device']} with {card['host_cpus']} CPUs" for card in cards}
    return "; ".join(sorted(names))


def message_table() -> str:
    """Write every message with its kind and the module that gives it."""
    rows = [
        [_code(text), "setting" if kind == "ValueError" else kind, f"`{place}`"]
        for kind, text, place in messages()
    ]
    return table(["message", "kind", "given by"], rows)


def _code(text: str) -> str:
    """Write a message as code, which may itself contain code marks."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"

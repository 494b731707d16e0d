"""The parts of the page on reliability that are written when the book is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from messages import messages
from pages import table

from tblib.io import read_json

UNKNOWN = "not measured in this run"


def fill(page: str, recorded: Path) -> str:
    """Put the scorecard and the table of messages where the page has their marks."""
    page = page.replace("<!-- scorecard -->", scorecard(recorded / "reliability.json"))
    return page.replace("<!-- messages -->", message_table())


def scorecard(path: Path) -> str:
    """Write what the last recorded run of the fault tests measured, and where."""
    if not path.is_file():
        return "No run of the fault tests has been recorded; `make scorecard` records one.\n"
    record = read_json(path)
    card = record["card"]
    rows = [[name, UNKNOWN if v is None else str(v)] for name, v in _rows(record["values"])]
    note = (
        f"Recorded on {card['date'][:16].replace('T', ' ')} UTC, commit `{card['commit']}`, on "
        f"{card['device']} in a machine with {card['host_cpus']} CPUs: {card['tests']} tests in "
        f"{card['seconds'] / 60:.0f} minutes, all passed.\n"
    )
    return f"{table(['measured', 'value'], rows)}\n{note}"


def _rows(v: dict[str, Any]):
    """Yield a line of the scorecard for each thing that is measured."""
    kills, files = v.get("kill_cycles"), v.get("fault_files")
    wrong, save = v.get("wrong_parameter"), v.get("checkpoints")
    yield (
        "kills at random times after which the weights were bit-identical",
        kills and f"{kills['survived']} of {kills['kills']}",
    )
    yield "write points at which a kill was survived, all there are", v.get("write_points")
    yield (
        "damaged video files found with the right reason",
        files and f"{files['right']} of {files['of']}",
    )
    yield "changed files that each reader answered, of all kinds", v.get("fuzzed")
    yield (
        "time to refuse a wrong parameter, whole process",
        wrong and f"{wrong['processor_seconds']} s of one processor ({wrong['seconds']} s passed)",
    )
    yield (
        "time for verified checkpoints",
        save and f"{save['percent']:.2g} % ({save['milliseconds']} ms every {save['every']} steps)",
    )
    for name, key in (("stale pages shown", "stale_pages"), ("external requests", "requests")):
        yield f"{name} by the built book", v.get(key)


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

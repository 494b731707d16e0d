"""`python -m tblib doctor`: one screen that says what works here and how to get what is missing."""

from __future__ import annotations

import platform
import sys

from . import machine, packages


def report() -> tuple[str, bool]:
    """Describe this computer for tblib.

    Optional extras and datasets that are absent are named but do not make the answer False.

    Returns:
        (text of about one screen, True when everything that the book's core needs is there).
    """
    wanted, problem = packages.check()
    torch_lines, torch_ok = machine.pytorch()
    data_lines, data_ok = machine.data()
    ok = not problem and torch_ok and data_ok
    ok = ok and all(p.state == "ok" for p in wanted if not p.extra)
    lines = [
        f"Python    {platform.python_version()} ({sys.executable})",
        *([f"PROBLEM   {problem}"] if problem else []),
        *packages.lines(wanted),
        "",
        f"Processor {machine.cpu_name()}, {machine.cores()} cores for this process",
        *torch_lines,
        f"Memory    {machine.memory()}",
        *data_lines,
        "",
        "All that the book needs is here." if ok else "Put right what is marked PROBLEM above.",
    ]
    return "\n".join(lines), ok

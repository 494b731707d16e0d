"""What a run holds, what of it is out of date and why, and what to run next: `tblib info RUN`."""

from __future__ import annotations

import shlex
from pathlib import Path

from ..engine import checkpoint
from ..errors import CheckpointError, UserError
from ..files import read_json
from ..methods.job import Job
from ..settings.profiles import load_profile, profile_names, runs_home
from .cards import RECORDED
from .chapter_code import chapter_code
from .directory import Run, differences, reopen
from .earlier import set_options
from .reuse import digest

GOOD = "up to date"


def report(named: str | Path) -> str:
    """Describe a run directory in a few lines.

    Args:
        named: its folder, or its name below `runs/`.

    Raises:
        MissingStage: it is not a run directory.
        ConfigError: its settings are those of other code.
    """
    folder = Path(named).expanduser()
    run = reopen((folder if folder.is_dir() else runs_home() / named).resolve())
    c, chapters = run.config, chapter_states(run)
    lines = [f"{run.dir}: {c.title or c.name}", f"data: {c.data.dataset}, seed {c.seed}, "
             f"{c.data.label_fraction:.0%} of the labels; network: {c.model.backbone}"]  # fmt: skip
    lines += [f"chapter {number}: {state}" for number, state in chapters.items()]
    try:
        lines += [f"model {name}: {state}" for name, state in model_states(run).items()]
    except UserError as error:
        lines.append(f"models cannot be judged without their videos: {error}")
    return "\n".join([*lines, f"next: {_next(run, chapters)}"])


def chapter_states(run: Run) -> dict[int, str]:
    """Say of each chapter with results whether they are up to date, or why they are not."""
    return {int(number): _chapter(run, number) for number in RECORDED}


def _chapter(run: Run, number: str) -> str:
    path, c = run.dir / "cards" / f"{number}.json", run.config
    if not path.is_file():
        return "not run yet"
    card = read_json(path)
    if card["config"] != c.digest():
        return "stale, it was run with other settings"
    if card.get("chapter_code") != chapter_code(int(number), c.model.backbone, c.student.method):
        return "stale, code that it uses was changed since"
    return f"{GOOD}, {card['seconds']:.0f} s, {card['started']}"


def model_states(run: Run) -> dict[str, str]:
    """Say of each finished model whether it is used again, or why it is trained again.

    Raises:
        DataError: the videos, whose content counts, cannot be read.
    """
    run.pool  # noqa: B018  what follows depends on it; one error instead of one for each model
    return {name: _model(run, name) for name in run.models}


def _model(run: Run, name: str) -> str:
    try:
        card = checkpoint.model_card(run.folder(name))
        job = Job(**card["job"] | {"teachers": tuple(card["job"]["teachers"])})
        same = digest(run, job) == card["digest"]
    except CheckpointError as error:
        return f"damaged: {error}"
    except UserError as error:
        return f"stale, what it was made from is gone: {error}"
    done = f"{job.method}, {job.steps} steps, {card['seconds']:.0f} s"
    why = "settings, code, videos, labels or a model it was made from changed since"
    return f"{GOOD}, {done}" if same else f"stale, {why} ({done})"


def _next(run: Run, chapters: dict[int, str]) -> str:
    """Name the command that makes everything up to date."""
    late = [number for number, state in chapters.items() if not state.startswith(GOOD)]
    if not late:
        return f"tblib predict {shlex.quote(str(run.dir))}:student_reweighted VIDEO…"
    c = run.config
    known = c.name in profile_names()
    plain = load_profile(c.name).model_dump(mode="json") if known else None
    changes = set_options(c, plain) if plain else ""
    seed = f" --seed {c.seed}" if plain and differences(plain, c.model_dump(mode="json")) else ""
    chosen = c.name if known else f"YOUR/{c.name}.yaml"
    numbers = " ".join(str(number) for number in chapters if number >= late[0])
    return (
        f"tblib run {numbers} --profile {chosen}{seed}{changes} "
        f"--run-dir {shlex.quote(str(run.dir))}"
    )

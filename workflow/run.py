"""Run the chapters of one profile as a Snakemake graph: what `make reproduce` calls.

A chapter runs again when its notebook, the code it uses, the profile's values or an earlier
chapter's result changed, and only then.  After an interruption the same command goes on.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import beside  # noqa: F401 (refuses the code of another checkout, before it is imported)

# isort: split
from tblib.engine.hardware import name_this_user
from tblib.errors import UserError
from tblib.files import read_json, sha256, write_json
from tblib.lesson.chapters import ROOT, chapters
from tblib.plan import plan
from tblib.run.chapter_code import chapter_code
from tblib.run.request import leave
from tblib.settings.config import Profile
from tblib.settings.profiles import load_profile, run_folder, settled_environment

SHOWN = {"08": "benchmarks", "09": "study"}  # chapters that show recorded results


def refresh_stamps(folder: Path, profile: Profile) -> None:
    """Write `stamps/NN.json` where code or settings changed; untouched files keep their time.

    A stamp that is missing though the results are there and up to date (they were made chapter by
    chapter) is dated before them.
    """
    for number, source in chapters().items():
        path, card = folder / "stamps" / f"{number}.json", folder / "cards" / f"{number}.json"
        code = chapter_code(number, profile.model.backbone, profile.student.method)
        stamp = {"notebook": sha256(source), "chapter_code": code, "config": profile.digest()}
        if number in SHOWN:
            records = (ROOT / "results" / SHOWN[number]).glob("*.json")
            stamp["records"] = [sha256(path) for path in sorted(records)]
        known = path.exists()
        if known and read_json(path) == stamp:
            continue
        write_json(path, stamp)
        if not known and card.exists():
            made_by = read_json(card)
            if all(made_by.get(key) == stamp[key] for key in ("chapter_code", "config")):
                os.utime(path, (0, 0))


def hold(folder: Path) -> None:
    """Lock the run directory until this process, which becomes Snakemake, ends however it ends.

    Raises:
        UserError: another run is working in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".reproduce.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UserError(
            f"another reproduction is running in {folder} (process {os.read(handle, 20).decode()})"
            "; wait for it, end it, or choose another folder with RUN_DIR=…."
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    os.set_inheritable(handle, True)


def command(folder: Path, where: str = "local") -> list[str]:
    """Return the Snakemake command line; `where` is a folder of settings beside this file.

    Snakemake works in the run directory, so that all names it interprets are ours; those that a
    user chose are in the request, a file that only `python -m tblib run --request` reads.
    """
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--profile", str(ROOT / "workflow" / where), "--directory", str(folder)),
    ]


def main(argv: list[str] | None = None) -> None:
    """Check the request, clear a dead run's lock, hand over to Snakemake."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--run-dir", default="", help="default: runs/<profile>")
    parser.add_argument("--plan", action="store_true", help="graph, disk and hours; run nothing")
    parser.add_argument("--where", default="local", choices=["local", "slurm"])
    arguments, extra = parser.parse_known_args(argv)
    try:
        profile = load_profile(arguments.profile)
        folder = run_folder(profile, arguments.run_dir)
        # arguments for Snakemake choose a part of the graph; a study prints its plan itself
        if arguments.plan or not (extra or profile.study):
            print(plan(profile, folder), flush=True)
        if arguments.plan:
            return
        hold(folder)
        if profile.study is None:
            leave(folder, arguments.profile, profile)
            refresh_stamps(folder, profile)
        os.environ |= settled_environment()
        name_this_user()
    except (UserError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", UserError.exit_code))
    if profile.study is not None:  # a graph of its own: hundreds of trainings of seconds each
        named = [f"--profile={arguments.profile}", f"--run-dir={folder}"]
        os.execv(sys.executable, [sys.executable, "-m", "tblib", "study", *named, *extra])
    line = command(folder, arguments.where)
    # We hold the folder, so a Snakemake lock on it was left by a killed run.
    unlocked = subprocess.run([*line, "--unlock"], stderr=subprocess.PIPE, text=True)
    if unlocked.returncode:  # else it only says that it unlocked
        sys.exit(unlocked.stderr)
    os.execv(sys.executable, line + extra)


if __name__ == "__main__":
    main()

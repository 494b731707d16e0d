"""Commands about finished work, `predict`, `export`, `info`, and `schema`: parsers and calls."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path

PREDICT = """examples:
  tblib predict runs/laptop/ckpt/student_reweighted film.mp4
  tblib predict laptop:student_reweighted videos/ --csv answers.csv --figure answers.png
  tblib predict model.safetensors a.avi b.avi --clips 20 --json answers.json"""

EXPORT = """examples:
  tblib export laptop:student_reweighted --to torch_export student.pt2
  tblib export runs/laptop/ckpt/student_reweighted --to state_dict student.pt"""
INFO = """examples:
  tblib info laptop
  tblib info runs/mine-3f2a9c01b7de"""
SCHEMA = """example:
  tblib schema > notebooks/profiles/profile.schema.json"""


def add(commands) -> None:
    """Add the commands to the parser's."""
    _add_predict(commands)
    export = _add(commands, "export", "write a finished model for programs of others", EXPORT)
    export.add_argument("model", help="folder or file of a finished model, or RUN:NAME")
    export.add_argument("--to", required=True, metavar="FORM", help="state_dict or torch_export")
    export.add_argument("file", type=Path)
    export.set_defaults(command=_export)
    info = _add(commands, "info", "what a run holds, what is stale, what to run next", INFO)
    info.add_argument("run", help="folder of a run, or its name below runs/")
    info.set_defaults(command=_info)
    short = "write the JSON schema of profiles, which editors complete and check them by"
    schema = _add(commands, "schema", short, SCHEMA)
    schema.set_defaults(command=_schema)


def _add(commands, name: str, short: str, examples: str) -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    return commands.add_parser(
        name, help=short, description=f"{short[0].upper()}{short[1:]}.", epilog=examples,
        formatter_class=layout,
    )  # fmt: skip


def _add_predict(commands) -> None:
    parser = _add(commands, "predict", "classify videos with a finished model", PREDICT)
    parser.add_argument("model", help="folder or file of a finished model, or RUN:NAME")
    parser.add_argument("video", nargs="+", help="files, and folders whose videos are taken")
    parser.add_argument("--clips", type=int, help="clips of a video; default: as the run tests")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every clip as a table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument(
        "--figure", type=Path, metavar="FILE.png",
        help="draw frames and curve; of several videos FILE-1.png, FILE-2.png …",
    )  # fmt: skip
    parser.set_defaults(command=_predict)


def _predict(options: argparse.Namespace) -> int:
    from .predict import predict

    with redirect_stdout(sys.stderr):  # progress; the answer alone goes to standard output
        found = predict(options.model, options.video, options.clips)
    if found.seen:
        print(found)
        found.save(options.csv, options.json)
    if options.figure:
        _draw(found, options.figure)
    for error in found.refused:
        print(f"tblib: {error}", file=sys.stderr)
    return 1 if found.refused else 0


def _draw(found, file: Path) -> None:
    from ..files import atomic_write
    from ..lesson import plot

    plot.use_book_style()
    figures = found.figures()
    for k, figure in enumerate(figures, 1):
        place = file if len(figures) == 1 else file.with_stem(f"{file.stem}-{k}")
        atomic_write(place, lambda to, figure=figure: figure.savefig(to, dpi=150))


def _export(options: argparse.Namespace) -> None:
    from .export import export
    from .predict import find, load_in

    print(export(load_in(*find(options.model)), options.to, options.file))


def _info(options: argparse.Namespace) -> None:
    from .info import report

    with redirect_stdout(sys.stderr):  # decoding may be told about
        text = report(options.run)
    print(text)


def _schema(_: argparse.Namespace) -> None:
    from ..settings.schema import text

    print(text(), end="")

"""Command line, `tblib` or `python -m tblib`: run chapters, look at data, use what was trained."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path

from .errors import ConfigError, UserError
from .run import commands as finished

INTERRUPTED = 130  # what shells report after Ctrl-C
CRASHED = 70  # EX_SOFTWARE: a defect of this program, never the answer to a question
EXAMPLES = """examples:
  tblib run all --profile laptop           every chapter, in order
  tblib run 5 --set similarity.map=logistic
  tblib data info --profile mine.yaml      what is in your folder, and who is labelled
  tblib plan --profile mine.yaml           how long, how much memory, before anything runs
  tblib info laptop                        what is finished, what is stale, what comes next
  tblib predict laptop:student_reweighted videos/
`tblib COMMAND --help` tells more."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a user's mistake prints one sentence and returns a non-zero code."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter shows its number
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return options.command(options) or 0
    except (UserError, OSError) as error:
        if options.debug:
            raise
        print(f"tblib: {error}", file=sys.stderr)
        return getattr(error, "exit_code", UserError.exit_code)
    except KeyboardInterrupt:
        print("tblib: interrupted; the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return CRASHED


def _parser() -> argparse.ArgumentParser:
    called = "tblib" if Path(sys.argv[0]).stem == "tblib" else "python -m tblib"
    parser = argparse.ArgumentParser(
        prog=called, description=__doc__, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--debug", action="store_true", help="show the full traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="execute chapters (1, 2, …) or `all` of a profile")
    run.add_argument("chapter", nargs="+")
    _add_profile(run)
    run.add_argument("--run-dir", help="where results go; default runs/<profile>")
    run.add_argument("--method", help="what chapter 6 trains beside TimeBalance, e.g. supervised")
    run.add_argument("--request", type=Path, help=argparse.SUPPRESS)  # by `make reproduce`
    run.set_defaults(command=_run)
    study = commands.add_parser("study", help="run a grid over seeds and fractions, and record it")
    _add_profile(study)
    study.add_argument("--run-dir", type=Path, help="where models go; default runs/<profile>")
    study.add_argument("--collect", action="store_true", help="only record what is finished")
    study.add_argument("--join", nargs="+", type=Path, metavar="RECORD",
                       help="run nothing, join the records of parts of the study")  # fmt: skip
    study.set_defaults(command=_study)
    plan = commands.add_parser("plan", help="graph, disk, memory and hours of a run; runs nothing")
    _add_profile(plan)
    plan.add_argument("--run-dir", type=Path, help="where results would go; default runs/<profile>")
    plan.add_argument("--tflops", type=float, help="speed of another machine in training, 10¹²/s")
    plan.set_defaults(command=_plan)
    doctor = commands.add_parser("doctor", help="what is installed, found and missing")
    doctor.set_defaults(command=_doctor)
    _add_data(commands)
    train = commands.add_parser("train", help="take part in one training; `runtime.launch` uses it")
    train.add_argument("description", type=Path)
    train.set_defaults(command=_train)
    record = commands.add_parser("record", help="keep the results of a finished run under results/")
    record.add_argument("run_dir", type=Path)
    record.add_argument("name")
    record.set_defaults(command=_record)
    finished.add(commands)
    for command in commands.choices.values():  # also after the command, where people put it
        command.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
    return parser


def _add_data(commands) -> None:
    data = commands.add_parser("data", help="get videos; show, decode or verify those of a profile")
    data.add_argument("action", choices=["info", "build", "verify", "get"])
    data.add_argument(
        "root", nargs="?", type=Path, help="verify: any folder; get: what, e.g. hmdb51"
    )
    data.add_argument("--to", type=Path, help="get: folder; default downloads/ of TB_DATA")
    data.add_argument("--agree", action="store_true", help="get: the terms were read")
    data.add_argument("--manifest", type=Path, help="verify ROOT: where its manifest is kept")
    data.add_argument("--renew", action="store_true", help="verify ROOT: make the manifest anew")
    data.add_argument("--json", action="store_true", help="verify: a report for programs")
    data.add_argument("--jobs", type=int, default=2, help="verify ROOT: processes, 2 or more")
    _add_profile(data)
    data.set_defaults(command=_data)


def _add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default="smoke", help="name of a profile, or a YAML file")
    parser.add_argument("--seed", type=int, help="replaces the profile's seed")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="override one setting, e.g. --set student.steps=50",
    )


def _overrides(options: argparse.Namespace) -> dict:
    """Read `a.b=value` pairs; the value is JSON where it can be, else text."""
    pairs = {}
    for item in options.set:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise ConfigError(f"--set {item!r} must look like student.steps=50.")
        try:
            pairs[name] = json.loads(text)
        except json.JSONDecodeError:
            pairs[name] = text
    return pairs


def _run(options: argparse.Namespace) -> None:
    from .engine import stopping
    from .lesson import chapters, execute
    from .run import request

    overrides = _overrides(options)
    if options.method is not None:
        overrides["student.method"] = options.method
    asked = {"profile": options.profile, "run_dir": options.run_dir}
    asked |= {"overrides": overrides, "seed": options.seed}
    if options.request:
        asked = request.take(options.request)
    named = [number for name in options.chapter for number in chapters.numbers(name)]
    for chapter in named:
        with stopping.raising():
            execute.execute(chapter, **asked)


def _study(options: argparse.Namespace) -> None:
    from .engine import stopping
    from .files import held
    from .plan import plan
    from .settings.profiles import load_profile, run_folder
    from .study.conduct import conduct, need_study
    from .study.join import join
    from .study.record import record

    profile = load_profile(options.profile, _overrides(options), options.seed)
    need_study(profile)
    if options.join:
        print(join(profile, options.join))
        return
    folder = run_folder(profile, options.run_dir)
    if not options.collect:
        print(plan(profile, folder), flush=True)  # refuses what cannot run, before a folder is made
        with held(folder / ".study.lock", f"the study in {folder}"), stopping.raising():
            conduct(profile, folder)
    print(record(profile, folder))


def _plan(options: argparse.Namespace) -> None:
    from .plan import plan
    from .settings.profiles import load_profile, run_folder

    if options.tflops is not None and not options.tflops > 0:
        raise ConfigError(f"--tflops {options.tflops} must be above 0, for example 150.")
    profile = load_profile(options.profile, _overrides(options), options.seed)
    print(plan(profile, run_folder(profile, options.run_dir), options.tflops))


def _train(options: argparse.Namespace) -> None:
    from .run.launched import join

    join(options.description)


def _doctor(_: argparse.Namespace) -> int:
    from .run.doctor import report

    text, healthy = report()
    print(text)
    return 0 if healthy else 1


def _data(options: argparse.Namespace) -> int:
    from .data import cache, datasets, info, manifest, stores
    from .data.download import get
    from .settings.profiles import data_home, load_profile

    if options.json and options.action != "verify":
        raise ConfigError(f"--json is for data verify; leave it out for data {options.action}.")
    if options.action == "get":
        print(get(str(options.root or ""), options.to or data_home() / "downloads", options.agree))
        return 0
    if options.root is not None:
        return _verify_root(options)
    profile = load_profile(options.profile, _overrides(options), options.seed)
    videos = datasets.load(profile)
    if options.action == "info":
        print(info.describe(videos, profile.data, profile.seed))
        return 0
    d, home, jobs = profile.data, data_home() / "cache", profile.runtime.decoders
    if options.action == "verify":
        record = home / stores.folder_name(d.cache_px, d.cache_format) / cache.manifest_name(videos)
        known = manifest.read(record)
        old = manifest.outdated(known.values())
        with redirect_stdout(sys.stderr if options.json else sys.stdout):
            if old:
                print(f"frame cache: {old}; the next run decodes them anew.", flush=True)
            checked = manifest.verify(videos, jobs, known)
        return _report(checked, None, options.json)
    frames = cache.build(videos, d.cache_px, home, jobs, d.cache_format)
    total = int(frames.frames.sum())
    print(f"{len(frames)} videos, {total} frames cached at {d.cache_px} px, {d.cache_format}")
    return 0


def _verify_root(options: argparse.Namespace) -> int:
    from .data import verify
    from .files import resolved
    from .settings.profiles import data_home

    if options.action != "verify" or options.jobs < 1:
        raise ConfigError("a folder can only be verified: data verify ROOT [--jobs N, N ≥ 1].")
    root = resolved(options.root)  # FFmpeg takes 12:30.mp4, without a folder, for an address
    record = options.manifest or verify.place(root, data_home())
    with redirect_stdout(sys.stderr if options.json else sys.stdout):
        checked = verify.check(root, record, max(options.jobs, 2), options.renew)
    return _report(checked, record, options.json)


def _report(checked, record: Path | None, as_json: bool) -> int:
    """Print what was found on each file, for people or for programs; 1 if a video is bad."""
    from .data import verify

    text, bad = verify.summary(checked)
    end = "" if record is None else f"; manifest: {record}"
    print(verify.as_json(checked, record) if as_json else f"{text}{end}")
    return 1 if bad else 0


def _record(options: argparse.Namespace) -> None:
    from .run.cards import record

    print(record(options.run_dir, options.name))


if __name__ == "__main__":
    sys.exit(main())

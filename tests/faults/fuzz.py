"""Coverage-guided fuzzing of the readers with libFuzzer, through atheris: `make fuzz`.

Each reader gets a process and a time.  Inputs that reach something new are kept in
`corpus/fuzzed/`; an input that breaks a reader goes to `corpus/found/`, once
for each place that breaks, and the run goes on.  `test_fuzz.py` reads both again without atheris.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path

import atheris
from torch._weights_only_unpickler import Unpickler

HERE = Path(__file__).resolve().parent
sys.path[:0] = map(str, (HERE, HERE.parent, HERE.parent / "data", HERE.parents[1]))
with atheris.instrument_imports(include=["tblib", "yaml"]):
    import measured
    import test_fuzz
# Its package is too large to be instrumented as a whole.
Unpickler.load = atheris.instrument_func(Unpickler.load)

CORPUS = HERE / "corpus"
MEMORY = Path("/dev/shm")  # files here cost no disk


def search(name: str, options: list[str], folder: Path) -> None:
    """Fuzz one reader in this process until libFuzzer ends it."""
    broken: set[str] = set()

    def once(data: bytes) -> None:
        try:
            test_fuzz.answered(folder, name, data)
        except Exception as error:
            place = _place(error)
            if place not in broken:
                broken.add(place)
                suffix = Path(name).suffix
                (CORPUS / "found" / f"{Path(name).stem}-{place}{suffix}").write_bytes(data)
                print(f"BROKEN {place}: {error}", file=sys.stderr, flush=True)

    atheris.Setup(["fuzz", *options], once)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        atheris.Fuzz()


def _place(error: Exception) -> str:
    """Name the kind of an error and the last line of `tblib` that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{Path(f.filename).stem}-{f.lineno}" for f in frames if "tblib" in f.filename]
    return "-".join([type(error).__name__.lower(), *lines[-1:]])


def campaign(name: str, seconds: int, home: Path) -> dict:
    """Fuzz one reader for a time, from the corpus and back into it; tell what was reached."""
    archive = CORPUS / "fuzzed" / f"{Path(name).stem}.zip"
    corpus = home / "corpus"
    for data in [test_fuzz.valid(name, home), *test_fuzz.unpacked(archive)]:
        _keep(corpus, data)
    words = [word for word in test_fuzz.WORDS if len(word) < 60]
    texts = ['"' + "".join(f"\\x{byte:02X}" for byte in word) + '"' for word in words]
    (home / "words").write_text("\n".join(texts) + "\n")
    before = set((CORPUS / "found").glob(f"{Path(name).stem}-*"))
    said = _in_child(name, home, [str(corpus), f"-max_total_time={seconds}"])
    _pack(archive, [path.read_bytes() for path in corpus.iterdir()])
    return {
        "reader": name,
        "seconds": seconds,
        "inputs": int(re.findall(r"^stat::number_of_executed_units: +(\d+)", said, re.M)[-1]),
        "reached": int(re.findall(r" cov: (\d+) ", said)[-1]),
        "kept": len(list(corpus.iterdir())),
        "broken": sorted(
            p.name for p in set((CORPUS / "found").glob(f"{Path(name).stem}-*")) - before
        ),
    }


def _in_child(name: str, home: Path, options: list[str]) -> str:
    """Run `search` in a forked process, which spares the imports; return what libFuzzer said."""
    always = ["-max_len=8192", "-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=1"]
    said = home / "said.txt"
    pid = os.fork()
    if pid == 0:
        with said.open("w") as file:
            os.dup2(file.fileno(), 2)
        search(name, [*always, f"-dict={home}/words", *options], home)
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    text = said.read_text(errors="replace")
    if code:
        sys.exit(f"{name}: libFuzzer ended with {code}\n{text[-3000:]}")
    return text


def _keep(folder: Path, data: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def _pack(path: Path, inputs: list[bytes]) -> None:
    """Write an archive that depends on its content only."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for data in sorted(inputs, key=lambda data: (len(data), data)):
            file.writestr(zipfile.ZipInfo(hashlib.sha1(data).hexdigest()), data, compresslevel=9)


def main() -> int:
    """Fuzz all readers, or those named; 1 if one was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=300, help="for each reader")
    parser.add_argument("readers", nargs="*")
    options = parser.parse_args()
    results, began = [], time.time()
    for name in options.readers or test_fuzz.READERS:
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as home:
            results.append(campaign(name, options.seconds, Path(home)))
        print(results[-1], flush=True)
    found = sum(len(result["broken"]) for result in results)
    if os.environ.get("TB_SCORECARD") == "1":
        total = sum(result["inputs"] for result in results)
        minutes = round(sum(result["seconds"] for result in results) / 60)
        values = {"inputs": total, "minutes": minutes, "readers": len(results), "found": found}
        measured.record({"fuzzer": values | {"each": results}}, began, tests=len(results))
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())

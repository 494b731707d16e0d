"""Every reader answers every file with a result or one sentence, never with another exception.

Valid files of `corpus/` are changed by bytes and by words that once broke a reader.  Hypothesis is
led by coverage: it prefers changes that reach more lines of `tblib`.  What was found stays in
`corpus/found/` and is read first.
"""

import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st
from test_security import with_note
from test_splits import table_of

from tblib import files
from tblib.data import lists, manifest, splits
from tblib.engine import checkpoint
from tblib.errors import UserError
from tblib.settings.profiles import load_profile
from tblib.study.check import checked

HERE = Path(__file__).parent / "corpus"
KNOWN = {"Walk": 1, "Jump": 2}
TABLE = table_of({"Walk": [2, 2, 2], "Jump": [2, 2, 2]})
WORDS = [
    *(b"\xc2\xb2", b"\xd9\xa1", b"9" * 5000, b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n"),
    *(b"..", b"/", b"\xe2\x80\xa8", b" ", b"nan", b"-1", b"1e999", b"2024-13-45", b"{"),
    *(b"!!python/object:x", b"&a *a", b"? ", b": ", b"- ", b"|", b"true", b"null", b"[" * 3000),
    *(b"~", b'"', b"\\u"),
]  # fmt: skip


def state_of(path):
    with_note(path.rename(path.with_name("state_00000001.pt")))
    return checkpoint.latest_state(path.parent)


def model_of(path):
    with_note(path.rename(path.with_name("model.safetensors")))
    return checkpoint.load_weights(path.parent)


def card_of(path):
    path.with_name("model.safetensors").write_bytes(b"x")
    path.rename(path.with_name("model.json"))
    return checkpoint.model_card(path.parent)


READERS = {
    "classes.txt": lists.read_classes,
    "trainlist.txt": lambda path: lists.read_list(path, "train", KNOWN),
    "labels.txt": lambda path: splits.roles(TABLE, 0.5, 0, label_list=path),
    "profile.yaml": lambda path: load_profile(str(path)),
    "manifest.csv": manifest.read,
    "note.json": files.read_json,
    "card.json": card_of,
    "study.json": lambda path: checked(files.read_json(path), str(path)),
    "state.pt": state_of,
    "model.safetensors": model_of,
}


@st.composite
def edits(draw):
    """A few changes of a file, each at a relative place."""
    change = st.tuples(
        st.sampled_from(["flip", "cut", "drop", "insert", "repeat"]),
        st.floats(0, 1),
        st.integers(0, 255),
        st.sampled_from(WORDS),
    )
    return draw(st.lists(change, min_size=1, max_size=4))


def apply(data: bytes, changes) -> bytes:
    for kind, place, number, word in changes:
        at = int(place * max(len(data) - 1, 0))
        if kind == "flip" and data:
            data = data[:at] + bytes([data[at] ^ (number or 1)]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "drop":
            data = data[:at] + data[at + 1 + number % 24 :]
        elif kind == "insert":
            data = data[:at] + word + data[at:]
        else:
            data = data[:at] + data[at : at + 40] * (1 + number % 4) + data[at + 40 :]
    return data


def lines_reached(call) -> int:
    """Call and count the lines of `tblib` that ran."""
    seen = set()

    def trace(frame, kind, _):
        if "tblib" not in frame.f_code.co_filename:
            return None
        seen.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return len(seen)


def answered(tmp_path, name, data) -> None:
    """Have a reader read: it gives a result, or an error of one line."""
    shutil.rmtree(tmp_path / "try", ignore_errors=True)
    (tmp_path / "try").mkdir()
    path = tmp_path / "try" / name
    path.write_bytes(data)
    try:
        READERS[name](path)
    except UserError as error:
        assert len(str(error).splitlines()) == 1, error


def attempt(tmp_path, name, data) -> int:
    return lines_reached(lambda: answered(tmp_path, name, data))


def valid(name: str, tmp_path) -> bytes:
    """A valid file: from the corpus, or written now where it is binary."""
    if name == "state.pt":
        torch.save({"step": 1, "learner": {"w": torch.ones(2, 2)}, "pending": []}, tmp_path / name)
        return (tmp_path / name).read_bytes()
    if name == "model.safetensors":
        checkpoint.save_model(tmp_path / "m", {"w": torch.ones(2, 2), "b": torch.ones(1)}, {})
        return (tmp_path / "m" / name).read_bytes()
    return (HERE / name).read_bytes()


def unpacked(path: Path) -> list[bytes]:
    """The files of an archive; none if there is no archive yet."""
    if not path.is_file():
        return []
    with zipfile.ZipFile(path) as file:
        return [file.read(name) for name in file.namelist()]


@pytest.mark.parametrize("name", READERS)
def test_the_valid_file_itself_is_read(tmp_path, name, capsys):
    path = tmp_path / "try" / name
    path.parent.mkdir()
    path.write_bytes(valid(name, tmp_path))
    if name == "card.json":
        with pytest.raises(UserError, match="SHA-256 differs"):
            READERS[name](path)
    else:
        assert READERS[name](path) is not None


FOUND = sorted((HERE / "found").iterdir())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_once_broke_a_reader_is_answered(tmp_path, path, capsys):
    name = next(name for name in READERS if Path(name).stem == path.stem.partition("-")[0])
    attempt(tmp_path, name, path.read_bytes())


@pytest.mark.parametrize("name", READERS)
def test_what_the_fuzzer_collected_is_answered(tmp_path, name, capsys):
    """Inputs that each reached something new: see fuzz.py."""
    inputs = unpacked(HERE / "fuzzed" / f"{Path(name).stem}.zip")
    assert inputs
    for data in inputs:
        answered(tmp_path, name, data)


def fuzz(name, tmp_path, examples):
    whole = valid(name, tmp_path)

    @given(edits())
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples < 1000,
        suppress_health_check=list(HealthCheck),
    )
    def change(changes):
        target(float(attempt(tmp_path, name, apply(whole, changes))))

    change()


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_gets_a_result_or_a_sentence(tmp_path, name, capsys):
    fuzz(name, tmp_path, 60)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", READERS)
def test_thousands_of_changed_files_get_a_result_or_a_sentence(tmp_path, name, capsys, scorecard):
    fuzz(name, tmp_path, 3000)
    scorecard["fuzzed"] = scorecard.get("fuzzed", 0) + 3000

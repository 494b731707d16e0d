"""Promise 3: no input file can run code, and none can send a reader to other files."""

import ast
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from realvideo import moving_frames, write_video

from tblib.__main__ import main
from tblib.data import cache, container, lists, manifest
from tblib.engine import checkpoint
from tblib.errors import CheckpointError, ConfigError, DataError, DecodeError, UserError
from tblib.settings.profiles import load_profile, runs_home

ROOT = Path(__file__).resolve().parents[2]


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, canary: Path):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


def zip_slip(path: Path, canary: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"a": Payload(canary)}))
        file.writestr(f"../../../../../../{canary}", "x")
        file.writestr("archive/version", "3\n")


STATES = {
    "pickle": lambda path, canary: path.write_bytes(pickle.dumps(Payload(canary), 2)),
    "torch archive": lambda path, canary: torch.save({"step": 1, "x": Payload(canary)}, path),
    "torch's old format": lambda path, canary: torch.save(
        {"step": 1, "x": Payload(canary)}, path, _use_new_zipfile_serialization=False
    ),
    "zip with a way out": zip_slip,
    "a list": lambda path, _: torch.save([1, 2], path),
    "not an archive": lambda path, _: path.write_bytes(b"PK\x03\x04" + bytes(200)),
}


def with_note(path: Path) -> None:
    checkpoint.write_json(path.with_suffix(".json"), {"sha256": checkpoint.sha256(path)})


@pytest.mark.parametrize("make", STATES.values(), ids=STATES.keys())
def test_a_foreign_state_is_refused_by_name_even_with_a_fitting_note(tmp_path, make):
    canary, path = tmp_path / "canary", tmp_path / "state_00000001.pt"
    make(path, canary)
    with_note(path)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.latest_state(tmp_path)
    assert str(path) in str(caught.value) and "nothing in it was run" in str(caught.value)
    assert "weights_only" not in str(caught.value), "torch's advice to load it nevertheless"
    assert not canary.exists()


HEADERS = {
    "header of 1 TB": struct.pack("<Q", 1 << 40) + b"{}",
    "header is no JSON": struct.pack("<Q", 8) + b"}}}}}}}}",
    "data behind the end": struct.pack("<Q", 62)
    + b'{"w":{"dtype":"F32","shape":[900],"data_offsets":[0,3600]}}   ',
    "overlapping tensors": struct.pack("<Q", 115)
    + (
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    ).ljust(115)
    + bytes(4),
    "a pickle": pickle.dumps({"w": 1}),
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS.keys())
def test_a_model_that_lies_about_itself_is_refused_by_name(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with_note(path)
    with pytest.raises(CheckpointError, match="is not a file that this program wrote"):
        checkpoint.load_weights(tmp_path)


def test_a_linked_model_is_checked_like_any_other(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    checkpoint.save_model(tmp_path / "there", {"w": torch.ones(3)}, {})
    for name in ("model.safetensors", "model.json"):
        (tmp_path / "here" / name).symlink_to(tmp_path / "there" / name)
    assert checkpoint.load_weights(tmp_path / "here")["w"].tolist() == [1, 1, 1]
    (tmp_path / "here" / "model.safetensors").unlink()
    (tmp_path / "here" / "model.safetensors").symlink_to("/etc/hostname")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        checkpoint.load_weights(tmp_path / "here")


YAMLS = (
    "title: !!python/object/apply:os.system ['touch {canary}']",
    "title: !!python/object/new:os.system ['touch {canary}']",
    "!!python/object/apply:subprocess.call [['touch', '{canary}']]",
    "student: !!python/name:os.system",
    "title: !!python/module:os",
)


@pytest.mark.parametrize("text", YAMLS)
def test_yaml_cannot_run_code(tmp_path, text):
    canary, path = tmp_path / "canary", tmp_path / "evil.yaml"
    path.write_text(text.format(canary=canary))
    with pytest.raises(ConfigError, match="is not valid YAML"):
        load_profile(str(path))
    assert not canary.exists()


def test_a_yaml_bomb_is_a_short_sentence(tmp_path):
    """Nine lines that would print as a billion entries."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "bomb.yaml").write_text("\n".join([*lines, "title: *a8", "seed: *a8"]))
    with pytest.raises(ConfigError) as caught:
        load_profile(str(tmp_path / "bomb.yaml"))
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    "setting",
    [
        "seed=0; import os; os.system('touch {canary}')",
        'seed=__import__("os").system("touch {canary}")',
        "title=$(touch {canary})",
        "model.backbone=`touch {canary}`",
        "data.root=/none; touch {canary}",
    ],
)
def test_parameters_are_values_never_code(tmp_path, monkeypatch, capsys, setting):
    canary = tmp_path / "canary"
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    setting = setting.format(canary=canary)
    more = ["--set", "data.dataset=ucf101", "--set", f"data.root={tmp_path / 'none'}"]
    assert main(["data", "info", *more, "--set", setting]) == 2
    assert not canary.exists()
    assert capsys.readouterr().err.startswith("tblib: ")


@pytest.mark.parametrize("name", ["../../outside", "/etc", "a/b", ".hidden", "", "x" * 200])
def test_the_name_of_a_profile_cannot_lead_out_of_the_folder_of_runs(name):
    with pytest.raises(ConfigError, match="name"):
        load_profile("smoke", {"name": name})
    assert runs_home() in (runs_home() / load_profile("smoke").name).parents


@pytest.mark.parametrize("name", ["..", "../up", "/etc"])
def test_a_class_list_cannot_lead_out_of_the_data_set(tmp_path, name):
    (tmp_path / "classInd.txt").write_text(f"1 Walk\n2 {name}\n")
    with pytest.raises(DataError, match="line 2"):
        lists.read_classes(tmp_path / "classInd.txt")


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile other.avi\n",
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nother.avi\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    ],
    ids=["concat", "playlist", "session"],
)
def test_a_text_that_names_other_files_is_not_a_video(tmp_path, text):
    """FFmpeg by itself would open what it names."""
    write_video(tmp_path / "other.avi", moving_frames(8))
    (tmp_path / "a.avi").write_text(text)
    with pytest.raises(DecodeError) as caught:
        container.inspect(tmp_path / "a.avi")
    assert caught.value.reason == "not_video"


def test_a_cache_file_of_python_objects_is_not_believed(tmp_path, capsys):
    canary, place = tmp_path / "canary", tmp_path / "a.npy"
    np.save(place, np.array([Payload(canary)], dtype=object), allow_pickle=True)
    place.with_suffix(".sha256").write_text(checkpoint.sha256(place))
    assert cache._intact_shape(place, 20, "raw") is None
    assert not canary.exists() and "is damaged" in capsys.readouterr().out


def test_a_manifest_cannot_name_a_file_outside_the_cache(tmp_path):
    row = dict.fromkeys(manifest.COLUMNS, "1") | {"video": "a", "sha256": "../../../etc/passwd"}
    manifest.write(tmp_path / "m.csv", [row])
    assert manifest.read(tmp_path / "m.csv") == {}


FORBIDDEN_CALLS = {
    *(
        "eval",
        "exec",
        "compile",
        "__import__",
        "os.system",
        "os.popen",
        "yaml.load",
        "marshal.loads",
    ),
    *("yaml.unsafe_load", "yaml.full_load", "pickle.load", "pickle.loads", "joblib.load"),
    *("torch.serialization.add_safe_globals", "add_safe_globals", "pd.read_pickle", "shelve.open"),
    *("warnings.filterwarnings", "warnings.simplefilter", "warnings.catch_warnings"),
    *("logging.disable", "logging.captureWarnings", "contextlib.redirect_stderr"),
}
FORBIDDEN_ARGUMENTS = {
    ("weights_only", False),
    ("shell", True),
    ("allow_pickle", True),
    ("stderr", "subprocess.DEVNULL"),
}


def calls(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            values = {
                (
                    k.arg,
                    k.value.value if isinstance(k.value, ast.Constant) else ast.unparse(k.value),
                )
                for k in node.keywords
            }
            yield ast.unparse(node.func), values, node.lineno


def test_the_code_has_no_door_for_code_and_hides_no_warning():
    """Read from the syntax tree, so that neither a line break nor a comment can deceive."""
    found = []
    for folder in ("tblib", "book", "workflow"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for name, arguments, line in calls(path):
                bad = name in FORBIDDEN_CALLS or arguments & FORBIDDEN_ARGUMENTS
                unsafe = name == "torch.load" and ("weights_only", True) not in arguments
                if bad or unsafe:
                    found.append(f"{path.relative_to(ROOT)}:{line} {name}")
    assert found == []


def test_the_gate_itself_notices_what_it_forbids(tmp_path):
    lines = "import os\nos.\\\n  system(x)\nf(weights_only = False)\ng(stderr=subprocess.DEVNULL)\n"
    (tmp_path / "a.py").write_text(lines)
    found = list(calls(tmp_path / "a.py"))
    assert found[0][0] in FORBIDDEN_CALLS
    assert found[1][1] & FORBIDDEN_ARGUMENTS and found[2][1] & FORBIDDEN_ARGUMENTS


def test_a_json_note_is_data(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"sha256": {"$ref": "file:///etc/passwd"}}))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(UserError, match="SHA-256 differs"):
        checkpoint.model_card(tmp_path)

"""Names and copies as people have them, in whole commands: a sentence, and nothing touched."""

import pytest
from helpers import tree_digests

import tblib
from tblib.__main__ import main
from tblib.errors import DataError
from tblib.run import request
from tblib.settings.profiles import load_profile


def test_no_run_writes_into_a_folder_it_did_not_lock(tmp_path, monkeypatch, capsys):
    """A tool that took `#` for a comment sent the chapter to `run`, whose results it deleted."""
    for name in ("run", "run #2"):
        (tmp_path / name).mkdir()
    (tmp_path / "run" / "metrics.json").write_text("the work of weeks")
    asked = request.leave(tmp_path / "run #2", "smoke", load_profile("smoke"))
    before = tree_digests(tmp_path)
    monkeypatch.chdir(tmp_path / "run")
    assert main(["run", "1", "--request", str(asked)]) == 2
    said = capsys.readouterr().err
    assert "run #2, but this process works in" in said and len(said.splitlines()) == 1
    assert tree_digests(tmp_path) == before


@pytest.mark.parametrize("where", ["test/walk/x.mp4", "train/jump/x.mp4"])
def test_a_leak_by_content_stops_every_command_before_any_work(
    tmp_path, monkeypatch, capsys, where
):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    root = tmp_path / "videos"
    for part in ("train", "test"):
        for name in ("walk", "jump"):
            for n in range(3):
                path = root / part / name / f"{n}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(str(path))
    (root / where).write_bytes((root / "train" / "walk" / "0.mp4").read_bytes())
    settings = {"data.dataset": "folder", "data.root": str(root), "data.classes": None}
    line = [f"--set={name}={'null' if v is None else v}" for name, v in settings.items()]
    for command in (["data", "info"], ["data", "build"], ["plan", "--tflops", "1"]):
        assert main([*command, *line]) == 2
        said = capsys.readouterr().err
        assert "are the same video, byte for byte" in said and len(said.splitlines()) == 1
        assert where in said and "train/walk/0.mp4" in said
    with pytest.raises(DataError, match="byte for byte"):
        tblib.start({"run_dir": str(tmp_path / "run"), "overrides": settings}, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["videos"]

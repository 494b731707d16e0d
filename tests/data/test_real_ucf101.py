"""All chapters on real UCF101 files, as a user runs them; skipped where the files are absent."""

import json

import pytest
from smoke import reproduce

from tblib.lesson.chapters import chapters


@pytest.mark.slow
def test_the_smoke_pipeline_runs_on_real_videos(ucf_root, tmp_path, monkeypatch):
    monkeypatch.setenv("UCF101_ROOT", str(ucf_root))
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    done = reproduce(tmp_path / "run", profile="ucf101-smoke")
    assert done.returncode == 0, done.stdout
    metrics = {
        path.stem: json.loads(path.read_text())
        for path in (tmp_path / "run/metrics").glob("*.json")
    }
    assert sorted(metrics) == sorted(chapters())
    # Official split 1 of these classes: 77 + 72 + 72 training and 28 + 28 + 30 test videos.
    assert metrics["01"]["videos"] == 307
    assert dict(metrics["01"]["table"]["rows"])["test"] == 86
    assert set(metrics["07"]["accuracy"]) >= {"reweighted", "average", "shuffled"}
    assert not list((tmp_path / "run/ckpt").rglob("state_*")), "training states are tidied away"

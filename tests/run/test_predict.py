"""A finished model asked about a file answers what testing answered about the same video."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import tiny_profile
from realvideo import moving_frames, write_video

import tblib
from tblib.__main__ import main
from tblib.data import exact
from tblib.engine import checkpoint
from tblib.errors import ConfigError, MissingStage
from tblib.methods import registry, reweight
from tblib.methods.job import Job
from tblib.models import Classifier, backbone
from tblib.run import models, predict, travel
from tblib.run.directory import open_run
from tblib.run.features import features

NAMES = ("student_reweighted", "teacher_invariant", "teacher_distinctive")


@pytest.fixture(scope="module", params=["raw", "jpeg"])
def run(request, tmp_path_factory, tiny_root):
    """A run whose models were never trained; what they say differs all the same."""
    tmp_path = tmp_path_factory.mktemp("predict")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TB_DATA", str(tmp_path / "data"))
        patch.setenv("TB_RUNS", str(tmp_path))
        config = tiny_profile(
            data__dataset="ucf101", data__root=str(tiny_root), data__cache_format=request.param,
            evaluate__clips=3, similarity__clips=3,
        )  # fmt: skip
        open_run(config, tmp_path / "mine", 1).save_metrics({})
        run = open_run(config, tmp_path / "mine", 2)
        torch.manual_seed(3)
        for name in NAMES:
            job, model = Job(name, "supervised", 1, 0), Classifier(backbone("tiny_r3d"), 2)
            told = travel.about(run, job, name)
            checkpoint.save_model(run.folder(name), model.state_dict(), {}, told)
        encoder = registry.fresh("distinctive", config).learner
        checkpoint.save_model(run.folder("ssl_distinctive"), encoder.state_dict(), {})
        everyone = np.arange(len(run.videos.table))
        raw = reweight.raw_similarity(features(run, "ssl_distinctive", everyone, 3))
        exact.save(run.dir / "similarity.csv", pd.DataFrame({"raw": raw.numpy()}))
        yield run


def test_the_answer_is_that_of_the_run_for_student_teachers_and_score(run):
    rows = run.pool.rows("test")
    found = tblib.predict(run.folder("student_reweighted"), run.videos.table.path[rows])
    assert [list(seen.p) for seen in found.seen] == [list(NAMES)] * len(rows)
    for name in NAMES:
        mine = torch.stack([seen.video[name] for seen in found.seen])
        torch.testing.assert_close(mine, models.predict(run, name, rows), atol=1e-5, rtol=0)
    raw = models.scores(run, "raw")
    s = reweight.fit_map(raw[run.pool.rows("train")], "rank")(raw[rows])
    assert [seen.s for seen in found.seen] == pytest.approx(s.tolist(), abs=1e-6)
    assert found.notes == () and found.refused == ()


def test_a_file_alone_answers_the_same_without_its_run(run, tmp_path):
    film, alone = run.videos.table.path[0], tmp_path / "mine.safetensors"
    shutil.copy(run.folder("student_reweighted") / "model.safetensors", alone)
    inside = tblib.predict("mine:student_reweighted", film)
    outside = tblib.predict(alone, film, clips=3)
    (a,), (b,) = inside.seen, outside.seen
    assert torch.equal(a.p["student_reweighted"], b.p["mine.safetensors"])
    assert b.s is None and len(b.p) == 1
    assert len(tblib.predict(alone, film).seen[0].starts) == 10, "the paper's number"


def test_what_is_missing_in_a_run_is_said(run):
    path = run.dir / "similarity.csv"
    path.rename(run.dir / "kept")
    teacher = run.folder("teacher_invariant").rename(run.dir / "away")
    try:
        found = tblib.predict("mine:student_reweighted", run.videos.table.path[0])
    finally:
        (run.dir / "kept").rename(path)
        teacher.rename(run.folder("teacher_invariant"))
    assert list(found.seen[0].p) == ["student_reweighted", "teacher_distinctive"]
    assert "teacher_invariant; chapter 4 trains them" in found.notes[0]
    assert "s(v) is left out: " in found.notes[1] and "run chapter 5" in found.notes[1]
    assert f"note: {found.notes[0]}" in repr(found)


def test_a_model_of_earlier_code_is_understood_through_its_run(run):
    net = Classifier(backbone("tiny_r3d"), 2)
    job = {"name": "old", "method": "supervised", "steps": 1, "seed": 0}
    checkpoint.save_model(run.folder("old"), net.state_dict(), {"job": job, "digest": "x"})
    try:
        seen = tblib.predict("mine:old", run.videos.table.path[0]).seen[0]
        torch.testing.assert_close(
            seen.video["old"][None], models.predict(run, "old", np.array([0])), atol=1e-5, rtol=0
        )
    finally:
        shutil.rmtree(run.folder("old"))


def test_from_the_command_line_to_table_json_and_figures(run, tmp_path, capsys):
    """A film of another size and length, in a folder, beside a file that is no film."""
    write_video(tmp_path / "in" / "a.mp4", moving_frames(60, 96, 80, seed=5))
    write_video(tmp_path / "in" / "b.avi", moving_frames(30, 40, 90, seed=6))
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    (tmp_path / "empty").mkdir()
    places = [str(tmp_path / name) for name in ("broken.mp4", "empty", "in")]
    csv, js, png = (tmp_path / f"out.{end}" for end in ("csv", "json", "png"))
    written = ["--csv", str(csv), "--json", str(js), "--figure", str(png)]
    assert main(["predict", "mine:student_reweighted", *places, *written]) == 1
    out, err = capsys.readouterr()
    assert "predict: " not in out, "standard output is the answer alone"
    assert "a.mp4: 60 frames, 2.4 s, s(v) = " in out
    assert out.count("teacher_invariant") == 2 and "over time: from 0.0 s " in out
    assert err.count("tblib: ") == 2 and "[not_video]" in err and "no video (.avi" in err
    table = pd.read_csv(csv)
    assert len(table) == 2 * 3 * (1 + 3)
    whole = table[table["clip"] == "all"].set_index(["video", "model"])
    parts = table[table["clip"] != "all"].groupby(["video", "model"])[["p(Walk)", "p(Jump)"]].mean()
    assert np.allclose(whole.loc[parts.index, ["p(Walk)", "p(Jump)"]], parts, atol=1e-6)
    first = table[table.model == NAMES[0]].iloc[1:4]
    assert first["first"].tolist() == [0, 22, 44] and first["last"].tolist() == [15, 37, 59]
    assert first.seconds.tolist() == pytest.approx([0, 0.88, 1.76])
    said = json.loads(js.read_text())
    assert said["model"]["classes"] == ["Walk", "Jump"] and len(said["refused"]) == 2
    assert np.array(said["videos"][0]["models"][NAMES[0]]["clips"]).shape == (3, 2)
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["out-1.png", "out-2.png"]


def test_mistakes_are_sentences(run, tmp_path):
    with pytest.raises(ConfigError, match="clips = 0 must be"):
        tblib.predict("mine:student_reweighted", [], clips=0)
    with pytest.raises(MissingStage, match="nowhere is not a run directory"):
        tblib.predict("nowhere:student", tmp_path)
    (tmp_path / "config.json").write_text('{"name": "x", "data": {"colour": 1}}')
    with pytest.raises(ConfigError, match="begun by other code"):
        predict.find(f"{tmp_path}:student")

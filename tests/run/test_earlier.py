"""One changed setting: chapters that do not use it are taken over, the others named at once."""

import ast

import pytest
import torch

import tblib
from tblib.engine import checkpoint
from tblib.errors import MissingStage
from tblib.files import read_json, write_json
from tblib.lesson.chapters import chapters
from tblib.lesson.execute import read
from tblib.run import earlier
from tblib.settings.config import Profile


def parameters(**overrides):
    said = {name.replace("__", "."): value for name, value in overrides.items()}
    return {"profile": "smoke", "run_dir": "", "seed": 0, "overrides": said}


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """The plain run of a profile, chapters 1 to 6, with scores and one model of chapter 2."""
    monkeypatch.setenv("TB_RUNS", str(tmp_path))
    monkeypatch.setattr(earlier, "digest", lambda run, job: f"lr {run.config.pretrain.lr}")
    for chapter in range(1, 7):
        run = tblib.start(parameters(), chapter)
        run.save_metrics({"chapter": chapter})
    (run.dir / "similarity.csv").write_text("reweighted\n0.5\n")
    job = {"name": "ssl_joint", "method": "joint", "steps": 2, "seed": 0, "teachers": []}
    card = {"digest": earlier.digest(run, None), "job": job}
    checkpoint.save_model(run.folder("ssl_joint"), {"w": torch.ones(2)}, card)
    return run


def models(run):
    return [path.parent.name for path in sorted(run.dir.glob("ckpt/*/model.json"))]


def test_a_setting_of_chapter_2_leaves_chapter_1_as_it_is(plain, capsys):
    run = tblib.start(parameters(pretrain__lr=1e-3), chapter=2)
    assert run.dir != plain.dir and run.metrics(1) == {"chapter": 1}
    assert capsys.readouterr().out == (
        "chapters taken over from smoke, where they are the same: 1 "
        f"(pretrain.lr: {plain.config.pretrain.lr} there, 0.001 here)\n"
    )
    assert read_json(run.dir / "cards" / "01.json")["taken_from"] == "smoke"
    assert models(run) == [] and not (run.dir / "similarity.csv").exists()
    with pytest.raises(MissingStage, match="no results of chapter 2"):
        run.metrics(2)


def test_a_setting_of_the_student_leaves_everything_before_it(plain):
    run = tblib.start(parameters(student__lr=1e-4), chapter=6)
    assert [run.metrics(k)["chapter"] for k in range(1, 6)] == [1, 2, 3, 4, 5]
    assert models(run) == ["ssl_joint"] and run.has_model("ssl_joint")
    assert (run.dir / "similarity.csv").is_file()
    assert not (run.dir / "cards" / "06.json").exists()


def test_what_has_to_be_run_again_is_said_with_the_command(plain, tmp_path):
    with pytest.raises(MissingStage) as caught:
        tblib.start(parameters(pretrain__lr=1e-3), chapter=5)
    said = str(caught.value)
    assert "needs chapters 2 4 with these settings, and smoke has others" in said
    assert f"(pretrain.lr: {plain.config.pretrain.lr} there, 0.001 here)" in said
    command = "python -m tblib run 2 4 --profile smoke --seed 0 --set pretrain.lr=0.001`"
    assert command in said
    assert [path.name for path in tmp_path.iterdir()] == ["smoke"], "nothing was begun"


def test_results_that_are_out_of_date_are_not_taken_over(plain):
    card = plain.dir / "cards" / "01.json"
    write_json(card, read_json(card) | {"config": "another"})
    with pytest.raises(MissingStage, match="needs chapters 1 with"):
        tblib.start(parameters(pretrain__lr=1e-3), chapter=2)


@pytest.mark.parametrize("text", ["{", '{"name": "smoke", "gone": 1}'])
def test_a_run_that_cannot_be_read_is_none_to_take_from(plain, text):
    (plain.dir / "config.json").write_text(text)
    with pytest.raises(MissingStage, match="not a run directory yet; run chapter 1"):
        tblib.start(parameters(student__lr=1e-4), chapter=6)


@pytest.mark.parametrize("lost", ["metrics/05.json", "similarity.csv"])
def test_a_chapter_whose_files_are_not_whole_is_not_taken_over(plain, lost):
    (plain.dir / lost).unlink()
    with pytest.raises(
        MissingStage, match="chapters 5 with.*smoke has not all of them as they are"
    ):
        tblib.start(parameters(student__lr=1e-4), chapter=6)


def test_another_seed_is_another_run(plain):
    with pytest.raises(MissingStage, match="needs chapters 1 with.*seed: 0 there, 4 here"):
        tblib.start(parameters() | {"seed": 4}, chapter=2)


def settings_read(chapter):
    """`c.student.steps` and `run.config.student.steps` in a chapter's cells: `student.steps`."""
    found = set()
    for cell in read(chapters()[f"{chapter:02d}"]).cells:
        for node in ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ():
            said = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            for start in ("c.", "run.config."):
                if said.startswith(start):
                    found.add(said.removeprefix(start))
    return {name for name in found if name.split(".")[0] in Profile.model_fields}


@pytest.mark.parametrize("chapter", earlier.USES)
def test_every_setting_that_a_chapter_reads_is_among_those_it_is_said_to_use(chapter):
    used = [name for k in (*earlier.chain(chapter), chapter) for name in earlier.USES[k]]
    # `o = c.student` hands on a section; what is read of it is found by its longer name elsewhere.
    sections = {name for name in settings_read(chapter) if "." in name or name == "seed"}
    assert sections or chapter == 7
    missing = [n for n in sections if not any(f"{n}.".startswith(f"{u}.") for u in used)]
    assert missing == []

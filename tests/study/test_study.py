"""Studies: the grid asks for what exists, runs, survives a kill, and records what was measured."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
import yaml

from tblib.__main__ import main
from tblib.data import stickactions
from tblib.engine import checkpoint
from tblib.errors import ConfigError, DataError, MissingStage
from tblib.files import read_json, write_json
from tblib.methods import registry
from tblib.methods.job import Job
from tblib.methods.reweight import mix
from tblib.run import reuse
from tblib.run.jobs import train_job
from tblib.run.models import student_job
from tblib.settings.profiles import load_profile
from tblib.study import conduct, graph, grid, marks, reading, scoring, work
from tblib.study.record import RESULTS, record, settings

GROUPS = ("controls", "combinations", "initialisations", "definitions", "distillation", "systems")
TINY = {
    "title": "tiny: a study of seconds",
    "data": {
        "cache_px": 24,
        "crop_px": 16,
        "label_fraction": 0.5,
        "classes": ["PlayingPiano", "PommelHorse", "LieDown", "GetUp"],
    },
    "sticks": {
        **{"px": 64, "train_groups": 4, "test_groups": 2, "clips_per_group": 2},
        **{"frames_min": 66, "frames_max": 68},
    },
    "pretrain": {"batch": 2, "steps_invariant": 2, "steps_distinctive": 2, "steps_joint": 2},
    "finetune": {"batch": 4, "steps": 4},
    "student": {"batch_labelled": 2, "batch_unlabelled": 2, "steps": 4},
    "evaluate": {"clips": 2},
    "study": {"seeds": [0, 1], "fractions": [0.5], "sweep": [0.25], "groups": ["controls"]},
    "runtime": {"jobs": 2},
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Where the first test that needs the videos of TINY has them drawn, three seconds' work."""
    return tmp_path_factory.mktemp("videos")


@pytest.fixture
def profile(videos, tmp_path, monkeypatch):
    """A profile file of a study that takes half a minute, with results of its own."""
    monkeypatch.setenv("TB_DATA", str(videos))
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


@pytest.mark.parametrize(
    "name", ["laptop-study", "orders-study", "one-actor-study", "gym-study", "ucf101-study"]
)
def test_every_system_gets_the_same_steps_and_clips(name):
    c = load_profile(name)
    assert c.student.batch_labelled + c.student.batch_unlabelled == c.finetune.batch
    cells = [cell for group in ("bound", "main", *GROUPS) for cell in grid.cells(c, group)]
    teachers = {cell.job.steps for cell in cells if cell.name.startswith("teacher")}
    compared = {cell.job.steps for cell in cells if not cell.name.startswith("teacher")}
    pretrained = {job.name: job.steps for group in ("main", *GROUPS)
                  for job in grid.pretrainings(c, group)}  # fmt: skip
    if name == "gym-study":  # the start all students share is as long as both teachers' together
        assert pretrained.pop("ssl_joint") == 2 * pretrained["ssl_invariant"]
    assert len(teachers | compared) == len(set(pretrained.values())) == 1
    own = [cell for cell in cells if cell.name.rpartition("_")[0] not in grid.systems()]
    assert {registry.clips_per_step(c, cell.job.method) for cell in own} == {c.finetune.batch}


def test_the_study_of_systems_has_all_of_them_from_both_starts_and_the_settings_of_the_chapters():
    c, chapters = load_profile("systems-study"), load_profile("laptop")
    jobs = {cell.name: cell.job for cell in grid.cells(c, "systems")}
    assert {job.method for job in jobs.values()} == set(registry.semi.METHODS) - {"supervised"}
    for name in grid.systems():
        starts = [jobs[f"{name}_random"].init, jobs[f"{name}_ssl"].init]
        assert starts == ["", "ssl_joint"] and jobs[f"{name}_ssl"].steps == c.student.steps
    for section in ("data", "sticks", "model", "pretrain", "finetune", "similarity", "student"):
        assert getattr(c, section) == getattr(chapters, section)
    chosen = load_profile("systems-study", {"study.constants": {"fixmatch": {"tau": 0.7}}})
    (job,) = [e.job for e in grid.cells(chosen, "systems") if e.name == "fixmatch_ssl"]
    assert job.options == (("tau", 0.7),)


@pytest.mark.parametrize("name", ["laptop", "ucf101"])
def test_a_study_repeats_the_settings_of_the_chapters(name):
    study, chapters = load_profile(f"{name}-study"), load_profile(f"{name}-laptop".replace(
        "laptop-laptop", "laptop"))  # fmt: skip
    for section in ("data", "sticks", "model", "pretrain", "finetune", "similarity", "student"):
        assert getattr(study, section) == getattr(chapters, section)


def test_the_study_of_orders_differs_in_its_classes_and_in_the_span_of_a_clip_only():
    orders, stories = load_profile("orders-study"), load_profile("laptop-study")
    assert len(orders.data.classes) == 20
    assert {stickactions.FAMILY[name] for name in orders.data.classes[:10]} == {"persistent"}
    assert set(orders.data.classes[10:]) == set(stickactions.FAMILY) - set(stickactions.CLASSES)
    same = {"data": {"classes": None}, "finetune": {"clip": stories.finetune.clip}}
    for section in ("data", "sticks", "model", "pretrain", "finetune", "similarity", "student"):
        found = getattr(orders, section).model_copy(update=same.get(section, {}))
        assert found == getattr(stories, section)


def test_the_study_of_one_actor_is_that_of_orders_with_one_actor_milder_colours_and_fewer_labels():
    one, orders = load_profile("one-actor-study"), load_profile("orders-study")
    assert one.sticks.one_actor and one.pretrain.jitter < orders.pretrain.jitter
    same = {
        "sticks": {"one_actor": False},
        "pretrain": {"jitter": orders.pretrain.jitter},
        "study": {"fractions": orders.study.fractions},
    }
    assert one.study.fractions == (0.1, 0.05)
    for section in type(one).model_fields:
        if section not in ("name", "title"):
            found = getattr(one, section)
            found = found.model_copy(update=same[section]) if section in same else found
            assert found == getattr(orders, section)


def test_the_study_of_one_gym_is_that_of_one_actor_with_one_gym_and_a_longer_joint_pretraining():
    gym, one = load_profile("gym-study"), load_profile("one-actor-study")
    pre = gym.pretrain
    assert gym.sticks.one_gym
    assert pre.steps_joint == pre.steps_invariant + pre.steps_distinctive
    same = {"sticks": {"one_gym": False}, "pretrain": {"steps_joint": one.pretrain.steps_joint},
            "study": {"groups": one.study.groups}}  # fmt: skip
    for section in type(gym).model_fields:
        if section not in ("name", "title"):
            found = getattr(gym, section)
            found = found.model_copy(update=same[section]) if section in same else found
            assert found == getattr(one, section)


def test_cells_have_names_of_their_own_and_jobs_too():
    c = load_profile("laptop-study")
    cells = [cell for group in ("bound", "main", *GROUPS) for cell in grid.cells(c, group)]
    assert len({cell.name for cell in cells}) == len(cells)
    assert len({cell.job.name for cell in cells}) == len(cells)


@pytest.mark.slow
def test_tasks_need_only_tasks_and_form_no_circle(profile, tmp_path):
    c = load_profile(str(profile), {"study.groups": list(GROUPS)})
    units = {unit: conduct.prepare(c, tmp_path / "run", *unit) for unit in conduct.every_unit(c)}
    waiting, ready = graph.plan(c, units), set()
    assert len(waiting) > 90
    while waiting:
        free = [task for task in waiting if ready.issuperset(task.needs)]
        assert free, f"never ready: {[(t.name, t.needs) for t in waiting[:3]]}"
        ready |= {task.name for task in free}
        waiting = [task for task in waiting if task.name not in ready]


def test_a_sweep_may_take_the_first_seeds_only(profile):
    c = load_profile(str(profile), {"study.sweep_seeds": 1})
    assert conduct.every_unit(c) == [(0, 0.5), (1, 0.5), (0, 0.25)]


@pytest.mark.slow
def test_teachers_that_remember_make_the_same_student(profile, tmp_path):
    """A study's teachers share their answers between students; a chapter's do not."""
    c = load_profile(str(profile))
    run = conduct.prepare(c, tmp_path / "run", 0, 0.5)
    tasks = graph.plan(c, {(0, 0.5): run})
    wanted = ("scores", "similarity", "ssl_", "teacher_", "student_average", "student_reweighted")
    for task in tasks:
        if any(name in task.name for name in wanted):
            task.call(*task.arguments)
    assert (run.folder("teacher_invariant") / "answers.safetensors").is_file()
    shared = checkpoint.load_weights(run.folder("student_reweighted"))
    train_job(run.config, run.dir, 2, student_job(run.config, "reweighted"))
    alone = checkpoint.load_weights(run.folder("student_reweighted"))
    assert all(torch.equal(shared[name], alone[name]) for name in alone)


@pytest.mark.parametrize("val_groups, pool", [(0, "unlabelled"), (1, "val")])
def test_the_constant_is_chosen_once_and_never_on_test_videos(
    profile, tmp_path, monkeypatch, val_groups, pool
):
    run = conduct.prepare(
        load_profile(str(profile), {"data.val_groups": val_groups}), tmp_path / "run", 0, 0.5
    )
    asked = []

    def predict(run, name, rows):
        """The invariant teacher is always right and sure, the other always wrong and sure."""
        asked.append(rows.tolist())
        shift = name != "teacher_invariant"
        return torch.eye(4)[(torch.tensor(run.pool.labels[rows]) + shift) % 4]

    monkeypatch.setattr(scoring, "predict", predict)
    monkeypatch.setattr(marks, "identity", lambda run, name: f"weights of {name}")
    assert scoring.constant(run) == 0.6, "the nearest to one half that hears the right one"
    assert asked == [run.pool.rows(pool).tolist()] * 2
    assert scoring.constant(run) == 0.6 and len(asked) == 2
    monkeypatch.setattr(marks, "identity", lambda run, name: f"other weights of {name}")
    assert scoring.constant(run) == 0.6 and len(asked) == 4


def test_a_single_seed_has_no_second_invariant_teacher():
    alone = load_profile("laptop-study", {"study.seeds": [3]})
    several = load_profile("laptop-study")
    names = [{cell.name for cell in grid.cells(c, "combinations")} for c in (alone, several)]
    assert names[1] - names[0] == {"teacher_invariant_b", "student_inv_inv_b"}


def test_links_follow_the_list_of_seeds_and_a_moved_folder(profile, tmp_path):
    def partner(config, folder):
        conduct.prepare(config, folder, 1, 0.5)
        return (folder / "seed1" / "f50" / "ckpt" / "ssl_invariant_b").resolve()

    run, moved = tmp_path / "run", tmp_path / "moved"
    c, more = (load_profile(str(profile), {"study.seeds": s}) for s in ([0, 1], [0, 1, 2]))
    assert partner(c, run) == run / "seed0" / "f50" / "ckpt" / "ssl_invariant"
    assert partner(more, run) == run / "seed2" / "f50" / "ckpt" / "ssl_invariant"
    run.rename(moved)
    link = moved / "seed1" / "f50" / "ckpt" / "ssl_invariant_b"
    assert link.resolve() == moved / "seed2" / "f50" / "ckpt" / "ssl_invariant"


def test_another_first_share_of_labels_is_refused_where_models_are_in_the_way(profile, tmp_path):
    c = load_profile(str(profile), {"study.fractions": [0.5, 0.25], "study.sweep": []})
    for fraction in c.study.fractions:
        run = conduct.prepare(c, tmp_path / "run", 0, fraction)
    owner = tmp_path / "run" / "seed0" / "f50" / "ckpt" / "ssl_joint"
    owner.mkdir()
    assert run.folder("ssl_joint").resolve() == owner
    swapped = load_profile(str(profile), {"study.fractions": [0.25, 0.5], "study.sweep": []})
    with pytest.raises(ConfigError, match="another share of labels came first"):
        conduct.prepare(swapped, tmp_path / "run", 0, 0.5)


def test_what_was_made_from_a_model_that_is_gone_is_not_recorded(profile, tmp_path):
    c = load_profile(str(profile))
    run = conduct.prepare(c, tmp_path / "run", 0, 0.5)
    cell = next(cell for cell in grid.cells(run.config, "main") if cell.name == "scratch")
    work.train(run.config, run.dir, cell.name, cell.job)
    write_json(run.dir / "study" / "ssl.json", {"digest": "of a start that is gone", "right": "1"})
    kept = read_json(record(c, tmp_path / "run", tmp_path))["units"][0]
    assert list(kept["cells"]) == ["scratch"]


def test_clip_order_is_asked_its_own_question_on_test_videos(profile, tmp_path):
    c = load_profile(str(profile))
    run = conduct.prepare(c, tmp_path / "run", 0, 0.5)
    job = next(j for j in grid.pretrainings(run.config, "initialisations") if "order" in j.name)
    work.train(run.config, run.dir, job.name, job)
    found = read_json(run.dir / "study" / "ssl_clip_order.json")
    shown = found["order"] / 100 * 6 * 16  # six orders of 16 videos
    assert 0 <= shown <= 96 and shown == pytest.approx(round(shown), abs=1e-3)


def test_a_record_names_no_folder_of_this_machine(tmp_path):
    c = load_profile("ucf101-study", {"data.root": str(tmp_path), "data.label_list": "/a/b/5.txt"})
    assert str(tmp_path) not in str(settings(c))
    assert settings(c)["data"]["label_list"] == "5.txt"


def test_a_profile_without_a_study_is_refused(tmp_path, capsys):
    with pytest.raises(ConfigError, match="has no section `study`; use laptop-study"):
        conduct.conduct(load_profile("smoke"), tmp_path)
    for more in ([], ["--collect"], ["--join", "a.json"]):
        line = ["study", "--profile", "smoke", "--run-dir", str(tmp_path / "run"), *more]
        assert main(line) != 0
        assert "'smoke' has no section `study`; use laptop-study" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_impossible_share_of_labels_is_found_before_anything_is_trained(profile, tmp_path):
    c = load_profile(str(profile))
    c = c.model_copy(update={"study": c.study.model_copy(update={"sweep": (0.05,)})})
    with pytest.raises(DataError, match="fraction of 0.05 is less than half a video per class"):
        conduct.conduct(c, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*/*/ckpt/*/model.json"))


def test_the_shares_of_the_stickactions_study_leave_a_video_in_every_class():
    c = load_profile("laptop-study")
    videos = c.sticks.train_groups * c.sticks.clips_per_group
    assert all(f * videos >= 0.5 for f in (*c.study.fractions, *c.study.sweep))


def test_nothing_finished_is_nothing_to_record(profile, tmp_path):
    with pytest.raises(MissingStage, match="holds no finished cell"):
        record(load_profile(str(profile)), tmp_path / "nothing", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_study_goes_on_and_ends_like_an_undisturbed_one(profile, tmp_path, capfd):
    c = load_profile(str(profile))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    line = [sys.executable, "-m", "tblib", "study", "--profile", str(profile)]
    first = subprocess.Popen(
        [*line, "--run-dir", str(killed)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TB_PROGRESS": "0"},
    )
    said = ""
    for text in first.stdout:
        said += text
        if text.startswith("[") and "supervised" in text:  # the first finished cell
            break
    assert said.startswith("plan of ") and said.index("in all") < said.index("[1/")
    assert "min left" in text
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    partial = read_json(record(c, killed, tmp_path / "partial"))
    conduct.conduct(c, killed)
    conduct.conduct(c, whole)
    resumed, undisturbed = (
        read_json(record(c, folder, tmp_path / folder.name)) for folder in (killed, whole)
    )
    count = [len(unit["cells"]) for unit in undisturbed["units"]]
    assert count == [13, 13, 6, 6]
    assert sum(len(unit["cells"]) for unit in partial["units"]) < sum(count)
    for a, b in zip(resumed["units"], undisturbed["units"], strict=True):
        assert _measured(a) == _measured(b)
    scores = whole / "seed0" / "f50" / "similarity.csv"
    scores.write_text(scores.read_text() + "\n")
    stale = read_json(record(c, whole, tmp_path / "stale"))
    assert stale["units"][0]["s"] == [], "a summary of other scores is left out"
    assert len(undisturbed["units"][0]["s"]) == 16
    _mixed_again(reading.Study(undisturbed), 0.5, 0)
    before = time.monotonic()
    capfd.readouterr()
    conduct.conduct(c, whole)
    assert time.monotonic() - before < 60, "finished tasks are skipped"
    assert "min left" not in capfd.readouterr().out, "nothing is trained, nothing to estimate from"
    study = reading.load("tiny", tmp_path / "whole")
    assert study.fractions == [0.25, 0.5]
    assert study.right("student_reweighted", 0.5).shape == (2, 16)
    assert study.unit(0.25, 0)["labelled"] == 8


def _mixed_again(study: reading.Study, fraction: float, seed: int) -> None:
    """Mix the teachers from the record alone and find what the run had measured."""
    p = [study.probabilities(f"teacher_{kind}", fraction)[seed] for kind in scoring.FEATURES]
    mixed = study.mixed(fraction).loc[seed]
    chosen = study.unit(fraction, seed)["constant"]
    for name, s in (("reweighted", study.s(fraction)[0]), ("average", 0.5), ("constant", chosen)):
        both = mix(*(torch.tensor(q) for q in p), torch.tensor(s).expand(len(study.label)))
        hits = both.argmax(1).numpy() == study.label
        assert 100 * hits.mean() == pytest.approx(mixed[name]), name


def _measured(unit: dict) -> dict:
    """What was measured in a unit, without times."""
    parts = {**unit["cells"], **unit["pretraining"]}
    kept = {name: {k: v for k, v in part.items() if k != "seconds"} for name, part in parts.items()}
    return kept | {key: unit[key] for key in ("s", "mixed", "similarity")}


def test_cells_of_other_code_or_settings_are_not_recorded(profile, tmp_path):
    c = load_profile(str(profile))
    run = conduct.prepare(c, tmp_path / "run", 0, 0.5)
    write_json(run.dir / "study" / "scratch.json", {"digest": "of earlier code", "right": "1"})
    (run.dir / "study" / ".ssl.123.part.json").write_text("{")  # as a kill while writing leaves it
    with pytest.raises(MissingStage, match="no finished cell"):
        record(c, tmp_path / "run", tmp_path)


@pytest.mark.parametrize("change", [{"evaluate.clips": 3}, {"finetune.lr": 0.5}])
def test_other_settings_of_the_test_make_the_measurement_stale_not_the_model(
    profile, tmp_path, monkeypatch, change
):
    """Ten clips or two: the model stays, what was measured is measured again, not recorded."""
    folder = tmp_path / "run"

    def scratch(config):
        run = conduct.prepare(config, folder, 0, 0.5)
        cell = next(cell for cell in grid.cells(run.config, "main") if cell.name == "scratch")
        trained = []
        with monkeypatch.context() as patch:
            patch.setattr(
                work, "train_job", lambda *a, **k: trained.append(a) or train_job(*a, **k)
            )
            work.train(run.config, run.dir, cell.name, cell.job)
        return trained, read_json(run.dir / "study" / "scratch.json")

    first = scratch(load_profile(str(profile)))[1]
    other = load_profile(str(profile), change)
    conduct.prepare(other, folder, 0, 0.5)
    with pytest.raises(MissingStage, match="no finished cell"):
        record(other, folder, tmp_path)
    trained, second = scratch(other)
    same_model = "evaluate.clips" in change
    assert (first["digest"] == second["digest"]) == same_model == (not trained)
    assert first["measured"] != second["measured"]
    assert len(read_json(record(other, folder, tmp_path))["units"]) == 1


def test_a_mark_of_a_measurement_depends_on_what_it_reads(profile, tmp_path, monkeypatch):
    for module in (reuse, marks):  # models that would take half a minute to train
        monkeypatch.setattr(module, "identity", lambda run, name: f"model {name}")

    def all_marks(**change):
        config = load_profile(str(profile), {k.replace("__", "."): v for k, v in change.items()})
        run = conduct.prepare(config, tmp_path / "run", 0, 0.5)
        (run.dir / "similarity.csv").write_text("reweighted\n")
        wanted = scoring.definitions(run.config)
        return {
            "test": marks.tested(run, "scratch"),
            "probe": marks.probed(run, "ssl_joint"),
            "raw": marks.compared(run, wanted),
            "scores": marks.scored(run, wanted),
            "summary": marks.summarised(run, wanted),
            "curve": reuse.watched(run),
        }

    before = all_marks()
    assert before == all_marks()
    for change, expected in [
        ({"evaluate__clips": 3}, {"test", "scores", "summary"}),  # the constant is tested, too
        ({"similarity__map": "minmax"}, {"scores", "summary"}),
        ({"similarity__clips": 5}, {"probe", "raw", "scores", "summary"}),
        ({"finetune__clip": {"frames": 4}}, {"test", "scores", "summary", "curve"}),
        ({"pretrain__clip": {"frames": 16}}, {"probe", "raw", "scores", "summary"}),
        ({"student__lr": 0.5, "finetune__lr": 0.5, "pretrain__lr": 0.5}, set()),
    ]:
        after = all_marks(**change)
        assert {name for name in before if before[name] != after[name]} == expected, change


def test_a_definition_of_the_profile_that_is_not_in_the_list_is_compared_too():
    c = load_profile("laptop-study", {"similarity.clips": 10, "similarity.features": "joint"})
    assert scoring.definitions(c)[0] == ("joint", "backbone", 10)
    default = scoring.definitions(load_profile("laptop-study"))
    assert sorted(default) == sorted(scoring.DEFINITIONS)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_recorded_cell_comes_out_again(tmp_path, monkeypatch):
    """Train the labelled-only network of one seed anew.

    On the recording CPU the videos classified right are the same; other CPUs round differently,
    and 320 steps of training turn that into up to three points (see the design log).
    """
    recorded = read_json(RESULTS / "laptop-study.json")
    unit = next(u for u in recorded["units"] if (u["seed"], u["fraction"]) == (0, 0.05))
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    c = load_profile("laptop-study")
    run = conduct.prepare(c, tmp_path / "run", 0, 0.05)
    cell = next(cell for cell in grid.cells(run.config, "main") if cell.name == "scratch")
    work.train(run.config, run.dir, cell.name, cell.job)
    again = read_json(run.dir / "study" / "scratch.json")["right"]
    top1 = [
        100 * right.count("1") / len(right) for right in (again, unit["cells"]["scratch"]["right"])
    ]
    assert top1[0] == pytest.approx(top1[1], abs=6)


def test_the_time_left_counts_what_others_do_meanwhile(monkeypatch, capsys):
    """Two at a time of four alike: two are done after their time, so as much again is left."""
    tasks = [conduct.Task(f"task {n}", print, (), cost=100.0) for n in range(4)]
    tasks.append(conduct.Task("probe", print, ()))

    def side_by_side(tasks, jobs, tell, killed):
        tell([(tasks[4], 1000.0), (tasks[0], 600.0)])
        tell([(tasks[1], 600.0)])

    monkeypatch.setattr(conduct.workers, "side_by_side", side_by_side)
    monkeypatch.setattr(conduct, "_to_train", lambda task: task.cost)
    conduct._execute(tasks, jobs=2)
    probe, first, second = capsys.readouterr().out.splitlines()
    assert "left" not in probe
    assert first.endswith("600 s; about 15 min left")
    assert second.endswith("600 s; about 10 min left")


def test_longer_clips_count_for_more():
    c = load_profile("ucf101-gpu-study")
    assert (registry.frames(c, "joint"), registry.frames(c, "timebalance")) == (16, 8)
    run = SimpleNamespace(config=c)
    long, short = (graph._cost(run, Job("x", method, 10, 0)) for method in ("joint", "supervised"))
    assert (long, short) == (2 * 10 * c.pretrain.clips_per_step, 10 * c.finetune.batch)

"""The plan of a run: counted, not guessed; and it makes nothing."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny_profile
from smoke import ROOT

from tblib.__main__ import main
from tblib.errors import DataError
from tblib.lesson.chapters import chapters
from tblib.methods.job import Job
from tblib.plan import cost, plan, stages
from tblib.plan.prices import Prices
from tblib.plan.videos import count_videos
from tblib.run.cards import RECORDED
from tblib.settings.config import Profile
from tblib.settings.profiles import load_profile, profile_names
from tblib.study.conduct import every_unit


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    """No real data, and folders of its own."""
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TB_RUNS", str(tmp_path / "runs"))
    for name in ("UCF101_ROOT", "HMDB51_ROOT", "KINETICS400_ROOT"):
        monkeypatch.delenv(name, raising=False)
    yield
    assert not (tmp_path / "data").exists() and not (tmp_path / "runs").exists()


def test_the_plan_knows_every_training_of_a_recorded_run():
    record = json.loads((ROOT / "results" / "stickactions-laptop.json").read_text())
    config = Profile.model_validate(record["config"])  # its settings, not those of today
    parts = stages.chapter_jobs(config)
    jobs = [job for number, part in parts.items() if number in RECORDED for job in part]
    assert {job.name: job.steps for job in jobs} == {
        training["name"]: training["steps"] for training in record["trainings"]
    }


@pytest.mark.parametrize(
    "backbone, frames, px, gflop, megabytes",
    [
        ("r3d_18", 16, 112, 86.3, 85),
        ("slow_r50", 8, 224, 83.5, 350),
        ("slow_r50", 8, 112, 22.0, 89),
    ],
)
def test_operations_and_memory_are_those_of_the_literature(backbone, frames, px, gflop, megabytes):
    """slow_r50 at 8×256×256 is published with 54.5 G multiply-adds; memory is at 16 bit."""
    config = load_profile("smoke", {"model.backbone": backbone, "model.precision": "bf16"})
    clip = cost.of_clip(config, frames, px, "cuda")
    assert clip.flop / 1e9 == pytest.approx(gflop, rel=0.01)
    assert clip.memory / 1e6 == pytest.approx(megabytes, rel=0.05)
    assert cost.of_clip(config.model_copy(update={"model": config.model.model_copy(
        update={"precision": "fp32"})}), frames, px, "cpu").memory == 2 * clip.memory  # fmt: skip


RECORD = json.loads((ROOT / "results" / "gpu" / "throughput-h100.json").read_text())
MEASURED = [  # network, pixels, batch, method, GB on an H100
    *(("r3d_18", 112, int(row["name"]), "joint", row["peak_gb"])
      for row in RECORD["pretraining by videos per step"]),
    *(("r3d_18", 112, int(row["name"]), "timebalance", row["peak_gb"])
      for row in RECORD["student by clips of each kind"]),
    ("slow_r50", 224, 16, "timebalance",
     RECORD["slow_r50 student, 16 and 16 clips of 224 px"][0]["peak_gb"]),
]  # fmt: skip


@pytest.mark.parametrize("net, px, batch, method, gigabytes", MEASURED)
def test_memory_is_about_what_a_gpu_took(net, px, batch, method, gigabytes):
    config = load_profile(
        "gpu",
        {
            "model": {"backbone": net, "precision": "bf16"},
            "data.crop_px": px,
            "data.cache_px": px,
            "pretrain.batch": batch,
            "student.batch_labelled": batch,
            "student.batch_unlabelled": batch,
        },
    )
    speed = cost.Speed(1e12, 1e-3, "stated")
    found = Prices(config, count_videos(config), speed, "cuda").memory(Job("a", method, 1, 0))
    assert found / 1e9 == pytest.approx(gigabytes, rel=0.03 if gigabytes > 10 else 0.2)


def prices(config, flops=1e12):
    return Prices(config, count_videos(config), cost.Speed(flops, 1e-3, "stated"), "cpu")


def test_time_follows_from_steps_clips_and_speed():
    config = tiny_profile(finetune__batch=8, student__batch_labelled=4, student__batch_unlabelled=4)
    slow, fast = prices(config, 1e9), prices(config, 2e9)
    teacher = Job("teacher_invariant", "supervised", 100, 0)
    student = Job("student_average", "timebalance", 100, 0)
    flop = slow.clip["other"].flop
    assert slow.seconds(teacher) == pytest.approx(800 * (3 * flop / 1e9 + 1e-3))
    assert fast.seconds(teacher) == pytest.approx(800 * (3 * flop / 2e9 + 1e-3))
    assert slow.seconds(student) == pytest.approx(800 * (5 * flop / 1e9 + 1e-3)), "two teachers"
    pretraining = Job("ssl_joint", "joint", 10, 0)
    assert slow.per_step(pretraining) == 10 * config.pretrain.batch
    assert slow.memory(pretraining) > slow.memory(teacher) > 4 * slow.weights


def test_loading_processes_work_beside_the_training():
    """Without them a clip costs loading and training; with them the slower of the two."""
    teacher = Job("teacher_invariant", "supervised", 100, 0)
    alone = prices(tiny_profile(finetune__batch=8))
    load, train = alone.clip_seconds("supervised")
    assert load > 3 * train, "the input limits this one"
    seconds = {
        n: prices(tiny_profile(finetune__batch=8, runtime__workers=n)).seconds(teacher)
        for n in (1, 2, 64)
    }
    assert alone.seconds(teacher) == pytest.approx(800 * (load + train))
    assert seconds[1] == pytest.approx(800 * load)
    assert seconds[2] == pytest.approx(400 * load)
    assert seconds[64] == pytest.approx(800 * train), "more processes than needed gain nothing"
    assert "none is set" in alone.input()
    several = prices(tiny_profile(runtime__workers=3))
    assert f"teachers {math.ceil(load / train)}, " in several.input()
    assert "3 are set" in several.input()


@pytest.mark.parametrize(
    "launcher, count",
    [
        ("", 1),
        ("torchrun --standalone --nproc-per-node=4", 4),
        ("torchrun --nnodes 2 --nproc_per_node 8 --rdzv-endpoint=host:29500", 16),
        ("torchrun --nnodes=1:3 --nproc-per-node=2", 2),
        ("torchrun", 1),
        ("torchrun --nproc-per-node=gpu", None),
        ("srun -n 4 python", None),
    ],
)
def test_processes_that_share_a_training_divide_its_time_and_memory(launcher, count):
    teacher = Job("teacher_invariant", "supervised", 100, 0)
    alone, shared = prices(tiny_profile()), prices(tiny_profile(runtime__launch=launcher))
    assert shared.processes == count
    assert shared.seconds(teacher) == pytest.approx(alone.seconds(teacher) / (count or 1))
    models = 4 * alone.weights  # every process holds the network
    activations = alone.memory(teacher) - models
    assert shared.memory(teacher) - models == pytest.approx(activations / (count or 1))
    said = shared.sharing()
    assert str(count) in said if count and count > 1 else "one" in said


def test_finished_trainings_cost_nothing(tmp_path):
    config = tiny_profile()
    folder = tmp_path / "run"
    chosen = list(stages.chapter_stages(config, count_videos(config), folder))
    before = {row[0]: row for row in map(prices(config).row, chosen)}
    (folder / "ckpt/ssl_joint").mkdir(parents=True)
    (folder / "ckpt/ssl_joint/model.json").write_text("{}")
    after = {row[0]: row for row in map(prices(config).row, chosen)}
    name = "02_ssl_pretraining"
    assert before[name][2] == 3 and after[name][2] == 2 and after[name][-1] < before[name][-1]
    assert all(before[n] == after[n] for n in before if n != name)


def test_smoke_is_planned_with_a_measured_speed(capsys):
    assert main(["plan", "--profile", "smoke"]) == 0
    out = capsys.readouterr().out
    assert "TFLOP/s in training (measured here, cpu" in out
    assert "videos   32 for training, 16 for testing (from the settings)" in out
    first = [line.split()[0] for line in out.splitlines() if re.match(r"\d\d_", line)]
    assert first == [path.stem for path in chapters().values()]
    assert "frame cache 16 MB (raw, 40 px)" in out and "in all" in out.splitlines()[-1]


@pytest.mark.parametrize("name", ["ucf101", "hmdb51", "kinetics400"])
def test_paper_scale_is_planned_without_the_data(name):
    text = plan(load_profile(name), Path("nowhere"), tflops=150)
    assert "published numbers; the videos are not here" in text and "(stated)" in text
    assert "jpeg" in text and "GiB" in text
    assert not Path("nowhere").exists()


def test_a_folder_without_videos_cannot_be_planned():
    with pytest.raises(DataError, match="needs data.root"):
        plan(tiny_profile(data__dataset="folder"), Path("nowhere"), tflops=1)


def test_videos_that_are_here_are_counted(tiny_root):
    videos = count_videos(tiny_profile(data__dataset="ucf101", data__root=str(tiny_root)))
    assert (videos.train, videos.test, videos.classes, videos.source) == (12, 4, 2, "counted")
    assert videos.frames == pytest.approx(16 * 11.5, rel=0.1)


def test_a_study_is_planned_by_training_with_all_its_units():
    config = load_profile("laptop-study")
    found = {stage.name: stage for stage in stages.study_stages(config, Path("nowhere"))}
    units = len(every_unit(config))
    assert len(found["student_reweighted"].jobs) == units
    assert len(found["ssl_joint"].jobs) == len(config.study.seeds)
    assert "ssl_joint" in found["student_reweighted"].after
    assert len({folder for folder, _ in found["student_reweighted"].jobs}) == units
    assert not Path("nowhere").exists()


def test_a_backbone_that_cannot_make_the_slots_is_refused(capsys):
    """Of eight frames r3d_18 makes two time steps; that was seen once all frames were decoded."""
    settings = ["--set", "model.backbone=r3d_18", "--set", "pretrain.clip.frames=8"]
    assert main(["plan", "--profile", "ucf101-gpu-study", *settings]) == 2
    said = capsys.readouterr()
    assert "leaves 2 time steps, which cannot make 4 slots" in said.err
    assert "plan of" not in said.out


def test_a_wrong_speed_is_refused(capsys):
    assert main(["plan", "--tflops", "-1"]) == 2
    assert "must be above 0" in capsys.readouterr().err


@pytest.mark.slow
def test_make_reproduce_can_plan_without_running(tmp_path):
    line = [sys.executable, "workflow/run.py", "--profile", "smoke", "--plan"]
    done = subprocess.run([*line, "--run-dir", str(tmp_path / "r")], cwd=ROOT, text=True,
                          capture_output=True, check=True)  # fmt: skip
    assert "plan of smoke" in done.stdout and "07_ablations" in done.stdout
    assert not (tmp_path / "r").exists()


def test_profiles_of_paper_scale_are_there():
    assert {"gpu", "ucf101", "hmdb51", "kinetics400"} <= set(profile_names())

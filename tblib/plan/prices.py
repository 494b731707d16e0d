"""Seconds and bytes of one training, from what a clip costs."""

from __future__ import annotations

import math
from pathlib import Path

from ..methods import registry, semi
from ..methods.job import Job
from ..run import launch
from ..settings.config import Profile
from . import cost
from .stages import Stage
from .videos import Videos


class Prices:
    """Seconds and bytes of a training of one profile."""

    def __init__(self, config: Profile, videos: Videos, speed: cost.Speed, device: str):
        self.config, self.speed = config, speed
        px = config.data.crop_px
        self.frames = {
            "pretrain": config.pretrain.clip.frames,
            "other": config.finetune.clip.frames,
        }
        self.clip = {k: cost.of_clip(config, n, px, device) for k, n in self.frames.items()}
        self.weights = cost.weights(config, videos.classes)
        self.disk = videos.cache
        self.processes = launch.processes(config.runtime.launch)

    def row(self, stage: Stage) -> tuple:
        """Return what a line of the table shows: name, needs, models, steps, clips, …, seconds."""
        c = self.config
        todo = [job for folder, job in stage.jobs if not _finished(folder, job)]
        seconds = sum(map(self.seconds, todo)) / max(1, min(c.runtime.jobs, len(todo)))
        if stage.jobs and not todo:
            return (stage.name, stage.after, len(stage.jobs), 0, 0, 0.0, 0.0)
        other = self.clip["other"].flop / self.speed.flops + self.speed.load
        seconds += stage.looks * other + stage.seconds
        clips = sum(job.steps * self.per_step(job) for job in todo)
        memory = max(map(self.memory, todo), default=0.0)
        steps = sum(job.steps for job in todo)
        return (stage.name, stage.after, len(todo), steps, clips, memory, seconds)

    def per_step(self, job: Job) -> int:
        """Return how many clips a step trains on."""
        return registry.clips_per_step(self.config, job.method)

    def seconds(self, job: Job) -> float:
        """Estimate the time of one training alone on this machine.

        Clips are loaded in between, or by `runtime.workers` processes on cores of their own; then
        the slower of the two sets the pace.  Processes that share a training divide its clips.
        """
        load, train = self.clip_seconds(job.method)
        workers = self.config.runtime.workers
        each = max(load / workers, train) if workers else load + train
        return job.steps * self.per_step(job) * each / (self.processes or 1)

    def clip_seconds(self, method: str) -> tuple[float, float]:
        """Return the seconds that one process needs to load a clip, and the network to train it."""
        kind = "other" if method in semi.METHODS else "pretrain"
        passes = 1 + cost.BACKWARD + registry.helpers(method)
        load = self.speed.load * self.frames[kind] / self.frames["other"]
        return load, passes * self.clip[kind].flop / self.speed.flops

    def input(self) -> str:
        """Say how many loading processes would keep up with each kind of training."""
        kinds = {"pretraining": "joint", "teachers": "supervised", "student": "timebalance"}
        needs = {}
        for kind, method in kinds.items():
            load, train = self.clip_seconds(method)
            needs[kind] = math.ceil(load / train)
        words = ", ".join(f"{kind} {n}" for kind, n in needs.items())
        workers = self.config.runtime.workers
        now = f"{workers} are set" if workers else "none is set: the network waits meanwhile"
        return f"processes that would load as fast as it trains: {words}; runtime.workers: {now}"

    def sharing(self) -> str:
        """Say how many processes share a training."""
        if self.processes is None:
            return "runtime.launch does not say how many share a training: counted as one"
        if self.processes == 1:
            return "one for a training"
        return (
            f"{self.processes} share each training; counted as {self.processes} times as fast, "
            "without what they send each other"
        )

    def memory(self, job: Job) -> float:
        """Estimate the bytes on a device: activations, weights, gradients and two moments.

        On top of what is kept come maps that are worked on: about one of the largest size, or six
        while a frozen network computes.  Their number was read off an H100, where the sum is then
        within 3 % of what steps above 10 GB took; smaller ones took up to a fifth more.
        """
        kind = "other" if job.method in semi.METHODS else "pretrain"
        helpers = registry.helpers(job.method)
        clips, clip = self.per_step(job) / (self.processes or 1), self.clip[kind]
        working = (6 if helpers else 1) * clip.largest
        return clips * (clip.memory + working) + (4 + helpers) * self.weights


def _finished(folder: Path, job: Job) -> bool:
    return (folder / "ckpt" / job.name / "model.json").is_file()

"""Every number a run depends on, in one frozen, validated object: the profile.

A profile is a YAML file in `notebooks/profiles/` with the sections below and those of
`tblib.settings.sections`, read by `tblib.settings.profiles`.  Profiles may change sizes and steps,
never what a method is.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .. import reprs
from ..errors import ConfigError
from .sections import (
    Clip,
    Count,
    Data,
    Fraction,
    Model,
    NonNegative,
    Positive,
    Section,
    Steps,
    Sticks,
)


class Pretrain(Section):
    """Self-supervised pretraining (section A3 of the paper's method)."""

    clip: Clip = Clip()  # the local clip; the global one has `slots` times its stride
    slots: Annotated[int, Field(ge=2, le=8)] = 4
    batch: Annotated[int, Field(ge=2)] = 16  # videos; ten clips each
    lr: Positive = 5e-3
    weight_decay: NonNegative = 1e-4
    temperature: Positive = 0.1  # between videos (L_IC)
    temperature_time: Positive = 0.1  # within a video (L_LL, L_GL)
    dim: Count = 128  # D of the projection
    weight_ic: NonNegative = 1.0
    weight_ll: NonNegative = 40.0  # the official sum over a batch of 40, as a mean
    weight_gl: NonNegative = 16.0  # the official 16 cross-entropies, as a mean
    steps_invariant: Steps = 100
    steps_distinctive: Steps = 100
    steps_joint: Steps = 100  # all three losses; the student's initialisation
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.5  # strength of colour augmentation
    crop_min: Fraction = 0.5  # smallest crop side as a share of the short side

    @property
    def clips_per_step(self) -> int:
        """Clips a step encodes; methods that need fewer a video see more videos: equal compute."""
        return self.batch * (2 + 2 * self.slots)


class Finetune(Section):
    """Supervised training of teachers and baselines on the labelled videos (A4)."""

    clip: Clip = Clip()
    batch: Count = 16
    lr: Positive = 1e-3
    weight_decay: NonNegative = 1e-2
    steps: Steps = 100
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.3
    crop_min: Fraction = 0.6


class Similarity(Section):
    """The one place where s(v) is defined (A5): features, clips, normalisation."""

    features: Literal["invariant", "distinctive", "joint"] = "distinctive"
    projected: bool = False  # False: backbone feature; True: after the projection head
    clips: Annotated[int, Field(ge=2, le=64)] = 8
    map: Literal["rank", "minmax", "logistic", "identity"] = "rank"
    temperature: Positive = 1.0  # of the logistic map


TEACHERS = ("invariant", "distinctive")


class Student(Section):
    """The student: of the mixed teachers, or of any other semi-supervised method."""

    method: str = "timebalance"  # a name in tblib.methods.registry.METHODS
    options: dict[str, bool | int | float | str] = {}  # arguments of that method
    # Two pretrainings, whose networks are finetuned into the teachers; s = 1 believes the first.
    # Not written at this value, so that runs of before keep their name and results.
    teachers: Annotated[tuple[str, str], Field(exclude_if=TEACHERS.__eq__)] = TEACHERS
    init: Literal["joint", "invariant", "distinctive", "random"] = "joint"
    batch_labelled: Count = 16
    batch_unlabelled: Count = 16
    lr: Positive = 1e-3
    weight_decay: NonNegative = 1e-2
    steps: Steps = 100
    distance: Literal["l2", "kl"] = "l2"
    # The official 50 and 100 multiply a mean over 102 classes: per class 0.49 and 0.98.
    weight_labelled: NonNegative = 0.49
    weight_unlabelled: NonNegative = 0.98


class Evaluate(Section):
    """Video-level testing (A7)."""

    clips: Annotated[int, Field(ge=1, le=100)] = 10
    batch: Count = 128  # clips per forward pass


class Ablation(Section):
    """Which students chapter 7 trains beside the reweighted one."""

    variants: tuple[
        Literal[
            "invariant_only",
            "distinctive_only",
            "average",
            "constant",
            "shuffled",
            "inverted",
            "oracle",
            "random_init",
            "kl",
        ],
        ...,
    ] = ("invariant_only", "distinctive_only", "average")


class Study(Section):
    """Which trainings a study repeats over seeds and fractions of labels (`make reproduce`)."""

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)
    fractions: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.2,)
    sweep: tuple[Fraction, ...] = ()  # further fractions, with the main systems only
    sweep_seeds: Annotated[int, Field(ge=0)] = 0  # of the first so many seeds; 0: of all
    groups: tuple[
        Literal[
            "controls", "combinations", "initialisations", "definitions", "distillation", "systems"
        ],
        ...,
    ] = ()
    # Options of a method that the group `systems` trains it with, by its name: what trials on
    # validation videos chose for it.
    constants: dict[str, dict[str, bool | int | float | str]] = {}

    @model_validator(mode="after")
    def _each_unit_once(self) -> Study:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("study.seeds must not hold a seed twice")
        shares = (*self.fractions, *self.sweep)
        if len(set(shares)) < len(shares):
            raise ValueError("study.fractions and study.sweep must not hold a share twice")
        return self


class Runtime(Section):
    """Where it runs. More jobs than one trains independent models side by side."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    jobs: Annotated[int, Field(ge=1, le=64)] = 1
    threads: Annotated[int, Field(ge=1, le=256)] = 1  # per job; results depend on it
    workers: Annotated[int, Field(ge=0, le=64)] = 0  # loader processes per job; changes speed only
    # Fuse operations of the backbones by torch.compile: faster steps after a slow start, other
    # rounding. Worth it in trainings of many minutes on a GPU, see benchmarks/README.md.
    compile: bool = False
    # Where clips are cropped and recoloured: by the loader, or in batches by the device, for a GPU
    # with too few processor cores to feed it. Results differ in rounding.
    augment: Literal["loader", "device"] = "loader"
    checkpoint_every: Steps = 200
    # Starts each training on several processes, e.g. "torchrun --standalone --nproc-per-node=4".
    launch: str = ""

    @property
    def decoders(self) -> int:
        """Processes that draw or decode videos, before anything is trained."""
        return max(self.jobs, self.workers)


class Profile(Section):
    """All sections of a run."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$", max_length=100)]  # names a folder
    title: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    data: Data = Data()
    sticks: Sticks = Sticks()
    model: Model = Model()
    pretrain: Pretrain = Pretrain()
    finetune: Finetune = Finetune()
    similarity: Similarity = Similarity()
    student: Student = Student()
    evaluate: Evaluate = Evaluate()
    ablation: Ablation = Ablation()
    study: Study | None = None
    runtime: Runtime = Runtime()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        if isinstance(values, dict) and "name" not in values:
            raise ConfigError(
                "a profile needs a name, as in Profile(name='mine'); those of the book are read by "
                "tblib.settings.profiles.load_profile('smoke')."
            )
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Profile:
        if self.data.crop_px > self.data.cache_px:
            raise ValueError("data.crop_px must not exceed data.cache_px")
        if self.pretrain.clip.frames % self.pretrain.slots:
            raise ValueError("pretrain.clip.frames must be a multiple of pretrain.slots")
        if self.sticks.frames_min > self.sticks.frames_max:
            raise ValueError("sticks.frames_min must not exceed sticks.frames_max")
        return self

    def __repr__(self) -> str:
        return reprs.profile(self)

    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any value of the profile."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

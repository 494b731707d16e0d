"""What every method offers to whoever trains it, in the one loop or in a loop of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..data.augment import Augment
from ..data.clips import RandomClip
from ..data.loader import Stream
from ..data.strong import Strong
from ..data.tempo import SameTime
from ..models import Classifier
from ..settings.config import Profile
from .ema import Average
from .job import Given, Job


class Method(nn.Module):
    """A network that learns, the clips it asks for, and its loss.

    `forward(**batches)` gets one `Batch` per stream, by the stream's name, and returns `loss` and
    whatever else should be logged, all scalars.  Everything but the parts named in `frozen` is
    saved with a state, so counters, queues and averaged weights belong into buffers or modules.

    Attributes:
        learner: what is trained: a module, or a `ModuleDict` of several networks.
        sections: sections of a profile that `build` reads; the first has learning rate, weight
            decay and steps.  Beside these every method reads `data` and `model`.
        helpers: networks that see every clip of a step without learning from it.
        rate: multiplies the learning rate of the profile.
        frozen: names of parts that never change.
        rounds: how often the training starts anew: learning rate and optimiser begin again.
        taught: whether it learns from the two finetuned teachers and a score.
        outside: what it knows beyond the videos of its data set, such as `ImageNet`; "" = nothing.
    """

    learner: nn.Module
    sections: tuple[str, ...] = ()
    helpers = 0
    rate = 1.0
    frozen: tuple[str, ...] = ()
    rounds = 1
    taught = False
    outside = ""

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> Method:
        """Make the method that a job describes, from a profile and from what is given."""
        raise NotImplementedError

    @staticmethod
    def clips_per_step(profile: Profile) -> int:
        """Clips that a step trains on."""
        raise NotImplementedError

    def streams(self) -> dict[str, Stream]:
        """Name the batches that `forward` wants, and say what is in them."""
        raise NotImplementedError

    def round_of(self, step: int, steps: int) -> tuple[int, int]:
        """Return how many steps of its round come before a step, and how many the round has."""
        length = -(-steps // self.rounds)
        at = step % length
        return at, min(length, steps - step + at)

    def begin(self, step: int, steps: int) -> None:
        """Prepare for step `step` (from 0) of `steps`: ramps and phases."""

    def after(self, step: int) -> None:
        """Follow the optimiser's step: averaged weights, counters."""

    @property
    def kept(self) -> nn.Module:
        """The network that is saved, watched and tested."""
        return self.learner


class Pretraining(Method):
    """Base of the self-supervised methods: unlabelled clips, section `pretrain` of a profile."""

    sections = ("pretrain",)

    @staticmethod
    def clips_per_step(profile: Profile) -> int:
        """Clips of a step, the same for every pretraining: equal compute."""
        return profile.pretrain.clips_per_step


@dataclass(frozen=True)
class Sampling:
    """How clips are cut from a video and augmented.

    Attributes:
        frames: T, frames of a clip.
        stride: video frames from one to the next.
        px: side of the square crop, H = W.
        crop_min: smallest crop as a share of the short side, in (0, 1].
        jitter: strength of colour changes, in [0, 1].
        erase: share of clips in which a grey box hides a part, in [0, 1].
    """

    frames: int = 8
    stride: int = 2
    px: int = 32
    crop_min: float = 0.6
    jitter: float = 0.3
    erase: float = 0.25

    @classmethod
    def of(cls, section: Any, profile: Profile, **changes: float) -> Sampling:
        """Read it from a section of a profile that has `clip`, `crop_min` and `jitter`."""
        clip, px = section.clip, profile.data.crop_px
        own = {"crop_min": section.crop_min, "jitter": section.jitter} | changes
        return cls(clip.frames, clip.stride, px, **own)

    def augment(self, **changes: Any) -> Augment:
        """Return the augmentation; `changes` replace its values."""
        own = {"crop_min": self.crop_min, "jitter": self.jitter, "erase": self.erase}
        return Augment(self.px, **own | changes)

    def strong(self, **changes: Any) -> Strong:
        """Return RandAugment and cutout after the same crops; `changes` replace its values."""
        return Strong(self.px, **{"crop_min": self.crop_min, "jitter": 0.0} | changes)

    def stream(self, pool: str, batch: int, labels: bool = False) -> Stream:
        """Ask for one random, weakly augmented clip of each video of a batch."""
        views = RandomClip(self.frames, self.stride)
        return Stream(pool, batch, views, self.augment(), labels=labels)

    def looks(self, pool: str, batch: int, *augments: Augment, same_crop: bool = False) -> Stream:
        """Ask for one random clip of each video, once in every augmentation."""
        views = SameTime(self.frames, self.stride, len(augments))
        return Stream(pool, batch, views, augments, same_crop=same_crop)


WEAK = Sampling()  # of classifiers
PRETRAINING = Sampling(crop_min=0.5, jitter=0.5, erase=0.5)
WITHOUT_BOX = Sampling(crop_min=0.5, jitter=0.5, erase=0.0)


class SemiSupervised(Method):
    """Base of systems with labelled and unlabelled clips: section `student` of a profile.

    Labelled clips are those of `supervised`, so that each system with a weight of 0 is that one.

    Args:
        learner: maps clips `[B, 3, T, H, W]` to logits `[B, K]`.
        batch: labelled and unlabelled videos of a step.
        sampling: how their clips are cut and weakly augmented.
        decay: of the average of the learner's weights, see `ema.decay_at`, which is kept in its
            place; None for no average.

    Attributes:
        clips_each: how many clips of a labelled and of an unlabelled video a step sees.
    """

    sections = ("student", "finetune")
    clips_each = (1, 1)

    def __init__(
        self,
        learner: nn.Module,
        batch: tuple[int, int] = (16, 16),
        sampling: Sampling = WEAK,
        decay: float | None = None,
    ):
        super().__init__()
        self.learner, self.batch, self.sampling = learner, batch, sampling
        self.average = None if decay is None else Average(self.classifier, decay)

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> SemiSupervised:
        """Make the method that a job describes."""
        o, sampling = profile.student, Sampling.of(profile.finetune, profile)
        batch = (o.batch_labelled, o.batch_unlabelled)
        networks = cls.networks(given, classes)
        return cls(*networks, batch=batch, sampling=sampling, **dict(job.options))

    @classmethod
    def networks(cls, given: Given, classes: int) -> tuple[nn.Module, ...]:
        """Return the first arguments of the method, its networks."""
        return (Classifier(given.network(), classes),)

    @classmethod
    def clips_per_step(cls, profile: Profile) -> int:
        """Labelled and unlabelled clips of a step, each view counted."""
        labelled, unlabelled = cls.clips_each
        o = profile.student
        return labelled * o.batch_labelled + unlabelled * o.batch_unlabelled

    def streams(self) -> dict[str, Stream]:
        """Ask for one random clip of labelled and of unlabelled videos, weakly augmented."""
        pools = zip(("labelled", "unlabelled"), self.batch, strict=True)
        return {pool: self.sampling.stream(pool, size) for pool, size in pools}

    def begin(self, step: int, steps: int) -> None:
        """Prepare the average for the step."""
        if self.average is not None:
            self.average.begin(step, steps)

    def after(self, step: int) -> None:
        """Let the average follow."""
        if self.average is not None:
            self.average.follow(self.classifier)

    @property
    def classifier(self) -> nn.Module:
        """The trained network that is kept, or whose average is."""
        return self.learner

    @property
    def kept(self) -> nn.Module:
        """The average, if there is one, else the classifier."""
        return self.classifier if self.average is None else self.average.network


def frozen(networks: tuple[nn.Module, ...]) -> nn.ModuleList:
    """Put networks in eval mode and out of the optimiser's reach."""
    return nn.ModuleList(networks).requires_grad_(False).eval()


def share_right(logits: Tensor, label: Tensor) -> Tensor:
    """Share of the most probable classes of `logits` `[B, K]` that are `label` `[B]`."""
    return (logits.argmax(1) == label).float().mean()

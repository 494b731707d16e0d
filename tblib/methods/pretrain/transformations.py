"""Temporal transformations: say what was done to the frames of a clip, and how fast it plays.

Source: Jenni, Meishvili, Favaro, *Video Representation Learning by Recognizing Temporal
Transformations*, ECCV 2020, and its official code.  Chance is 25 % for each transformation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...data.clips import TRANSFORMATIONS, Transformed
from ...data.loader import Batch, Stream
from ...engine.distributed import gather
from ...errors import ConfigError
from ...models import pool
from ...settings.config import Profile
from ..base import Pretraining, Sampling
from ..job import Given, Job

SKIPS = (1, 2, 4, 8)
WINDOW = 64  # video frames a clip may span at the highest speed
FLICKERING = Sampling(crop_min=0.5, jitter=0.0, erase=0.0)  # colours change by frame instead
UNDEFINED = -100  # the speed of a permuted or warped clip; cross_entropy leaves it out


def speeds(frames: int) -> tuple[int, ...]:
    """Return the skips at which a clip of `frames` frames fits into the window.

    Raises:
        ConfigError: fewer than two do.
    """
    skips = tuple(skip for skip in SKIPS if frames * skip <= WINDOW)
    if len(skips) < 2:
        raise ConfigError(
            f"pretrain.clip.frames = {frames} leaves temporal transformations fewer than two "
            f"speeds within {WINDOW} video frames; at most {WINDOW // 2} frames are allowed."
        )
    return skips


class Recogniser(nn.Module):
    """Backbone with two linear heads: which transformation, which speed."""

    def __init__(self, net: nn.Module, speeds: int):
        super().__init__()
        self.backbone = net
        self.transformation = nn.Linear(net.dim, len(TRANSFORMATIONS))
        self.speed = nn.Linear(net.dim, speeds)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Map clips `[N, 3, T, H, W]` to logits `[N, 4]` and `[N, speeds]`."""
        features = pool(self.backbone(clips))
        return self.transformation(features), self.speed(features)


class Transformations(Pretraining):
    """Recognition of four temporal transformations and, where defined, of the speed.

    Every video gives one clip of each transformation; every speed has a stream of its own with
    equally many videos.  Neither label can then be guessed from looks or from the video's length.

    Args:
        learner: backbone and two heads, the second of `len(speeds(sampling.frames))` classes.
        clips: clips of a step, divided among speeds and transformations.
        sampling: of a clip; its stride is not used, for the speed is part of the task.

    Raises:
        ConfigError: clips are so long that only one speed is left.
    """

    rate = 0.2  # classification needs less than contrast

    def __init__(
        self,
        learner: Recogniser,
        clips: int = 160,
        sampling: Sampling = FLICKERING,
    ):
        super().__init__()
        self.learner, self.clips, self.sampling = learner, clips, sampling
        self.skips = speeds(sampling.frames)

    @classmethod
    def build(cls, profile: Profile, classes: int, job: Job, given: Given) -> Transformations:
        """Make the method that a job describes."""
        o = profile.pretrain
        learner = given.encoder(Recogniser(given.network(), len(speeds(o.clip.frames))))
        return cls(learner, o.clips_per_step, Sampling.of(o, profile, jitter=0.0, erase=0.0))

    def streams(self) -> dict[str, Stream]:
        """Ask for one stream of training videos per speed: `skip1`, `skip2`, …

        Colours change from frame to frame, so that equal pixels tell nothing.
        """
        kinds, fastest, frames = len(TRANSFORMATIONS), self.skips[-1], self.sampling.frames
        batch = max(self.clips // (kinds * len(self.skips)), 1)
        augment = self.sampling.augment(flicker=True)
        return {
            f"skip{skip}": Stream("train", batch, Transformed(frames, skip, fastest), augment)
            for skip in self.skips
        }

    def forward(self, **batches: Batch) -> dict[str, Tensor]:
        """Return the total `loss`, its two parts, and shares of right answers (`right_…`)."""
        clips = [batches[f"skip{skip}"].clips for skip in self.skips]
        parts = self.learner(torch.cat([part.flatten(0, 1) for part in clips]))
        kinds = len(self.skips) * len(TRANSFORMATIONS)
        logits, speed_logits = (gather(p.unflatten(0, (kinds, -1)), 1).flatten(0, 1) for p in parts)
        label, speed = labels(len(self.skips), len(logits) // kinds, logits.device)
        parts = {
            "transformation": cross_entropy(logits, label),
            "speed": cross_entropy(speed_logits, speed, ignore_index=UNDEFINED),
        }
        right = (logits.argmax(1) == label).float()
        shares = {f"right_{n}": right[label == i].mean() for i, n in enumerate(TRANSFORMATIONS)}
        shares["right_transformation"] = right.mean()
        defined = speed != UNDEFINED
        shares["right_speed"] = (speed_logits.argmax(1) == speed)[defined].float().mean()
        return {"loss": parts["transformation"] + parts["speed"], **parts, **shares}


def labels(speeds: int, videos: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Label the clips of all streams, ordered by speed, then transformation, then video.

    Returns:
        Transformation in 0 … 3 and speed in 0 … speeds − 1, or `UNDEFINED` for permuted and warped
        clips; both `[speeds · 4 · videos]`.
    """
    shape = (speeds, len(TRANSFORMATIONS), videos)
    transformation = torch.arange(shape[1], device=device)[None, :, None].expand(shape)
    speed = torch.arange(speeds, device=device)[:, None, None].expand(shape)
    defined = transformation <= TRANSFORMATIONS.index("periodic")
    return transformation.flatten(), speed.where(defined, UNDEFINED).flatten()

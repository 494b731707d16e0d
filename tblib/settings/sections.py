"""What all sections of a profile share, and the sections on data and networks.

`tblib.settings.config` holds the others and the profile itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..files import resolved

Place = Annotated[Path, AfterValidator(resolved)]  # absolute from where the command was typed
Count = Annotated[int, Field(ge=1)]
Steps = Annotated[int, Field(ge=1, le=10_000_000)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
OpenFraction = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class Section(BaseModel):
    """Base of all sections: frozen, and no name is accepted that is not listed."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number is meant; Python would read them as 1 and 0."""
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation is not bool:
            raise ValueError("a number or text is needed here, not true or false")
        return value


class Data(Section):
    """Which videos, how they are cached, and which labels may be used."""

    dataset: Literal["stickactions", "ucf101", "hmdb51", "kinetics400", "folder"] = "stickactions"
    root: Place | None = None  # folder of the videos; None: generated, or $UCF101_ROOT and the like
    lists: Place | None = None  # the official lists, or a CSV; None: looked for beside the videos
    classes: tuple[str, ...] | None = None  # None: all
    split: Literal[1, 2, 3] = 1  # of UCF101 and HMDB51
    rest: bool = False  # hmdb51: also train on the videos the official split leaves out
    test_fraction: OpenFraction = 0.2  # folder: share of test videos where nothing else tells
    group_pattern: str | None = None  # folder: finds a name's group, e.g. "(?P<group>[^_]+)_"
    allow_missing: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0  # share of lists
    label_fraction: Fraction = 0.2
    label_list: Place | None = None  # a published label list instead of our own subset
    val_groups: Annotated[int, Field(ge=0)] = 0  # training groups per class kept for tuning
    cache_px: Annotated[int, Field(ge=16, le=512)] = 40  # short side of cached frames, pixels
    crop_px: Annotated[int, Field(ge=16, le=512)] = 32  # side of the square the network sees
    cache_format: Literal["raw", "jpeg"] = "raw"  # jpeg: a tenth of the disk, slower to read

    @field_validator("group_pattern")
    @classmethod
    def _names_a_group(cls, value: str | None) -> str | None:
        try:
            if value is not None and "group" not in re.compile(value).groupindex:
                raise ValueError("a part named group is needed, such as (?P<group>[^_]+)_")
        except re.error as error:
            raise ValueError(f"it is no regular expression ({error})") from None
        return value


class Sticks(Section):
    """How the StickActions videos are generated."""

    px: Annotated[int, Field(ge=32, le=512, multiple_of=2)] = 64
    train_groups: Count = 10
    test_groups: Count = 4
    clips_per_group: Count = 3
    frames_min: Annotated[int, Field(ge=8)] = 72
    frames_max: Annotated[int, Field(ge=8)] = 96
    seed: Annotated[int, Field(ge=0)] = 0
    one_actor: bool = False  # the same person in the same clothes in every video
    one_gym: bool = False  # persistent classes share room and posture, equipment hardly stands out

    @model_validator(mode="after")
    def _dressed(self) -> Sticks:
        if self.one_gym and not self.one_actor:
            raise ValueError(
                "one_gym needs one_actor: true, since others' clothes may be as light as its wall"
            )
        return self


class Model(Section):
    """The backbone all systems share."""

    backbone: Literal[
        "tiny_r3d",
        "tiny_r3d_half",
        "r3d_18",
        "slow_r50",
        "r2plus1d_34",
        "slowfast_r50",
        "tsm_r18",
    ] = "tiny_r3d"
    # bf16 is faster where the device has units for it (AMX, AVX-512 BF16, GPUs), slower elsewhere;
    # auto asks the device.
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    # A file of torchvision's r3d_18, trained on Kinetics-400 with all labels, in place of every
    # random start. The comparison is then no longer one without other labels.
    weights: Place | None = None

    @model_validator(mode="after")
    def _fits(self) -> Model:
        if self.weights is not None and self.backbone != "r3d_18":
            raise ValueError("weights can be given for the backbone 'r3d_18' only")
        return self


class Clip(Section):
    """A clip of `frames` frames, every `stride`-th frame of the video."""

    frames: Annotated[int, Field(ge=4, le=128)] = 8
    stride: Annotated[int, Field(ge=1, le=32)] = 2

    @property
    def span(self) -> int:
        """Length in video frames."""
        return self.frames * self.stride

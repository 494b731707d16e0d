"""Finished models on any video: what testing would say of it, clip by clip and on average.

Decoding, size, crop and clips are those of testing, so a video of a run gets the run's answer.
Within a run its two teachers stand beside the model, and the score s(v) that would mix them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data import container, stores, video
from ..data.clips import UniformClips, uniform_starts
from ..data.walk import SUFFIXES, walk
from ..engine import checkpoint, evaluate, hardware
from ..errors import ConfigError, DataError, MissingStage, UserError
from ..files import read_json, resolved
from ..methods import reweight
from ..methods.job import Job
from ..models import Classifier, pool
from ..progress import track
from ..settings.config import Evaluate, Runtime
from ..settings.profiles import runs_home
from .directory import Run, reopen
from .features import load_encoder
from .models import scores, teachers
from .predictions import Predictions, Seen
from .travel import about, load

STRIP = 8  # frames that a figure shows
Score = Callable[["Decoded"], float]


class Decoded:
    """The frames of one file, as a frame cache of this one video would give them."""

    def __init__(self, path: Path, px: int, kind: str):
        self.about = container.inspect(path)
        frames = np.stack(list(video.frames(path, px, self.about)))
        if kind != "raw":
            frames = stores.JpegFrames(stores.encode(frames, kind))[:]
        self.frames = frames

    def __getitem__(self, row: int) -> np.ndarray:
        return self.frames


def predict(
    model: str | Path, videos: Iterable[str | Path], clips: int | None = None
) -> Predictions:
    """Classify videos with a finished model.

    Args:
        model: a finished model's folder or file, or `RUN:NAME`, such as
            `laptop:student_reweighted`.
        videos: files, and folders whose videos are taken; one path alone will do.
        clips: evenly spaced clips of a video; default: as the run tests, without a run 10.

    Returns:
        What was seen of each video; those that cannot be used stand in `refused` with a sentence.

    Raises:
        CheckpointError: the model cannot be used, see `travel.load`.
        ConfigError: `clips` is not a number from 1 to 100.
        MissingStage: there is no such run.
    """
    if clips is not None and not 1 <= clips <= 100:
        raise ConfigError(f"clips = {clips!r} must be a whole number from 1 to 100.")
    run, place = find(model)
    device = hardware.prepare(run.config.runtime if run else Runtime())
    loaded, notes = {place.name: load_in(run, place)}, []
    score = None
    if run is not None:
        loaded |= _teachers(run, place.name, notes)
        score = _score(run, notes)
    testing = run.config.evaluate if run else Evaluate()
    n = clips or testing.clips
    networks = {name: network.to(device) for name, network in loaded.items()}
    seen, refused = [], []
    named = list(_files([videos] if isinstance(videos, str | Path) else videos))
    for path in track(named, "predict", total=len(named)):
        try:
            if isinstance(path, UserError):
                raise path
            seen.append(_see(path, networks, n, testing.batch, device, score))
        except UserError as error:
            refused.append(error)
    return Predictions(loaded[place.name].card, tuple(seen), tuple(refused), tuple(notes))


def find(model: str | Path) -> tuple[Run | None, Path]:
    """Return the run that a model belongs to, or None, and the folder or file of the model.

    Raises:
        MissingStage: the run that is named does not exist.
    """
    place, (named, _, name) = resolved(model), str(model).rpartition(":")
    if named and not place.exists():
        folder = resolved(named)
        run = reopen(folder if folder.is_dir() else runs_home() / named)
        return run, run.folder(name)
    folder = place if place.is_dir() else place.parent
    inside = folder.parent.name == "ckpt" and (folder.parents[1] / "config.json").is_file()
    return (reopen(folder.parents[1]), folder) if inside else (None, place)


def load_in(run: Run | None, place: Path) -> Classifier:
    """Load a model; what earlier code did not write into the file, its run knows."""
    file = place / "model.safetensors"
    if run is None or not file.is_file() or checkpoint.about(file):
        return load(place)
    note = checkpoint.model_card(place) or read_json(place / "model.json")
    return load(place, about(run, Job(**note["job"]), note["digest"]))


def _teachers(run: Run, name: str, notes: list[str]) -> dict[str, Classifier]:
    wanted = teachers(run.config)
    if name in wanted:
        return {}
    finished = [teacher for teacher in wanted if run.has_model(teacher)]
    if absent := set(wanted) - set(finished):
        notes.append(f"not in {run.dir}: {', '.join(sorted(absent))}; chapter 4 trains them")
    return {teacher: load_in(run, run.folder(teacher)) for teacher in finished}


def _score(run: Run, notes: list[str]) -> Score | None:
    """Return what gives s(v) of a video, with the map that chapter 5 fitted to the run's videos."""
    o, clip, name = run.config.similarity, run.config.pretrain.clip, ""
    try:
        name = f"ssl_{o.features}"
        if not run.has_model(name):
            raise MissingStage(f"{run.dir} has no model {name!r}; run chapter 2 first.")
        fitted = scores(run, "raw")[run.pool.rows("train")]
    except UserError as error:
        notes.append(f"s(v) is left out: {error}")
        return None
    squash = reweight.fit_map(fitted, o.map, o.temperature)
    encoder, head = load_encoder(run, name, o.projected)
    views = UniformClips(clip.frames, clip.stride, o.clips)

    def score(of: Decoded) -> float:
        h = evaluate.encode(
            lambda x: head(pool(encoder.backbone(x))), of, np.array([0]), views,
            run.config.data.crop_px, run.device, run.config.evaluate.batch,
        )  # fmt: skip
        return float(squash(reweight.raw_similarity(h)))

    return score


def _see(
    path: Path, networks: dict[str, Classifier], n: int, batch: int, device: torch.device,
    score: Score | None,
) -> Seen:  # fmt: skip
    card = next(iter(networks.values())).card
    of = Decoded(path, card["cache_px"], card["cache_format"])
    p = {name: _clips(network, of, n, batch, device) for name, network in networks.items()}
    total, span = len(of.frames), card["clip"]["frames"] * card["clip"]["stride"]
    strip = of.frames[np.linspace(0, total - 1, STRIP).round().astype(int)]
    starts = uniform_starts(total, span, n)
    return Seen(path, total, of.about.fps, starts, span, p, score(of) if score else None, strip)


def _clips(network: Classifier, of: Decoded, n: int, batch: int, device: torch.device) -> Tensor:
    """Probabilities of each clip of a video, `[n, K]`."""
    clip, px = network.card["clip"], network.card["crop_px"]
    views = UniformClips(clip["frames"], clip["stride"], n)
    return evaluate.clip_probabilities(network, of, np.array([0]), views, px, device, batch)[0]


def _files(named: Iterable[str | Path]) -> Iterator[Path | UserError]:
    """Yield the videos that are named, those of folders in the order of their names."""
    for one in named:
        try:
            place = resolved(one)
            found = walk(place).files if place.is_dir() else [place]
            if not found:
                raise DataError(f"no video ({', '.join(SUFFIXES)}) below {place}; name another.")
            yield from found
        except UserError as error:
            yield error

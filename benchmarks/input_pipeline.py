"""How fast do samples come? OpenCV and PIL per frame, decord or torchcodec per clip, our cache.

Every method makes the same sample from the same files: a self-supervised one (10 clips of 16
frames from 64 consecutive frames) and a supervised one (one clip of 8 frames).  The last one leaves
cropping and colours to the training's device (`runtime.augment: device`): only what is left to the
processor is counted.  A method makes its samples of a round in series, as in a training; after two
of them, the processor's caches still hold what the other methods left there.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from types import SimpleNamespace

import decord
import numpy as np
import pandas as pd
import torch
import torchvision.transforms.functional as pil
from common import Report, cv2, parser, write_videos
from PIL import Image
from torchvision.transforms import v2

from tblib.data import cache
from tblib.data.augment import Augment
from tblib.data.clips import RandomClip, SparseDense
from tblib.data.loader import ClipSamples, Stream, collate, to_input
from tblib.lesson.timing import compare

TORCHCODEC = "torchcodec to the last frame, torchvision v2 per clip"
VIEWS = {"self-supervised": SparseDense(16, 1, 4), "supervised": RandomClip(8, 2)}


def opencv(path: Path, views, px: int, seed: int) -> torch.Tensor:
    """Read the file to its end and augment frame by frame, in the manner of the official loader."""
    reader, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = reader.read()
        if not there:
            break
        frames.append(frame)
    index = views.indices(len(frames), np.random.default_rng(seed))
    random.seed(seed)
    return torch.stack([pil_clip([frames[i] for i in view], px) for view in index])


def pil_clip(frames: list[np.ndarray], px: int) -> torch.Tensor:
    """Crop, flip, recolour and erase a clip through PIL, one frame at a time: `[T, 3, px, px]`."""
    h, w = frames[0].shape[:2]
    share, flip = random.uniform(0.5, 1), random.random() < 0.5
    size = (round(share * h), round(share * w))
    corner = (random.randrange(h - size[0] + 1), random.randrange(w - size[1] + 1))
    b, c, s = (random.uniform(0.75, 1.25) for _ in range(3))
    hue, gamma = random.uniform(-0.1, 0.1), random.uniform(0.8, 1.2)
    out = []
    for frame in frames:
        image = Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        image = pil.resized_crop(image, *corner, *size, [px, px])
        image = pil.hflip(image) if flip else image
        image = pil.adjust_contrast(pil.adjust_brightness(image, b), c)
        image = pil.adjust_hue(pil.adjust_saturation(image, s), hue)
        image = pil.to_tensor(pil.adjust_gamma(image, gamma))
        out.append(pil.erase(image, px // 4, px // 4, px // 5, px // 5, torch.tensor(0.5)))
    return torch.stack(out)


def decord_v2(path: Path, views, px: int, seed: int) -> torch.Tensor:
    """Decode at the cache's size up to the last wanted frame; torchvision v2, once per clip."""
    reader = decord.VideoReader(str(path), width=171, height=128, num_threads=1)
    index = views.indices(len(reader), np.random.default_rng(seed))
    frames = torch.from_numpy(reader.get_batch(range(int(index.max()) + 1)).asnumpy())
    return per_clip(frames.permute(0, 3, 1, 2), index, px, seed)


def torchcodec_v2(path: Path, views, px: int, seed: int) -> torch.Tensor:
    """Decode up to the last wanted frame by torchcodec; torchvision v2, once per clip."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1)
    index = views.indices(len(decoder), np.random.default_rng(seed))
    return per_clip(decoder.get_frames_in_range(0, int(index.max()) + 1).data, index, px, seed)


def torchcodec_works() -> bool:
    """Say whether torchcodec is installed and finds its FFmpeg libraries; it is no requirement."""
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        print(f"without torchcodec: {str(error).strip().splitlines()[0]}")
        return False
    return True


def per_clip(frames: torch.Tensor, index: np.ndarray, px: int, seed: int) -> torch.Tensor:
    """Augment the clips `[V, T]` of frames `[N, 3, h, w]` by torchvision v2."""
    torch.manual_seed(seed)
    augment = v2.Compose(
        [
            v2.RandomResizedCrop(px, scale=(0.25, 1), antialias=False),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.25, 0.25, 0.25, 0.1),
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomErasing(0.5),
        ]
    )
    return torch.stack([augment(frames[view]) for view in index])


def ours(paths: list[Path], folder: Path, views, px: int):
    """Return two functions that make a sample from the cache.

    The first goes up to the float clips, the second up to what is sent to the device.
    """
    table = pd.DataFrame({"video": [p.name for p in paths], "path": [str(p) for p in paths]})
    videos = SimpleNamespace(name="bench", root=folder, table=table)
    frames = cache.build(videos, 128, folder / "cache", workers=1)
    stream = Stream("train", 1, views, Augment(px, 0.5, 0.5, erase=0.5))
    labels = np.zeros(len(paths), np.int64)

    def batch(number: int, leave_uncut: bool):
        samples = ClipSamples(frames, labels, stream, 0, leave_uncut)
        return collate([samples[number, 0, number % len(paths)]])[0]

    return lambda number: to_input(batch(number, False)), lambda number: batch(number, True)


def main() -> None:
    """Measure both kinds of samples on every kind of file."""
    options = parser(__doc__)
    options.add_argument("--videos", type=Path, help="a folder of your own videos")
    options.add_argument("--px", type=int, default=112)
    options.add_argument("--samples", type=int, default=16, help="videos, each once per round")
    o = options.parse_args()
    report = Report(o.rounds)
    with tempfile.TemporaryDirectory() as place:
        kinds = {"MPEG-4 AVI": ("mpeg4", ".avi"), "H.264 mp4": ("libx264", ".mp4")}
        files = {
            k: write_videos(Path(place) / k, o.samples, *how)
            for k, how in kinds.items()
            if not o.videos
        }
        if o.videos:
            own = [p for p in sorted(o.videos.rglob("*.*")) if p.suffix in (".avi", ".mp4", ".mkv")]
            files = {str(o.videos.name): own[: o.samples]}
        for kind, paths in files.items():
            for what, views in VIEWS.items():
                title = f"{what}, {o.px} px, {kind}"
                measure(report, title, paths, Path(place) / kind, views, o)
    if o.record:
        report.write("input_pipeline")


def measure(report: Report, title: str, paths: list[Path], folder: Path, views, o) -> None:
    """Compare the three pipelines on the same files."""

    def each(make):
        def in_series(turn):
            for path in paths:  # a sample is dropped before the next is made, as in a training
                make(path, views, o.px, turn)

        return in_series

    def in_turn(make):
        def in_series(turn):
            for i in range(len(paths)):
                make(turn * len(paths) + i)

        return in_series

    whole, uncut = ours(paths, folder, views, o.px)
    methods = {
        "OpenCV to the end, PIL per frame": each(opencv),
        "decord to the last frame, torchvision v2 per clip": each(decord_v2),
        **({TORCHCODEC: each(torchcodec_v2)} if torchcodec_works() else {}),
        "tblib: cached frames, one crop and colour matrix": in_turn(whole),
        "tblib, augmented on the device: what the processor does": in_turn(uncut),
    }
    report.gains(title, compare(methods, o.rounds), len(paths), "sample")


if __name__ == "__main__":
    main()

"""Write one video file, and check that a written one is whole."""

from __future__ import annotations

import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 25
# With its lookahead on, x264 gives other bytes from run to run for the same small pictures.
NO_LOOKAHEAD = "no-mbtree=1:rc-lookahead=0"


def encode(path: Path, frames: np.ndarray) -> None:
    """Write frames uint8 [T, H, W, 3] as H.264 (yuv420p, 25 fps), the same bytes every time."""
    options = {"crf": "18", "preset": "veryfast", "threads": "1", "x264-params": NO_LOOKAHEAD}
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, FPS)
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def complete(video: Path, px: int) -> bool:
    """Say whether a video and its ground truth are there and agree on size and length."""
    truth_file = video.with_suffix(".npz")
    if not (video.is_file() and truth_file.is_file()):
        return False
    try:
        with np.load(truth_file, allow_pickle=False) as file, av.open(str(video)) as container:
            stream = container.streams.video[0]
            return (stream.frames, stream.width, stream.height) == (len(file["phase"]), px, px)
    except (av.FFmpegError, ValueError, OSError, KeyError, IndexError, zipfile.BadZipFile):
        return False  # damaged: made again

# %% [markdown]
# # 8. Scaling up
#
# *You will learn*
#
# - how to find out what a training step waits for, and what that says about processes and caches;
# - what each optimisation of this book gains, measured here and in recorded benchmarks;
# - why a contrastive loss cannot simply be divided among devices, and what has to be exchanged;
# - how a training is stopped by a scheduler and ends with the same weights to the last bit;
# - how to plan a run on UCF101 before a single video is decoded.
#
# *Run time* on two CPU cores: half a minute in every profile.  The measurements use the small
# network of `smoke` and the videos of your profile, on one CPU core.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=8)

# %% tags=["hide-input"]
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import Code
from torch.nn.functional import normalize

from tblib.data import cache, stores
from tblib.data.augment import Augment
from tblib.data.clips import RandomClip
from tblib.data.loader import ClipSamples, collate, to_device
from tblib.data.video import decode

# %%
from tblib.engine import checkpoint, hardware
from tblib.engine.loop import read_log
from tblib.files import read_json, write_json
from tblib.lesson import findings, plot, timing
from tblib.lesson.chapters import ROOT
from tblib.methods import losses
from tblib.methods.job import Job
from tblib.models import Classifier, backbone
from tblib.plan import plan
from tblib.plan.videos import PUBLISHED
from tblib.run.directory import open_run
from tblib.run.jobs import run_jobs
from tblib.run.models import build_method
from tblib.settings.profiles import load_profile

plot.use_book_style()

# %% [markdown]
# ## What limits a step
#
# A training step is a short chain: clips are read and augmented, moved to the device, passed
# forwards and backwards, and the weights are updated.  Making the fast part faster gains nothing, so
# the first question is *who waits*.  Here is a step of the joint pretraining taken apart.
#
# We count **CPU time** of this process, so that a busy neighbour does not appear in the numbers,
# and let methods that are compared take turns.  The settings are those of `smoke` whatever your
# profile is; only the videos are yours.

# %%
toy = load_profile("smoke")
px = min(toy.data.crop_px, run.config.data.crop_px)
same = ("model", "pretrain", "finetune", "student")
small = run.config.model_copy(
    update={name: getattr(toy, name) for name in same}
    | {
        "data": run.config.data.model_copy(update={"crop_px": px}),
        "runtime": toy.runtime.model_copy(update={"device": "cpu"}),
    }
)
device = hardware.prepare(small.runtime)  # one thread of the CPU
pool, rows = run.pool, run.pool.rows("train")
joint = Job("ssl_joint", "joint", steps=1, seed=0)
method = build_method(replace(run, config=small), joint).train()
optimiser = torch.optim.AdamW(method.learner.parameters(), fused=True)
stream = method.streams()["videos"]
samples = ClipSamples(pool.cache, pool.labels, stream, seed=0)


# %%
def step(turn):
    """One training step; returns the CPU seconds of its parts."""
    marks = [time.process_time()]
    chosen = [samples[turn, k, int(rows[k])] for k in range(stream.batch)]
    marks.append(time.process_time())
    batch = to_device(collate(chosen), device)
    marks.append(time.process_time())
    loss = method(batch)["loss"]
    marks.append(time.process_time())
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    marks.append(time.process_time())
    optimiser.step()
    return np.diff([*marks, time.process_time()])


PARTS = ["read, cut, augment", "to floats", "forwards", "backwards", "update"]
step(0)  # the first call is slower and not counted
taken = np.median([step(turn) for turn in range(1, 8)], axis=0)
parts = dict(zip(PARTS, taken.tolist(), strict=True))
plot.time_shares(parts)

# %% [markdown]
# If the same process loads and trains, the times add up.  With $w$ loading processes
# (`hardware.workers`) on cores of their own, the slower side sets the pace: a step takes
#
# $$
# \max(t_\text{load} / w,\; t_\text{train}) .
# $$
#
# More processes than $t_\text{load} / t_\text{train}$ gain nothing.  On a CPU the network is the slow
# side, so the small profiles have none.  A GPU is hundreds of times faster than one core and the
# loader is not: there the first bar is the one to look at.  With few cores beside it,
# `hardware.augment: device` leaves crops and colours to the GPU.
#
# ## Decode once
#
# The usual loader opens the video file for each sample.  That is the most expensive way to get
# eight frames: the frames before them have to be decoded too.  Chapter 1 decodes each file
# once and keeps the frames, raw or as JPEG pictures of quality 90, in a file that gives any frame
# directly.  The same clip in three ways:

# %%
row = int(rows[0])
path, short = run.videos.table.path[row], run.config.data.cache_px
raw = decode(path, px=short)
content = stores.encode(raw, "jpeg")
augment, views = Augment(px, 0.5, 0.5), RandomClip(8, 2)


def cut(frames, turn):
    """Cut and augment one clip of eight frames."""
    rng = np.random.default_rng(turn)
    return augment(frames[views.indices(len(frames), rng)[0]], rng)


ways = {
    "decode the file": lambda turn: cut(decode(path, px=short), turn),
    "JPEG pictures": lambda turn: cut(stores.JpegFrames(content), turn),
    "raw frames": lambda turn: cut(raw, turn),
}
loading = timing.gains(timing.compare(ways, rounds=7))
plot.gain_bars({"one clip": dict(list(loading.items())[1:])})

# %% [markdown]
# Speed is paid for in bytes.  For this one video, and by arithmetic for three data sets at two
# sizes (frames × pixels × bytes a pixel, 3 for raw and 0.28 measured for JPEG):

# %%
of_video = {
    "file": Path(path).stat().st_size,
    "raw": raw.nbytes,
    "jpeg": content.nbytes,
}
print({kind: cache.size(count) for kind, count in of_video.items()})


# %% tags=["nbval-check-output"]
def cache_bytes(name, side, kind):
    """Bytes of a cache of a whole data set, from its published numbers."""
    train, test, frames, aspect, _ = PUBLISHED[name]
    pixels = (train + test) * frames * side**2 * aspect
    return pixels * stores.BYTES_PER_PIXEL[kind]


columns = list(itertools.product((128, 240), ("raw", "jpeg")))
pd.DataFrame(
    {
        f"{side} px, {kind}": [
            cache.size(cache_bytes(name, side, kind)) for name in PUBLISHED
        ]
        for side, kind in columns
    },
    index=list(PUBLISHED),
)

# %% [markdown]
# Whatever fits into memory is read at the speed of memory.  So raw frames for StickActions, JPEG for
# UCF101; and `cache_px` no larger than the crops need.  JPEG changes pixels by a grey level or two,
# and every file carries a checksum.
#
# ## Compute only what is needed
#
# Three habits make the training step itself cheaper, without changing a result.
#
# **No loops over pairs.**  The instance loss {eq}`(2) <eq-instance>` is defined over all ordered
# pairs of local clips, one softmax each.  All of them are blocks of a single Gram matrix.


# %% tags=["nbval-check-output"]
def by_pairs(z, v, tau=0.1):
    """L_IC as it is written down: one NT-Xent for each ordered pair."""
    clips = [v[view, :, k] for view in range(2) for k in range(v.shape[2])]
    pairs = itertools.permutations(clips, 2)
    local = sum(losses.nt_xent(a, b, tau) for a, b in pairs)
    return losses.nt_xent(z[0], z[1], tau) + local / v.shape[2]


torch.manual_seed(1)
z = normalize(torch.randn(2, 16, 128), dim=-1).requires_grad_()
v = normalize(torch.randn(2, 16, 4, 128), dim=-1).requires_grad_()
whole = losses.instance_contrast(z, v, 0.1)
findings.check({"same loss": torch.allclose(by_pairs(z, v), whole)})

# %% [markdown]
# **No gradients where nothing learns.**  Teachers are frozen.  A loss that is not told so sends
# gradients through them, which costs twice their forward pass and all its memory, for nothing.
#
# **The memory layout that the kernels like.**  3-D convolutions are quicker when the channels of a
# pixel lie side by side, `channels_last_3d`, which is how frames come from a file anyway.

# %%
clips = torch.rand(8, 8, px, px, 3).movedim(-1, 1)  # channels last, as loaded
nets = [Classifier(backbone("tiny_r3d"), 10).train() for _ in range(4)]
student, plain, *teachers = nets
plain.to(memory_format=torch.contiguous_format)


def student_step(recorded):
    """A student's pass with two teachers; their passes are recorded or not."""
    with torch.set_grad_enabled(recorded):
        target = sum(net(clips).softmax(1) for net in teachers) / 2
    (student(clips).softmax(1) - target).square().sum().backward()


# %%
tests = {
    "loss in one Gram matrix": {
        "pairs": lambda _: by_pairs(z, v).backward(),
        "Gram": lambda _: losses.instance_contrast(z, v, 0.1).backward(),
    },
    "teachers without gradients": {
        "with": lambda _: student_step(True),
        "without": lambda _: student_step(False),
    },
    "channels last": {
        "contiguous": lambda _: plain(clips.contiguous()).sum().backward(),
        "last": lambda _: student(clips).sum().backward(),
    },
}
computing = {
    name: list(timing.gains(timing.compare(pair, rounds=5)).values())[1]
    for name, pair in tests.items()
}
plot.gain_bars({"measured here, each against its plain form": computing})

# %% [markdown]
# A bar whose range touches the line is no gain.  Which counts most depends on the network: in a large
# one the loss is nothing and the teachers are nearly half.
#
# ## Recorded benchmarks
#
# Half a minute is too short for careful numbers.  `benchmarks/` compares whole pipelines and steps
# with the straightforward way, at the size of UCF101; the last recorded results:

# %% tags=["nbval-check-output"]
names = ("input_pipeline", "training", "growth")
recorded = {
    name: read_json(ROOT / "results" / "benchmarks" / f"{name}.json")
    for name in names
}
about = pd.DataFrame({name: recorded[name]["machine"] for name in names})
about.loc[["device", "threads used", "torch", "commit", "date", "rounds"]].T

# %% tags=["nbval-check-output"]
SHORT = {
    "decord to the last frame, torchvision v2 per clip": "decord, per clip",
    "torchcodec to the last frame, torchvision v2 per clip": "torchcodec",
    "tblib: cached frames, one crop and colour matrix": "cached frames",
    "tblib, augmented on the device: what the processor does": "on the device",
    "losses by one Gram matrix (tblib)": "one Gram matrix",
    "two passes, one Gram matrix, channels last (tblib)": "two passes, …",
    "teachers without, four passes, channels last (tblib)": "without, …",
}
panels = {
    table["title"]: {SHORT[r["name"]]: r["gain"] for r in table["rows"][1:]}
    for name in ("input_pipeline", "training")
    for table in recorded[name]["tables"]
}
pd.DataFrame(
    [
        {"benchmark": title, "way": way, "gain": round(gain[0], 1)}
        for title, ways in panels.items()
        for way, gain in ways.items()
    ]
).set_index("benchmark")

# %%
plot.small(plot.gain_bars(panels))

# %% [markdown]
# Two lessons.  A quicker decoder alone gains little, because augmenting frame by frame costs as much
# as decoding; the gain comes from not decoding again *and* from recolouring a clip by one matrix.
# (*On the device* counts what is left to the processor.)  And a loss eight times as fast makes a
# step only a little faster: a gain counts by the share of the whole that it touches (Amdahl's law).
#
# What grows with the data?  Cost should be linear in what is used, and flat in what is not.

# %%
grown = {
    table["title"]: (
        [r["size"] for r in table["rows"]],
        [r["ms"] for r in table["rows"]],
    )
    for table in recorded["growth"]["tables"]
}
plot.growth_curves(grown)

# %% [markdown]
# Opening a cache is linear in the number of videos, and done once.  Choosing the videos of a step is
# flat: the order of an epoch is drawn once.
#
# ## On a GPU
#
# An H200, `r3d_18` at 112 pixels (its last stage {ref}`wrong then <our-own-mistakes>`, with as many
# operations), parts switched off.  `tblib.models.fast` has the layers
# that are not torch's.

# %% tags=["nbval-check-output"]
gpu = read_json(ROOT / "results" / "gpu" / "throughput.json")
peak = gpu["ceilings"]["matmul_tflops"]
kinds = {
    "pretraining": "pretraining, 16 videos",
    "student": "student, 32 and 32 clips",
}
steps = pd.DataFrame(
    [
        {"step": kind, "way": row["name"].partition(": ")[0], **row}
        for kind, title in kinds.items()
        for row in gpu[title]
    ]
).set_index(["step", "way"])
steps["of the matrix rate, %"] = 100 * steps.mfu
plain = steps.ms.xs("none of it", level="way")
steps["gain"] = plain / steps.ms
steps[["ms", "of the matrix rate, %", "gain"]].round(1)

# %%
panels = {
    kind: {
        way: (g, g, g) for way, g in steps.gain[kind].drop("none of it").items()
    }
    for kind in kinds
}
plot.small(plot.gain_bars(panels, "times as fast as none of it"))

# %% [markdown]
# *Of the matrix rate*: the operations that a step needs, over its time, as a share of what a large
# matrix product reaches here.  Batch norm and sums move memory and hardly compute;
# `torch.compile` fuses some of them (`hardware.compile: true`).  Is loading the
# limit?  On an H100, before those forms:

# %% tags=["nbval-check-output"]
earlier = read_json(ROOT / "results" / "gpu" / "throughput-h100.json")
supply = earlier["supply"]
print(
    f"{supply['workers']} processes load {supply['alone']:.0f} videos per second;"
)
print(f"the card trains on {supply['while training']:.0f} of them.")

# %% [markdown]
# ## Many devices
#
# Data-parallel training ({cite:alp}`ddp`) gives each of $N$ processes a part of the batch and averages
# their gradients.  That is exact if the loss is a mean over clips, as cross-entropy is.  A
# contrastive loss is not: each clip is compared with *all others of the batch*.  If each process
# compares within its part only, the task is another one, with fewer candidates to choose from:

# %%
batch = to_device(
    collate([samples[0, k, int(rows[k])] for k in range(stream.batch)]), device
)
with torch.no_grad():
    z, u, v = method.embeddings(batch.clips)
half = stream.batch // 2
split = [
    losses.nt_xent(z[0, part], z[1, part], 0.1).item()
    for part in (slice(0, half), slice(half, None))
]
pd.DataFrame(
    {
        "candidates": [2 * stream.batch - 1, 2 * half - 1],
        "NT-Xent": [losses.nt_xent(z[0], z[1], 0.1).item(), np.mean(split)],
    },
    index=["whole batch", "mean of two halves"],
).round(3)

# %% [markdown]
# So embeddings are gathered from all processes before the loss, *with their gradients*: the gradient
# of a gathered embedding flows back to the process that it came from.  Batch norm has to see
# the whole batch as well.  Then $N$ processes train what one process trains, up to the order of
# sums.  Real `torchrun`, two processes, gloo:


# %%
def train_pair(name, launch):
    """Five steps of joint pretraining; returns the loss of each."""
    folder = run.dir / "scaling" / name
    shutil.rmtree(folder, ignore_errors=True)
    options = small.runtime.model_copy(update={"launch": launch})
    config = small.model_copy(update={"runtime": options})
    job = Job("pair", "joint", steps=5, seed=0)
    return run_jobs(open_run(config, folder, 1), [job])["pair"].loss


one = train_pair("one", "")
two = train_pair("two", "torchrun --standalone --nproc-per-node=2")
pd.DataFrame({"one process": one, "two processes": two}).round(5)

# %% tags=["nbval-check-output"]
findings.check({"first loss the same": np.isclose(one[0], two[0], rtol=1e-4)})

# %% [markdown]
# The first loss agrees to six digits.  Then the two drift apart: sums are taken in another
# order, and Adam turns a gradient near zero into a whole step, up or down as rounding
# has it.  So the tests train in float64, where ten steps agree to eight digits.  For four GPUs a
# profile says `runtime: {launch: "torchrun --standalone --nproc-per-node=4", workers: 4}`.
#
# ## Stop, and go on
#
# Machines are shared, jobs have time limits, and a training of days will be interrupted.  Two
# properties make that harmless.  A state is saved whole or not at all, and every random choice
# follows from (seed, step), so there is no random state to lose.  A scheduler sends SIGTERM a little
# before it takes the machine away.  Watch a real process get one:

# %%
folder = run.dir / "scaling" / "stop"
shutil.rmtree(folder, ignore_errors=True)
stopped = open_run(small, folder, 1)
job = Job("model", "supervised", steps=60, seed=0)
note = write_json(
    folder / "training.json",
    {
        "profile": small.model_dump(mode="json"),
        "run_dir": str(folder),
        "chapter": 8,
        "job": asdict(job),
    },
)
command = [sys.executable, "-m", "tblib", "train", str(note)]
environment = os.environ | {"PYTHONPATH": str(ROOT)}
log = stopped.folder("model") / "metrics.jsonl"

# %% tags=["nbval-check-output"]
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
process = subprocess.Popen(command, env=environment, **quiet)
while process.poll() is None and not read_log(log):
    time.sleep(0.02)
process.send_signal(signal.SIGTERM)
print("exit code", process.wait())
saved = checkpoint.latest_state(stopped.folder("model"))["step"]
findings.check({"saved in the middle": 0 < saved < job.steps})

# %% [markdown]
# 75 is the exit code for *try again later*.  The same command goes on from the saved step.

# %% tags=["nbval-check-output"]
again = subprocess.run(command, env=environment, **quiet)
print("exit code", again.returncode)

# %% [markdown]
# Beside it, the same training without interruption:

# %%
undisturbed = open_run(small, run.dir / "scaling" / "whole", 1)
history = run_jobs(undisturbed, [job])["model"]

# %% tags=["nbval-check-output"]
first, second = (
    checkpoint.load_weights(place.folder("model"))
    for place in (undisturbed, stopped)
)
equal = all(torch.equal(first[name], second[name]) for name in first)
findings.check({"weights the same, bit for bit": equal})

# %% [markdown]
# Slurm does the same with `--signal=TERM@120`: two minutes before the limit.  Snakemake
# ({cite:alp}`snakemake`), which runs the graph of chapters, sees the code 75, submits the chapter
# again, and it goes on.  A kill without warning loses the steps since the last state, never the
# result. The settings, as they are in `workflow/slurm/`:

# %% tags=["remove-input"]
Code((ROOT / "workflow/slurm/config.yaml").read_text(), language="yaml")

# %% [markdown]
# ## A worked example: UCF101
#
# Before days of GPU time are spent, ask what they will be spent on.  The plan counts operations and
# memory of the network exactly, takes the videos from disk or, where they are not there, the
# published numbers, and needs one thing from you: the speed of the other machine.  Here it is that of
# the H200 above; on the machine itself leave the number out and it is measured.

# %%
ucf101 = load_profile("ucf101")
rate = peak * steps.mfu["pretraining", "ours"]
print(plan(ucf101, run.dir / "scaling" / "ucf101", tflops=rate))

# %% [markdown]
# Read it from the top.  Does the cache fit the disk?  Does a step fit the card?  At 224 pixels and 40
# videos a step does not fit 80 GB.  Ways out are smaller crops, which the profile names, or
# several cards.  Do the loading processes keep up?  Only then look at the hours; nearly all of them
# are pretraining.  Then, from disk to table:
#
# ```
# python -m tblib data verify --profile ucf101     # every file decoded and hashed
# python -m tblib data build --profile ucf101      # the frame cache, once
# make reproduce PLAN=1 PROFILE=ucf101 UCF101_ROOT=/data/UCF101
# make reproduce PROFILE=ucf101 UCF101_ROOT=/data/UCF101 WHERE=slurm
# python -m tblib record runs/ucf101 ucf101        # tables and run cards
# ```
#
# The first two take `UCF101_ROOT` from the environment.  Each line can be interrupted and given again.

# %% tags=["hide-input"]
table_rows = [
    [what, *(round(number, 1) for number in gain)]
    for what, gain in [*list(loading.items())[1:], *computing.items()]
]
run.save_metrics(
    {
        "step_seconds": parts,
        "bytes": of_video,
        "losses": {"one": list(one), "two": list(two)},
        "table": {
            "title": "What each optimisation gains",
            "columns": ["change", "median", "least", "most"],
            "rows": table_rows,
            "note": "Times as fast as the plain way, CPU time of one core, "
            "settings of smoke; the first two against decoding the file.",
        },
    }
)

# %% [markdown]
# ## Check yourself
#
# 1. A GPU shows 30 % utilisation.  What do you measure first?
#
# ```{admonition} Answer
# :class: dropdown
# The time to load a batch against the time to train on one.  If loading is slower, the GPU waits, and
# neither a faster network nor another GPU helps.
# ```
#
# 2. Why does a decoder that is twice as fast not make this loader twice as fast?
#
# ```{admonition} Answer
# :class: dropdown
# Decoding is a part of it.  Cutting, recolouring and converting remain.
# ```
#
# 3. Which of our losses could be divided among processes without gathering?
#
# ```{admonition} Answer
# :class: dropdown
# Cross-entropy, distillation, and also the local–local and global–local losses: they compare clips
# within a video only.  Batch norm would still differ.
# ```
#
# 4. Why is no random state saved in a checkpoint?
#
# ```{admonition} Answer
# :class: dropdown
# Order, crops and colours are drawn from (seed, step, position), so step 500 has the same clips
# whoever makes them and whatever happened before.
# ```
#
# ## Exercises
#
# 1. **Easy.** Four GPUs hold 40 videos each.  How many candidates has a clip in NT-Xent with and
#    without gathering, and what is the loss of features that know nothing?
#
# ```{admonition} Solution
# :class: dropdown
# 2 · 160 − 1 = 319 and 2 · 40 − 1 = 79.  The loss is the logarithm: 5.77 and 4.37.  Losses of runs
# with different batches must not be compared.
# ```
#
# 2. **Easy.** Loading a batch takes 300 ms, training on it 100 ms.  How many loading processes are
#    enough, and how much faster is a step than without any?
#
# ````{admonition} Solution
# :class: dropdown
# Three; then both sides take 100 ms, a quarter of the 400 ms in turns.
#
# ```python
# def pace(workers, load=300, train=100):
#     return max(load / workers, train) if workers else load + train
#
#
# print({workers: pace(workers) for workers in range(6)})
# assert pace(3) == pace(5) == 100 and pace(0) / pace(3) == 4
# ```
# ````
#
# 3. **Middle.** Your disk has 500 GB for Kinetics-400.  Which side can the frames have as JPEG?
#
# ````{admonition} Solution
# :class: dropdown
# Bytes grow with the square of the side: 140 pixels.
#
# ```python
# def fits(side):
#     return cache_bytes("kinetics400", side, "jpeg") < 500e9
#
#
# side = max(filter(fits, range(400)))
# print(side, cache.size(cache_bytes("kinetics400", side, "jpeg")))
# assert side == 140 and not fits(side + 1)
# ```
# ````
#
# 4. **Harder.** Show that gathering is exact.  Every process computes the loss of the whole batch;
#    backwards the $N$ gradients of an embedding are summed, then parameter gradients are averaged.
#    Play two processes in one, with a linear layer as the network.
#
# ````{admonition} Solution
# :class: dropdown
# Each process sends gradients through its own embeddings only, and gets as many copies of them as
# there are processes; the average divides by that number.
#
# ```python
# layer = torch.nn.Linear(6, 4, bias=False).double()
# x = torch.randn(2, 8, 6, dtype=torch.float64)
#
#
# def contrast(own):
#     """The loss of the whole batch; rows that are not `own` are constants."""
#     e = normalize(layer(x), dim=-1)
#     mine = torch.zeros(8, 1, dtype=torch.bool).index_fill(0, own, True)
#     e = torch.where(mine, e, e.detach())
#     return losses.nt_xent(e[0], e[1], 0.1)
#
#
# (alone,) = torch.autograd.grad(contrast(torch.arange(8)), layer.weight)
# shares = [torch.arange(4), torch.arange(4, 8)]
# ranks = [torch.autograd.grad(contrast(s), layer.weight)[0] for s in shares]
# summed = [2 * g for g in ranks]  # two equal losses, their gradients summed
# averaged = sum(summed) / 2
# print((averaged - alone).abs().max().item())
# assert torch.allclose(averaged, alone)
# ```
# ````
#
# ## What to read next
#
# The roofline model ({cite:alp}`roofline`) is the picture behind *who waits for whom*; data-parallel
# training is told by its authors ({cite:alp}`ddp`); why contrast wants many negatives, by SimCLR
# ({cite:alp}`simclr`).  In the repository, `benchmarks/README.md` has all numbers and
# `workflow/slurm/README.md` the cluster.  **Next in this book:** does the claim hold?

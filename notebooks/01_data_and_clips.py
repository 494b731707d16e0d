# %% [markdown]
# # 1. Data and clips
#
# *You will learn*
#
# - what separates the two kinds of actions that this book is about, in pictures and in a table;
# - how a video file becomes numbers without ever giving you a wrong frame;
# - who may be labelled, and why that is decided by scenes and not by clips;
# - where clips sit in time, and how two views of one clip are made to look different.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, under a minute at `laptop` (nearly all
# of it spent drawing the videos, once).

# %% tags=["parameters"]
profile = "smoke"  # or laptop, ucf101-laptop, ucf101
run_dir = ""  # "" means runs/<profile>
seed = 0
overrides = {}  # e.g. {"data.label_fraction": 0.1}

# %%
import tblib

run = tblib.start(globals(), chapter=1)

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch
from IPython.display import display

from tblib.data import stickactions
from tblib.data.augment import Augment, resize
from tblib.data.clips import SparseDense, UniformClips
from tblib.data.loader import ClipSamples, Stream, loader, to_device
from tblib.data.video import decode
from tblib.lesson import findings, plot
from tblib.lesson.listing import listing

plot.use_book_style()

# %% [markdown]
# ## What a still picture cannot say
#
# You know image classification: one picture in, one class out.  Here are still frames from the
# middle of a few videos.  Say for each what the person does.


# %%
def look(name, px=96):
    """Frames of one video of a class: drawn afresh for StickActions, else decoded from a file."""
    if run.videos.name.startswith("stickactions"):
        return stickactions.sample(name, px=px, seed=5).frames
    table = run.videos.table
    return decode(table[table.class_name == name].path.iloc[0], px=px)


classes = run.videos.classes
strips = {name: look(name) for name in classes}
few = np.linspace(0, len(classes) - 1, min(8, len(classes))).astype(int)
middle = [strips[classes[k]][len(strips[classes[k]]) // 2] for k in few]
middle = np.concatenate([resize(frame[None], 96) for frame in middle])
# Fewer colours keep the notebook small.
plot.small(plot.frame_strip(middle, title="one frame each"), 256)

# %% [markdown]
# Some are easy, because something large gives them away.  Others are a person in a pose, on the
# way from somewhere to somewhere.  Now over time, named, one video of each class:

# %%
plot.contact_sheet(strips, n=8)

# %% [markdown]
# ## The videos
#
# The book comes with *StickActions*: a small program draws articulated people doing named actions
# and writes real H.264 files, sorted into folders and list files exactly as UCF101 has them.  There
# are two families of classes, made to disagree about time:
#
# * **persistent** classes are told by something large that stays, the equipment; the body moves in
#   one of a few rhythms that all these classes share;
# * **phased** classes are told by the order of sub-actions; the place and the things in it are
#   shared, and some classes consist of the same sub-actions in another order.
#
# The paper's idea rests on such a difference: for the first family one clip is as good as any
# other, for the second it matters which part of the video a clip shows.

# %%
videos = run.videos
counts = (
    videos.table.groupby(["family", "class_name", "split"])
    .size()
    .unstack(fill_value=0)
)
counts

# %% [markdown]
# ### Time is not motion
#
# Persistent videos are not still pictures: somebody rows, somebody drums.  Two numbers keep the
# two things apart.  *Motion* is how much a frame differs from the next.  *Lasting change* is how
# much the mean picture of the first quarter differs from that of the last; what is repeated
# cancels in it.  Both are in grey levels, from a few training videos of each class.


# %%
def motion_and_change(video):
    """Mean grey levels by which frames differ from the next, and the ends from each other."""
    frames = np.asarray(video, dtype=np.float32)
    quarter = max(len(frames) // 4, 1)
    ends = frames[:quarter].mean(0) - frames[-quarter:].mean(0)
    return np.abs(np.diff(frames, axis=0)).mean(), np.abs(ends).mean()


train = videos.table[videos.table.split == "train"]
some = train.groupby("class_name").head(4)
pair = [motion_and_change(run.pool.cache[row]) for row in some.index]
columns = ["motion", "lasting change"]
measured = pd.DataFrame(pair, some.index, columns, dtype=float)
kinds = [some.family, some.class_name]
measured.groupby(kinds).mean().sort_values("lasting change").round(1)

# %% [markdown]
# What to look for: do the families separate, in either column?  We expected the second one to do it.
# The few classes of `smoke` may look tidy, but with all classes of StickActions it fails.  A camera
# that pans past a piano changes every pixel for good, although nothing happens; somebody who bows and
# stands up again leaves little trace.  Pixels are the wrong place to ask whether a video stays alike.
# Chapter 5 asks the same question of learned features.
#
# ### What the generator knows
#
# Beside each StickActions file stands its ground truth: which sub-action each frame shows, which
# pixels belong to the actor, and the exact optical flow.  Training never sees it; we use it to
# check what a network has understood.

# %%
if videos.name.startswith("stickactions"):
    file = videos.table.path.iloc[-1]
    truth, frames = stickactions.ground_truth(file), decode(file)[:-1]
    actor = np.where(truth["mask"][:-1, ..., None], frames, 245)
    rows = {
        "video": frames,
        "actor": actor,
        "flow": plot.flow_colours(truth["flow"]),
    }
    print(
        f"{videos.table.video.iloc[-1]}: {truth['family']}, phases",
        np.unique(truth["phase"]),
    )
    display(plot.small(plot.contact_sheet(rows, n=10), 256))

# %% [markdown]
# ## Reading a file: once, from front to back
#
# Video files are not arrays.  Frames are stored as differences, and asking a reader for "frame 57"
# makes it jump to a key frame and count.  With the old AVI files of UCF101 that count is often
# wrong: the reader returns *some* frame, without an error.  So every file here is decoded exactly
# once, sequentially, and all frames are kept, scaled down, as bytes; clips are cut from those.  The
# same pass counts the true number of frames and writes down a hash, which is the *manifest*.

# %%
pool = run.pool
pool.cache.manifest[
    ["video", "frames", "fps", "width", "height", "sha256"]
].head()

# %% [markdown]
# A cached video is an array of bytes `[N, h, w, 3]`: frames, height, width, colours.  Decoding the
# file again gives the same bytes.  (Large profiles keep JPEG pictures instead, which differ by a grey
# level or two.)

# %% tags=["nbval-check-output"]
row = int(pool.rows("train")[0])
again = decode(videos.table.path[row], px=run.config.data.cache_px)
difference = np.abs(np.array(pool.cache[row], dtype=int) - again)
print("mean difference:", difference.mean(), "grey levels, dtype", again.dtype)

# %% [markdown]
# ## Who is labelled
#
# A *group* is a set of clips cut from one recording (UCF101) or showing one actor in one place
# (StickActions).  No group is on both sides of the train/test split.  We go one step further: the
# labelled subset takes whole groups, so that an unlabelled clip is never a near-copy of a labelled
# one.  Subsets of different sizes are nested and every class gets the same number of labels.
# `spare` are the remaining clips of a group of which only some are labelled: nobody uses their
# label, but pretraining may look at them.  (The table has no such column where there are none.)

# %%
table = videos.table.assign(role=pool.roles)
table.groupby(["class_name", "role"]).size().unstack(fill_value=0)

# %% tags=["nbval-check-output"]
groups = {role: set(part.group) for role, part in table.groupby("role")}
print(
    "labelled and unlabelled share groups:",
    bool(groups["labelled"] & groups["unlabelled"]),
)
print(
    "test and training share groups:      ",
    bool(groups["test"] & (groups["labelled"] | groups["unlabelled"])),
)

# %% [markdown]
# ## Where clips sit in time
#
# A *clip* is $T$ frames with a *stride* $r$: with $T = 8$ and $r = 2$ it covers 16 frames of video.
# The distinctive pretraining needs a special arrangement, shown below.  A sparse **global** clip
# spans a long window.  $S$ dense **local** clips tile the same window.  A network that keeps $S$ time
# slots of the global clip can then be asked: which local clip shows what slot $k$ shows?

# %%
clip = run.config.pretrain.clip
rng = np.random.default_rng(seed)
views = SparseDense(clip.frames, clip.stride, run.config.pretrain.slots)
index = views.indices(len(pool.cache[row]), rng)
print("ten clips of one video, frame numbers [V, T] =", index.shape)
plot.clip_timeline(len(pool.cache[row]), index[0], index[2 : 2 + views.slots])
# %% [markdown]
# As a formula, with a random start $t_0$ and $j = 0, \dots, T - 1$: the global clip shows the frames
# $t_0 + j\,S\,r$, local clip $k = 1, \dots, S$ the frames $t_0 + \bigl((k - 1)T + j\bigr)\,r$.  Both
# cover $STr$ frames.  (The
# letters are those of [Notation](../book/notation.md).)  The code is the formula, twice over, because
# every clip is wanted in two views:

# %% tags=["remove-input"]
listing(SparseDense.indices)

# %% [markdown]
# `mirror`, inside `clip`, is for videos that are too short: they are played back and forth.
#
# Testing needs no luck: ten clips, evenly spread, and the mean of their predictions is the
# prediction for the video.

# %% tags=["nbval-check-output"]
print(UniformClips(clip.frames, clip.stride, 10).indices(70)[:, 0].tolist())
print(
    UniformClips(clip.frames, clip.stride, 1).indices(5)[0].tolist(),
    "from a video of five frames",
)

# %% [markdown]
# ## Two views of one clip
#
# Contrastive learning asks a network to recognise a clip in disguise.  The disguise is drawn once
# per clip and applied to all its frames: a crop, a flip, one colour matrix, sometimes a grey box.
# (If every frame got its own, the motion would drown in flicker.)  All colour changes are a single
# 3×4 matrix, so that augmentation costs less than a tenth of the training step.

# %%
augment = Augment(
    run.config.data.crop_px,
    run.config.pretrain.crop_min,
    run.config.pretrain.jitter,
    erase=0.5,
)
clips = np.stack([augment(pool.cache[row][index[0]], rng) for _ in range(4)])
plot.views(clips)
# %% [markdown]
# ## A batch
#
# The loader stacks the views of several videos.  On the device the order is views first, `[V, B, 3,
# T, H, W]`, so that all clips of one kind go through the network together.

# %% tags=["nbval-check-output"]
stream = Stream("train", batch=4, views=views, augment=augment, distinct=True)
samples = ClipSamples(pool.cache, pool.labels, stream, seed)
batches = list(loader(samples, pool.rows("train"), first=0, steps=3))
batch = to_device(batches[2], torch.device("cpu"))
inside = bool((batch.clips >= 0).all() and (batch.clips <= 1).all())
findings.check({f"clips {list(batch.clips.shape)} in [0, 1]": inside})

# %% [markdown]
# What a batch holds depends on the seed and the step, and on nothing else.  Here is step 2 once
# more, as a run sees it that was interrupted and starts there:

# %% tags=["nbval-check-output"]
resumed = next(iter(loader(samples, pool.rows("train"), first=2, steps=3)))
findings.check({"step 2 is the same": torch.equal(resumed[0], batches[2][0])})

# %% [markdown]
# From file to batch, the shapes of this chapter in one table:

# %%
video = pool.cache[row]
shapes = {
    "a video [N, h, w, 3]": video.shape,
    "frame numbers of its views [V, T]": index.shape,
    "its clips, cut [V, T, h, w, 3]": video[index].shape,
    "augmented, four of them [., T, H, W, 3]": clips.shape,
    "a batch on the device [V, B, 3, T, H, W]": tuple(batch.clips.shape),
}
pd.Series({k: str(list(v)) for k, v in shapes.items()}, name="shape").to_frame()

# %% [markdown]
# ## What this chapter leaves behind
#
# Counts and frames go into the run directory.  Nothing has been trained, and no label was used for
# anything but dividing the videos.

# %% tags=["hide-input"]
run.save_metrics(
    {
        "videos": len(videos.table),
        "frames": int(pool.cache.frames.sum()),
        "table": {
            "title": "Videos by role",
            "columns": ["role", "videos"],
            "rows": [
                [role, int(n)] for role, n in table.role.value_counts().items()
            ],
            "note": f"{videos.name}, {run.config.data.label_fraction:.0%} labels, seed {seed}",
        },
    }
)

# %% [markdown]
# ## Check yourself
#
# 1. What is the difference between a video, a clip and a view?
#
# ```{admonition} Answer
# :class: dropdown
# A video is a whole file.  A clip is $T$ of its frames at a fixed stride.  A view is an augmented
# copy of a clip: same frames, other crop and colours.
# ```
#
# 2. Slot 3 of the global clip and local clip 3 show the same time.  Do they show the same frames?
#
# ```{admonition} Answer
# :class: dropdown
# Not quite.  The slot has every $S r$-th frame of that quarter, the local clip every $r$-th.  The
# network sees the stretch once coarsely and once finely.
# ```
#
# 3. Why are labels handed out by group and not clip by clip?
#
# ```{admonition} Answer
# :class: dropdown
# Clips of a group are nearly copies.  With one labelled and its twin unlabelled, a network that
# recognises the wall behind the actor would seem to have learnt from unlabelled video.
# ```
#
# 4. An augmentation must not change the class.  Which common one would, for phased videos?
#
# ```{admonition} Answer
# :class: dropdown
# Playing the clip backwards: lying down becomes getting up.
# ```
#
# ## Exercises
#
# 1. **Easy.** How many different frames of a video does the global, sparse clip see, and how many the local, dense
#    clips together?  Count them for the window drawn above.
#
# ````{admonition} Solution
# :class: dropdown
# The sparse clip sees $T$ frames, the dense ones $S\,T$, none of them twice while the video is as
# long as the window.
#
# ```python
# sparse, dense = set(index[0]), set(index[2 : 2 + views.slots].ravel())
# window = views.slots * clip.span
# print(len(sparse), "and", len(dense), "of a window of", window, "frames")
# if len(video) >= window:
#     assert (len(sparse), len(dense)) == (clip.frames, views.slots * clip.frames)
# assert sparse <= set(range(len(video)))
# ```
# ````
#
# 2. **Middle.** Why does a batch for contrastive learning never contain a video twice?
#
# ```{admonition} Solution
# :class: dropdown
# The second copy would be counted among the *other* videos, and the loss would push apart clips
# that it should pull together.
# ```
#
# 3. **Middle.** A view sampler is anything with `indices(n_frames, rng)`.  Write one that shows a
#    random clip and the same clip backwards, and put it through the loader with augmentation off.
#
# ````{admonition} Solution
# :class: dropdown
# Nothing else has to change: stream and loader only ask for `[V, T]`.
#
# ```python
# from tblib.data.clips import RandomClip
#
#
# class ForthAndBack:
#     """A random clip, and the same frames in reverse."""
#
#     def indices(self, n_frames, rng):
#         (one,) = RandomClip(clip.frames, clip.stride).indices(n_frames, rng)
#         return np.stack([one, one[::-1]])
#
#
# off = Augment(run.config.data.crop_px, crop_min=1.0, jitter=0, flip=0)
# both = Stream("train", batch=4, views=ForthAndBack(), augment=off)
# samples = ClipSamples(pool.cache, pool.labels, both, seed)
# raw = next(iter(loader(samples, pool.rows("train"), first=0, steps=1)))
# forth, back = to_device(raw, torch.device("cpu")).clips  # [B, 3, T, H, W] each
# assert torch.equal(forth, back.flip(2))
# ```
# ````
#
# 4. **Harder.** The text says that motion would drown in flicker if every frame had its own
#    augmentation.  Measure it with `motion_and_change`: one augmentation for the whole clip, against
#    a fresh one for each frame.
#
# ````{admonition} Solution
# :class: dropdown
# Frame by frame, differences between neighbours are mostly those of crop and colour.
#
# ```python
# rng = np.random.default_rng(0)
# rows = pool.rows("train")[:8]
# cut = [pool.cache[r][views.indices(len(pool.cache[r]), rng)[2]] for r in rows]
# together = [augment(frames, rng) for frames in cut]
# alone = [
#     np.concatenate([augment(frame[None], rng) for frame in frames])
#     for frames in cut
# ]
# consistent, flickering = (
#     np.mean([motion_and_change(frames)[0] for frames in made])
#     for made in (together, alone)
# )
# print(f"motion {consistent:.1f} grey levels, with flicker {flickering:.1f}")
# assert flickering > 2 * consistent
# ```
# ````
#
# 5. **Harder.** Subsets should be nested: whoever has a label in a small share has it in a larger
#    one too.  Check it with `tblib.data.splits.label_subset`, and show that another seed draws
#    others.
#
# ````{admonition} Solution
# :class: dropdown
# The order within a class depends on seed and class name alone, and a larger share takes more of
# the same list.
#
# ```python
# from tblib.data.splits import label_subset
#
# share = run.config.data.label_fraction
# small, large = (
#     set(label_subset(videos.table, f, seed))
#     for f in (share, min(2 * share, 1.0))
# )
# draws = [set(label_subset(videos.table, share, k)) for k in range(5)]
# print(len(small), "of", len(large), "·", len(small & draws[1]), "in another")
# assert small < large and any(draw != draws[0] for draw in draws)
# ```
# ````
#
# ## What to read next
#
# UCF101's report ({cite:alp}`ucf101`) tells how real groups came about, and Kinetics
# ({cite:alp}`kinetics`) what a collection without them looks like.  Sparse and dense clips of one
# window are the idea of TCLR ({cite:alp}`tclr`).  **Next in this book:** two networks that learn from
# these clips without any label, and what each of them ends up knowing.

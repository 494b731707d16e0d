# %% [markdown]
# # Data and clips
#
# *You will learn* how a video file becomes numbers a network can see: which videos there are and
# who may be labelled, how a file is read without ever getting a wrong frame, where clips sit in
# time, and how two clips of one video are made to look different.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, under a minute at `laptop` (nearly all
# of it spent drawing 840 videos, once).

# %% tags=["parameters"]
profile = "smoke"  # or laptop, ucf101-laptop, ucf101
run_dir = ""  # "" means runs/<profile>
seed = 0
overrides = {}  # e.g. {"data.label_fraction": 0.1}

# %%
import tblib

run = tblib.start(globals(), chapter=1)

# %%
import numpy as np
import torch
from IPython.display import display

from tblib import plot
from tblib.data import stickactions
from tblib.data.augment import Augment
from tblib.data.clips import SparseDense, UniformClips
from tblib.data.loader import ClipSamples, Stream, loader, to_device
from tblib.data.video import decode

plot.use_book_style()

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
# One video of each class, drawn larger than the training files.  Try to name the phased ones from a
# single frame.


# %%
def look(name, px=96):
    """Frames of one video of a class: drawn afresh for StickActions, else decoded from a file."""
    if videos.name.startswith("stickactions"):
        return stickactions.sample(name, px=px, seed=5).frames
    return decode(
        videos.table[videos.table.class_name == name].path.iloc[0], px=px
    )


plot.contact_sheet({name: look(name) for name in videos.classes}, n=8)
# %% [markdown]
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
    display(plot.contact_sheet(rows, n=10))

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
# A cached video is an array of bytes `[N, h, w, 3]`.  Decoding the file again gives the same bytes:

# %% tags=["nbval-check-output"]
row = int(pool.rows("train")[0])
again = decode(videos.table.path[row], px=run.config.data.cache_px)
print(
    "same bytes:",
    np.array_equal(pool.cache[row], again),
    "· dtype",
    again.dtype,
)

# %% [markdown]
# ## Who is labelled
#
# A *group* is a set of clips cut from one recording (UCF101) or showing one actor in one place
# (StickActions).  No group is on both sides of the train/test split.  We go one step further: the
# labelled subset takes whole groups, so that an unlabelled clip is never a near-copy of a labelled
# one.  Subsets of different sizes are nested and every class gets the same number of labels.
# `spare` are the remaining clips of a group of which only some are labelled: nobody uses their
# label, but pretraining may look at them.

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
# A *clip* is `T` frames with a *stride*: T = 8 and stride 2 covers 16 frames of video.  The
# distinctive pretraining needs a special arrangement, shown below.  A sparse **global** clip spans
# a long window.  Four dense **local** clips tile the same window.  A network that keeps four time
# slots of the global clip can then be asked: which local clip shows what slot $k$ shows?

# %%
clip = run.config.pretrain.clip
rng = np.random.default_rng(seed)
views = SparseDense(clip.frames, clip.stride, run.config.pretrain.slots)
index = views.indices(len(pool.cache[row]), rng)
print("ten clips of one video, frame numbers [V, T] =", index.shape)
plot.clip_timeline(len(pool.cache[row]), index[0], index[2 : 2 + views.slots])
# %% [markdown]
# Testing needs no luck: ten clips, evenly spread, and the mean of their predictions is the
# prediction for the video.  If a video is shorter than a clip, it is played back and forth.

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
print(
    "clips",
    list(batch.clips.shape),
    "in [0, 1]:",
    bool((batch.clips >= 0).all() and (batch.clips <= 1).all()),
)

# %% [markdown]
# What a batch holds depends on the seed and the step, and on nothing else.  Here is step 2 once
# more, as a run sees it that was interrupted and starts there:

# %% tags=["nbval-check-output"]
resumed = next(iter(loader(samples, pool.rows("train"), first=2, steps=3)))
print("step 2 is the same:", torch.equal(resumed[0], batches[2][0]))

# %% [markdown]
# ## What this chapter leaves behind

# %%
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
# ## Exercises
#
# 1. **Easy.** How many frames of a 70-frame video does the sparse clip above see, and how many the
#    four dense clips together?
#
# ```{admonition} Solution
# :class: dropdown
# The sparse clip sees T = 8 frames, the dense ones 4 · 8 = 32 different frames, of a window of 4 ·
# 8 · 2 = 64 frames.
# ```
#
# 2. **Middle.** Why does a batch for contrastive learning never contain a video twice?
#
# ```{admonition} Solution
# :class: dropdown
# The second copy would be counted among the *other* videos, and the loss would push apart clips
# that it should pull together.
# ```
#
# 3. **Harder.** With 5 % of the labels and groups of two clips, how many labelled clips has a class
#    with 30 training videos, and how many become `spare`?  Check with `tblib.data.splits.roles`.
#
# ```{admonition} Solution
# :class: dropdown
# 0.05 · 30 = 1.5, rounded to 2: one whole group, so nothing is left over and no clip is spare.
# `splits.roles(videos.table, 0.05, seed=0).value_counts()` shows it.
# ```
#
# **Next:** two networks that learn from these clips without any label, and what each of them ends
# up knowing.

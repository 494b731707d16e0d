# %% [markdown]
# # Self-supervised pretraining
#
# *You will learn* how a network can be trained without labels to ignore time (the **invariant**
# one) or to notice it (the **distinctive** one), which clips attract and which repel in each case,
# and how to measure what came out.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, about 7 minutes at `laptop`.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=2)
earlier = run.metrics(1)  # chapter 1 must have been run here

# %%
import inspect
import math

import numpy as np
import pandas as pd
import torch
from IPython.display import Code

from tblib import evaluate, losses, plot, reweight
from tblib.data.loader import ClipSamples, loader, to_device
from tblib.features import features, time_retrieval
from tblib.jobs import Job, run_jobs
from tblib.pretrain import METHODS
from tblib.pretrain.contrast import TemporalContrast

plot.use_book_style()
c, device = run.config, run.device

# %% [markdown]
# ## One game, two rule books
#
# Contrastive learning is a game of recognition.  A clip is turned into a vector of length one; the
# vector must be closer to its *positive* than to any of its *negatives*.  With cosine similarity
# and a temperature $\tau$ that is a classification problem, and its loss is the cross-entropy (eq.
# {eq}`eq-nt-xent`).  Everything depends on who is called positive and who negative:
#
# | | positive | negatives |
# |---|---|---|
# | **invariant** $f_I$ | other clips of the same video, at any time | clips of *other* videos |
# | **distinctive** $f_D$ | the same time of the same video | *other times* of the same video |
#
# The first network is rewarded for forgetting when a clip was taken, the second for knowing it.
# Note what is absent: $f_I$ never repels clips of the same video, and $f_D$ never looks at another
# video.
#
# ## From a batch to the loss
#
# A method asks for a batch of videos in ten views each: the global clip twice, four local clips
# twice.

# %%
torch.manual_seed(seed)
method = METHODS["joint"](c)
stream = method.streams()["videos"]
samples = ClipSamples(run.pool.cache, run.pool.labels, stream, seed)
batch = to_device(
    next(iter(loader(samples, run.pool.rows("train"), 0, 1))), device
)
print("clips [V, B, 3, T, H, W] =", list(batch.clips.shape))

# %% [markdown]
# The network embeds each global clip as a whole, $z$, and each of its four time slots, $u$; the
# local clips give $v$.  The backbone must not pool time away: four slots have to survive.

# %% tags=["nbval-check-output"]
with torch.no_grad():
    z, u, v = method.to(device).embeddings(batch.clips)
print(
    "slots:",
    u.shape[2],
    "· same shape for slots and local clips:",
    u.shape == v.shape,
)
print(
    "unit length:",
    all(
        torch.allclose(t.norm(dim=-1), torch.ones(()).to(t)) for t in (z, u, v)
    ),
)

# %% [markdown]
# The losses are pure functions of these vectors.  This is the local–local loss in full, and the
# NT-Xent it is made of:

# %% tags=["remove-input"]
Code(
    inspect.getsource(losses.nt_xent)
    + "\n\n"
    + inspect.getsource(losses.local_local),
    language="python",
)

# %% [markdown]
# Fast code is easy to get wrong, so here is the same loss as its definition says it, with loops:


# %% tags=["nbval-check-output"]
def local_local_with_loops(v, tau):
    """Each local clip must find its own time in the other view, among clips of its video only."""
    total = []
    for first, second in zip(
        v[0], v[1], strict=True
    ):  # one video at a time: [S, D]
        clips = torch.cat([first, second])  # 2S clips
        for i, clip in enumerate(clips):
            others = [j for j in range(len(clips)) if j != i]
            positive = (i + len(first)) % len(clips)
            logits = torch.stack([clip @ clips[j] / tau for j in others])
            total.append(logits.logsumexp(0) - clip @ clips[positive] / tau)
    return torch.stack(total).mean()


tau = c.pretrain.temperature_time
print(
    "equal:",
    torch.allclose(
        losses.local_local(v, tau), local_local_with_loops(v, tau), atol=1e-4
    ),
)

# %% [markdown]
# ### What a loss says about knowledge
#
# A cross-entropy has a natural yardstick.  If all embeddings are equal, every candidate is equally
# likely and the loss is the logarithm of their number: $\log 7 = 1.95$ for the local–local loss
# (seven other clips of the video), $\log 4 = 1.39$ for the global–local loss (four slots).  A loss
# that sits on that value has learnt nothing, whatever the curve looked like on the way.  An
# untrained network can be worse than that: its random opinions are confident.

# %%
parts = {
    "instance (15 terms)": (
        losses.instance_contrast(z, v, c.pretrain.temperature),
        15 * math.log(2 * z.shape[1] - 1),
    ),
    "local–local": (losses.local_local(v, tau), math.log(2 * v.shape[2] - 1)),
    "global–local": (losses.global_local(u, v, tau), math.log(v.shape[2])),
}
pd.DataFrame(
    {k: [float(a), b] for k, (a, b) in parts.items()},
    index=["untrained", "knows nothing"],
).T.round(2)

# %% [markdown]
# ## Training
#
# Three trainings, each a *job*: a name, a method, a number of steps and a seed.  As in the paper
# all three start from random weights:
#
# * `ssl_invariant`: instance contrast only.
# * `ssl_distinctive`: local–local and global–local only.
# * `ssl_joint`: all three losses.  It will initialise the student later, as in the paper.
#
# The distinctive losses are the delicate ones.  Inside one video there are only eight clips, and a
# network that gives all of them the same vector sits comfortably on the plateau $\log 7$.  Whether
# training gets below it depends on the learning rate and on patience; the dashed line in the second
# figure shows whether it did here.
#
# ### A loss that falls for the wrong reason
#
# The released code sends every slot through the projection head in a pass of its own, so that batch
# norm subtracts the batch mean of *that slot*.  A first version of this book did the same, and its
# local–local loss fell quickly and far below $\log 7$, on motionless videos as well.  It had learnt
# nothing about time.  The mean of a few dozen clips deviates from zero by chance; subtracted from
# all clips of slot $k$, in both views, that deviation *is* a name tag for slot $k$.  A network only
# has to make its features small and its chance deviations large.  Scored with fixed statistics, as
# at test time, its clips of one video were all but identical.  Here all slots therefore go through
# the head in one batch: one mean for all, no name tags.  The loss falls later and less, and what it
# learns is time.  Exercise 4 lets you see the shortcut.

# %%
o = c.pretrain
jobs = [
    Job("ssl_invariant", "invariant", o.steps_invariant, c.seed),
    Job("ssl_distinctive", "distinctive", o.steps_distinctive, c.seed),
    Job("ssl_joint", "joint", o.steps_joint, c.seed),
]
curves = run_jobs(run, jobs)

# %% [markdown]
# ### The curves
#
# First the instance loss, divided by its 15 terms so that the yardstick is the log of the number of
# candidates; then the local–local loss of the two trainings that use it.

# %%
ic = {
    n: curves[f"ssl_{n}"].assign(ic=curves[f"ssl_{n}"].ic / 15)
    for n in ("invariant", "joint")
}
plot.training_curves(
    ic,
    y="ic",
    ylabel="instance loss per term",
    reference={"knows nothing": math.log(2 * o.batch - 1)},
)
# %%
ll = {n: curves[f"ssl_{n}"] for n in ("distinctive", "joint")}
plot.training_curves(
    ll,
    y="ll",
    ylabel="local–local loss",
    reference={"log 7: knows nothing": math.log(2 * o.slots - 1)},
)
# %% [markdown]
# ## What did they learn?
#
# Three measurements on features of the backbone, none of which touches the test videos:
#
# 1. **kNN accuracy**: do videos of one class lie together?  Neighbours are the labelled videos; the
#    unlabelled training videos are scored, with labels that no training has seen.
# 2. **time retrieval**: given a clip of the video, can the same clip be found again in another
#    random augmentation, among clips of the same video at other times?  The two are cropped,
#    mirrored and coloured differently, as in training, so a comparison of pixels does not help.
#    High means *distinctive*; chance is one over the number of clips.  The space is that after the
#    projection head, where the losses are computed.
# 3. **clip similarity**: the mean cosine between different clips of a video.  High means
#    *invariant*.

# %%
n, labels = c.similarity.clips, torch.tensor(run.pool.labels)
labelled, unlabelled = run.pool.rows("labelled"), run.pool.rows("unlabelled")


def probe(name):
    """The three measurements for one encoder; the name "" is the untrained network."""
    wide, known = (
        features(run, name, unlabelled, n),
        features(run, name, labelled, n),
    )
    guess = evaluate.knn_probe(known.mean(1), labels[labelled], wide.mean(1))
    found = time_retrieval(run, name, unlabelled, projected=True)
    return {
        "kNN accuracy, %": 100
        * float(np.mean(guess == labels[unlabelled].numpy())),
        "time retrieval, %": 100 * found.mean().item(),
        "clip similarity": reweight.raw_similarity(wide).mean().item(),
    }


# %%
names = ["", *curves]
probes = pd.DataFrame({name or "untrained": probe(name) for name in names}).T
print(
    f"chance: kNN {100 / len(run.videos.classes):.1f} %, "
    f"time retrieval {100 / o.slots:.1f} %"
)
probes.round(3)

# %% [markdown]
# Read the table by rows.  *Invariant* and *distinctive* are not names we give to the networks but
# claims that the middle and the right column support or refute, for this run and this data. Compare
# with the untrained network, not only with chance: random filters already tell times and classes
# apart to some degree, because pixels do.
#
# ## The whole method in one file
#
# A pretraining method owns no loop, no files and no device.  It says which clips it wants and turns
# a batch into named losses.  The three methods of this chapter differ in one line each.

# %% tags=["remove-input"]
Code(
    inspect.getsource(TemporalContrast)
    + "\n\n"
    + inspect.getsource(METHODS["distinctive"]),
    language="python",
)

# %%
run.save_metrics(
    {
        "probes": probes.to_dict("index"),
        "final_loss": {
            name: curve.iloc[-1].to_dict() for name, curve in curves.items()
        },
        "table": {
            "title": "What pretraining learnt",
            "columns": ["encoder", *probes.columns],
            "rows": [
                [name, *map(float, values.round(3))]
                for name, values in probes.iterrows()
            ],
            "note": "kNN from labelled to unlabelled training videos; no test videos.",
        },
    }
)

# %% [markdown]
# ## Exercises
#
# 1. **Easy.** For a batch of 24 videos, how many negatives has a global clip in $L_{IC}$?
#
# ```{admonition} Solution
# :class: dropdown
# 2 · 24 − 2 = 46: both views of the 23 other videos.
# ```
#
# 2. **Middle.** A video of a person playing the piano looks the same at all times.  What is the
#    lowest local–local loss a perfect network could reach on it, and what would it have to use
#    instead of the action?
#
# ```{admonition} Solution
# :class: dropdown
# If nothing tells the times apart, all clips are equal and log 7 cannot be beaten.  A network that
# does get below it has found something else that changes: a drifting camera, a flickering light,
# the position in a repeating movement.
# ```
#
# 3. **Harder.** Change `local_local` so that clips of other videos are negatives as well.  Which of
#    the three measurements would you expect to rise?
#
# ```{admonition} Solution
# :class: dropdown
# `losses.nt_xent(v[0].flatten(0, 1), v[1].flatten(0, 1), tau)` treats all B·S clips as candidates.
# The network must then also tell videos apart, which it can do by appearance: kNN accuracy may
# rise, and the task no longer forces it to look at time, since most negatives are easy.
# ```
#
# 4. **Hard.** See the shortcut of batch norm.  Take features that say nothing about time, small noise
#    with a rare large clip among it, and push them through a projection head in train mode: once
#    slot by slot, once in one batch.  How often is the right time the nearest in the other view?
#
# ```{admonition} Solution
# :class: dropdown
# With `h = 0.01 * torch.randn(2, S, B, D) + 10 * (torch.rand(2, S, B, 1) < 0.08) * torch.randn(2, S, B, D)`
# and a `ProjectionHead`: `torch.stack([head(h[:, k].flatten(0, 1)) for k in range(S)])` finds most
# of the times, `head(h.flatten(0, 2))` about one in S.  `tests/test_pretrain.py` holds the experiment
# as a test.
# ```
#
# **Next:** for which classes is which kind of feature better?

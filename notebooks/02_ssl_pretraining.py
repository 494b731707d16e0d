# %% [markdown]
# # 2. Self-supervised pretraining
#
# *You will learn*
#
# - how a network is trained without labels to ignore time (the **invariant** one, $f_I$) or to
#   notice it (the **distinctive** one, $f_D$);
# - which clips attract and which repel in each case, and the loss that says so;
# - how to read a contrastive loss: when it means nothing, and when it falls for a wrong reason;
# - how to measure what came out.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, 5 to 7 minutes at `laptop`.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=2)
earlier = run.metrics(1)  # chapter 1 must have been run here

# %% tags=["hide-input"]
import math

import numpy as np
import pandas as pd
import torch

from tblib.data.loader import ClipSamples, loader, to_device
from tblib.engine import evaluate
from tblib.lesson import findings, plot
from tblib.lesson.listing import listing
from tblib.methods import losses, reweight
from tblib.methods.job import Job
from tblib.methods.pretrain import METHODS
from tblib.methods.pretrain.contrast import TemporalContrast
from tblib.run.features import features, time_retrieval
from tblib.run.jobs import run_jobs
from tblib.run.models import build_method, other_pretrainings

plot.use_book_style()
c, device = run.config, run.device

# %% [markdown]
# ## One game, two rule books
#
# Contrastive learning is a game of recognition.  A clip is turned into a vector of length one; the
# vector must be closer to its *positive* than to any of its *negatives*.  Everything depends on who
# is called what.  Below, every row and every column is a short clip.  There are three videos, each
# with two views of four times.  Find the row of one clip and follow it to the right.

# %%
plot.contrast_roles(videos=3, slots=c.pretrain.slots)

# %% [markdown]
# | | positive | negatives |
# |---|---|---|
# | **invariant** $f_I$ | other clips of the same video, at any time | clips of *other* videos |
# | **distinctive** $f_D$ | the same time of the same video | *other times* of the same video |
#
# The first network is rewarded for forgetting when a clip was taken, the second for knowing it.
# Note what is absent: $f_I$ never repels clips of the same video, and $f_D$ never looks at another
# video.
#
# With cosine similarity and a temperature $\tau$ the game is a classification problem: name the
# positive among the candidates.  For a clip $\mathbf w$ with positive $\mathbf w'$ its loss is
#
# $$
# -\log \frac{\exp(\mathbf w^\top \mathbf w' / \tau)}
#             {\sum_j \exp(\mathbf w^\top \mathbf w_j / \tau)} ,
# $$
#
# the sum over all candidates, the positive among them.  Averaged over clips this is NT-Xent
# {eq}`(1) <eq-nt-xent>`.  The instance loss {eq}`(2) <eq-instance>`, the local–local loss
# {eq}`(3) <eq-local-local>` and the global–local loss {eq}`(4) <eq-global-local>` are this one,
# played with different lists.
#
# ## From a batch to the loss
#
# A method asks for a batch of videos in ten views each: the global clip twice, four local clips
# twice.

# %%
method = build_method(
    run, Job("ssl_joint", "joint", c.pretrain.steps_joint, seed)
)
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
lengths = torch.cat([t.norm(dim=-1).flatten() for t in (z, u, v)])
print("slots:", u.shape[2])
findings.check(
    {
        "same shape for slots and local clips": u.shape == v.shape,
        "unit length": torch.allclose(lengths, torch.ones_like(lengths)),
    }
)

# %%
with torch.no_grad():
    maps = method.learner.backbone(batch.clips[:2].flatten(0, 1))
shapes = {
    "global clips [2 B, 3, T, H, W]": batch.clips[:2].flatten(0, 1).shape,
    "feature map [2 B, D', T', H', W']": maps.shape,
    "z, whole global clips [2, B, D]": z.shape,
    "u, their slots [2, B, S, D]": u.shape,
    "v, local clips [2, B, S, D]": v.shape,
}
pd.Series({k: str(list(s)) for k, s in shapes.items()}, name="shape").to_frame()

# %% [markdown]
# One round of $f_D$'s game, by hand: the first local clip of the first video against all others of
# that video.  Its positive is time 1 in view 2.  Minus the log of that row's probability is one of
# the $2S$ terms that the local–local loss averages for this video.

# %%
tau = c.pretrain.temperature_time
times = [
    f"view {a}, time {k}" for a in (1, 2) for k in range(1, v.shape[2] + 1)
]
cosine = (v[:, 0].flatten(0, 1) @ v[0, 0, 0])[1:]  # all but the clip itself
contest = {
    "cosine": cosine.cpu(),
    "probability": (cosine / tau).softmax(0).cpu(),
}
pd.DataFrame(contest, index=times[1:]).round(3)

# %% [markdown]
# The losses are pure functions of these vectors.  This is the local–local loss in full, and the
# NT-Xent it is made of:

# %% tags=["remove-input"]
listing(losses.nt_xent, losses.local_local)

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


quick, slow = losses.local_local(v, tau), local_local_with_loops(v, tau)
findings.check({"equal": torch.allclose(quick, slow, atol=1e-4)})

# %% [markdown]
# ### What a loss says about knowledge
#
# A cross-entropy has a natural yardstick.  If all embeddings are equal, every candidate is equally
# likely and the loss is the logarithm of their number: $\log 7 = 1.95$ for the local–local loss
# (seven other clips of the video), $\log 4 = 1.39$ for the global–local loss (four slots).  A loss
# that sits on that value has learnt nothing, whatever the curve looked like on the way.  An
# untrained network can be worse than that: its random opinions are confident.

# %%
terms = 1 + 2 * (2 * c.pretrain.slots - 1)
parts = {
    f"instance ({terms} terms)": (
        losses.instance_contrast(z, v, c.pretrain.temperature),
        terms * math.log(2 * z.shape[1] - 1),
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
# learns is time.  This surprised us more than anything else in the book: the best-looking curve
# belonged to the emptiest network.  Exercise 5 lets you see the shortcut.
#
# ### The three trainings
#
# They run side by side where the profile allows, and go on where they were stopped.  Any two
# pretrainings may be the teachers, `student.teachers`.

# %%
o = c.pretrain
jobs = [
    Job("ssl_invariant", "invariant", o.steps_invariant, c.seed),
    Job("ssl_distinctive", "distinctive", o.steps_distinctive, c.seed),
    Job("ssl_joint", "joint", o.steps_joint, c.seed),
    *other_pretrainings(c),
]
curves = run_jobs(run, jobs)

# %% [markdown]
# ### The curves
#
# First the instance loss, divided by its 15 terms so that the yardstick is the log of the number of
# candidates; then the local–local loss of the two trainings that use it.

# %%
ic = {
    n: curves[f"ssl_{n}"].assign(ic=curves[f"ssl_{n}"].ic / terms)
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
labelled, unlabelled = run.pool.rows("labelled"), run.pool.rows("checked")


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
names = ["", "ssl_invariant", "ssl_distinctive", "ssl_joint"]
probes = pd.DataFrame({name or "untrained": probe(name) for name in names}).T
print(
    f"chance: kNN {100 / len(run.videos.classes):.1f} %, "
    f"time retrieval {100 / o.slots:.1f} %"
)
probes.round(3)

# %%
ends = {name: curve.tail(3).mean() for name, curve in curves.items()}
nothing = math.log(2 * o.slots - 1), math.log(2 * o.batch - 1)
found = probes["time retrieval, %"] / 100
findings.shown(
    findings.plateau(
        "The local–local loss of f_D", ends["ssl_distinctive"].ll, nothing[0]
    ),
    findings.plateau(
        "One term of the instance loss of f_I",
        ends["ssl_invariant"].ic / terms,
        nothing[1],
    ),
    *(
        findings.against_chance(
            f"Times found by {who}", found[name], 1 / o.slots, len(unlabelled)
        )
        for who, name in {
            "f_D": "ssl_distinctive",
            "f_I": "ssl_invariant",
            "the untrained network": "untrained",
        }.items()
    ),
)

# %% [markdown]
# Read the table by rows.  *Invariant* and *distinctive* are not names we give to the networks but
# claims that the middle and the right column support or refute, for this run and this data. Compare
# with the untrained network, not only with chance: random filters can tell classes, and sometimes
# times, apart to some degree, because pixels do.
#
# Two things to look for.  First, a trained $f_I$ need not have the highest similarity: the untrained
# network makes *all* clips alike, those of different videos too.  Second, the two names are a matter
# of degree.  Nobody forbids $f_I$ to know the time, it is only never asked.
#
# ## The whole method in one file
#
# A pretraining method owns no loop, no files and no device.  It says which clips it wants and turns
# a batch into named losses.  The three methods of this chapter differ in one line each.

# %% tags=["remove-input"]
listing(TemporalContrast, METHODS["distinctive"])

# %% tags=["hide-input"]
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
# ## Check yourself
#
# 1. For a batch of 24 videos, how many negatives has a global clip in $L_{IC}$?
#
# ```{admonition} Answer
# :class: dropdown
# 2 · 24 − 2 = 46: both views of the 23 other videos.
# ```
#
# 2. A run of $f_D$ ends with a local–local loss of 1.95.  Another ends at 0.3 and finds the times of
#    motionless videos too.  Which one do you trust?
#
# ```{admonition} Answer
# :class: dropdown
# Neither.  The first sits on $\log 7$ and knows nothing.  The second solves a task that has no
# solution in the pictures, so it must have found a leak.
# ```
#
# 3. Why must the backbone of $f_D$ not pool time away?
#
# ```{admonition} Answer
# :class: dropdown
# $L_{GL}$ compares the slots of the global clip with local clips.  After pooling there would be one
# vector for all slots, and slot $k$ could not find local clip $k$.
# ```
#
# 4. What keeps $f_I$ from giving every clip of every video the same vector?
#
# ```{admonition} Answer
# :class: dropdown
# The other videos in the batch.  With equal vectors the loss is the log of the number of candidates,
# and pushing other videos away lowers it.
# ```
#
# ## Exercises
#
# 1. **Easy.** Give all clips the same vector and compute the three losses.  Do they have the values
#    that the column "knows nothing" claims?
#
# ````{admonition} Solution
# :class: dropdown
# Equal logits make every candidate equally likely.
#
# ```python
# one = v.shape[-1] ** -0.5
# same_z, same_u, same_v = (torch.full_like(t, one) for t in (z, u, v))
# found = {
#     "instance (15 terms)": losses.instance_contrast(same_z, same_v, 0.1),
#     "local–local": losses.local_local(same_v, tau),
#     "global–local": losses.global_local(same_u, same_v, tau),
# }
# for name, loss in found.items():
#     print(f"{name}: {loss:.3f}")
#     assert math.isclose(loss, parts[name][1], rel_tol=1e-3)
# ```
# ````
#
# 2. **Middle.** A video of a person playing the piano looks the same at all times.  What is the
#    lowest local–local loss a perfect network could reach on it, and what would it have to use
#    instead of the action?
#
# ```{admonition} Solution
# :class: dropdown
# If nothing tells the times apart, all clips are equal and $\log 7$ cannot be beaten.  A network that
# does get below it has found something else that changes: a drifting camera, a flickering light,
# the position in a repeating movement.
# ```
#
# 3. **Middle.** Write a method that uses the instance and the global–local loss, and take ten steps on
#    the batch above.  Does its loss fall?
#
# ````{admonition} Solution
# :class: dropdown
# A method is one line; the rest is plain PyTorch.  To train it as the others, add it to `METHODS`.
#
# ```python
# class InstanceAndGlobal(TemporalContrast):
#     """Instance and global–local contrast, no local–local."""
#
#     use = ("ic", "gl")
#
#
# mine = InstanceAndGlobal(method.learner).to(device).train()
# optimiser = torch.optim.AdamW(mine.parameters(), lr=1e-3)
# values = []
# for _ in range(10):
#     optimiser.zero_grad()
#     out = mine(videos=batch)
#     out["loss"].backward()
#     optimiser.step()
#     values.append(out["loss"].item())
# print([round(x, 1) for x in values])
# assert out.keys() == {"loss", "ic", "gl"} and values[-1] < values[0]
# ```
# ````
#
# 4. **Harder.** Change the local–local loss so that clips of other videos are negatives as well.
#    Check that videos now influence each other.  Which of the three measurements would you expect to
#    rise?
#
# ````{admonition} Solution
# :class: dropdown
# All $B S$ clips of a view become candidates.  The network must then also tell videos apart, which
# it can do by appearance: kNN accuracy may rise, and the task no longer forces it to look at time,
# since most negatives are easy.
#
# ```python
# def everyone(v, tau):
#     """NT-Xent over the local clips of all videos."""
#     return losses.nt_xent(v[0].flatten(0, 1), v[1].flatten(0, 1), tau)
#
#
# def pulls_on_others(loss):
#     """How much a change of the second video moves the gradient of the first."""
#     grads = []
#     for change in (1, -1):
#         w = v.clone()
#         w[:, 1] *= change
#         w.requires_grad_()
#         grads.append(torch.autograd.grad(loss(w, tau), w)[0][:, 0])
#     return (grads[0] - grads[1]).abs().max().item()
#
#
# assert pulls_on_others(losses.local_local) == 0 < pulls_on_others(everyone)
# ```
# ````
#
# 5. **Harder.** See the shortcut of batch norm.  Take features that say nothing about time, small
#    noise with a rare large clip among it, and push them through a projection head in train mode:
#    once slot by slot, once in one batch.  How often is the right time the nearest in the other view?
#
# ````{admonition} Solution
# :class: dropdown
# Slot by slot most times are found, although there is nothing to find.
#
# ```python
# from tblib.models import ProjectionHead
#
# torch.manual_seed(0)
# S, B, D = 4, 64, 128
# rare = torch.rand(2, S, B, 1) < 0.08
# h = 0.01 * torch.randn(2, S, B, D) + 10 * rare * torch.randn(2, S, B, D)
# head = ProjectionHead(D, D).train()
# slots = torch.stack([head(h[:, k].flatten(0, 1)) for k in range(S)])
# leaky = slots.unflatten(1, (2, B)).permute(1, 2, 0, 3)  # [2, B, S, D]
# fair = head(h.flatten(0, 2)).unflatten(0, (2, S, B)).transpose(1, 2)
# found = [evaluate.time_retrieval(*e).mean().item() for e in (leaky, fair)]
# print("slot by slot {:.0%}, in one batch {:.0%}".format(*found))
# assert found[0] > 0.5 and abs(found[1] - 1 / S) < 0.1
# ```
# ````
#
# ## What to read next
#
# SimCLR ({cite:alp}`simclr`) for the game itself, CVRL ({cite:alp}`cvrl`) for its invariant form on
# video, TCLR ({cite:alp}`tclr`) for the distinctive losses.  Two older ways to make a network notice
# time are in the study of chapter 9: clip order ({cite:alp}`vcop`) and temporal transformations
# ({cite:alp}`temptrans`).  **Next in this book:** for which classes is which kind of feature better?

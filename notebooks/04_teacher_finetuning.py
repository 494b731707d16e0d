# %% [markdown]
# # 4. Finetuning the teachers
#
# *You will learn*
#
# - what few labels make of the two pretrained networks;
# - how a video, and not a clip, is scored;
# - which comparisons tell whether pretraining helped, and which only seem to;
# - how much there is to win by choosing between the teachers, before any score is invented.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, 1 to 2 minutes at `laptop`.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=4)
earlier = run.metrics(2)  # chapter 2 must have been run here

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch

from tblib import stats
from tblib.data.augment import centre_crop
from tblib.data.clips import UniformClips
from tblib.data.loader import to_input
from tblib.engine import evaluate
from tblib.lesson import findings, plot
from tblib.lesson.listing import listing
from tblib.methods import semi
from tblib.methods.job import Job
from tblib.models import Classifier, parameter_count, pool
from tblib.run.features import features
from tblib.run.jobs import run_jobs
from tblib.run.models import load_classifier, other_teachers, predict

plot.use_book_style()
c, classes = run.config, run.videos.classes
labels, test = torch.tensor(run.pool.labels), run.pool.rows("test")

# %% [markdown]
# ## What a clip sees
#
# A network sees clips, but labels belong to videos.  Here is one test video as a classifier meets
# it: clips spread evenly over the video, one to a row.

# %%
views = UniformClips(
    c.finetune.clip.frames, c.finetune.clip.stride, c.evaluate.clips
)
video = np.asarray(run.pool.cache[test[-1]])
cut = video[views.indices(len(video))]  # [n, T, h, w, 3]
print(classes[labels[test[-1]]], "· clips [n, T, h, w, 3] =", list(cut.shape))
shown = range(0, len(cut), max(len(cut) // 3, 1))
plot.contact_sheet({f"clip {k + 1}": cut[k] for k in shown})

# %% [markdown]
# Could each row be named by itself?  If a row misses the telling part, a label that is right for
# the video is wrong for the clip, and training on it teaches noise.  The stride decides how much of
# an action a clip shows; the [design log](../book/design-log.md) has what it does to accuracy.
#
# ## Few labels
#
# A classifier is the backbone, an average over time and space, and one linear layer.  It sees
# labelled clips only.  For a clip $x$ with label $y$ it minimises the cross-entropy
# $-\log \mathrm{softmax}(f(x))_y$, the first term of {eq}`(8) <eq-student>`.  All of it is trained, not
# just the last layer.  The network and the training step in full:

# %% tags=["remove-input"]
listing(Classifier, semi.Supervised.forward)

# %%
o = c.finetune
print(
    f"{len(run.pool.rows('labelled'))} labelled of {len(run.pool.rows('train'))} training videos"
)


def labels_only(name, steps, init="", **options):
    """Training on labelled clips alone, from a pretraining or from scratch."""
    return Job(name, "supervised", steps, c.seed, init=init, options=options)


n = c.student.steps
jobs = [
    labels_only("teacher_invariant", o.steps, "ssl_invariant"),
    labels_only("teacher_distinctive", o.steps, "ssl_distinctive"),
    labels_only("supervised_scratch", n),
    labels_only("supervised_ssl", n, "ssl_joint"),
    labels_only("supervised_full", n, "ssl_joint", pool="train"),
    *other_teachers(c),
]
curves = run_jobs(run, jobs)

# %% [markdown]
# Besides the two teachers there are three systems to compare with.  `supervised_scratch` starts
# from random weights: what labels alone give.  `supervised_ssl` starts from the joint pretraining,
# like the student later: most published tables forget this baseline, and without it the gain of a
# semi-supervised method cannot be told from the gain of its initialisation.  `supervised_full` starts
# there too and sees the labels of *all* training videos: the upper line.  These three take as many
# steps on as many clips as the student will, so that it is compared with equals; the teachers, which
# are parts of it, take `finetune.steps`.

# %%
plot.training_curves(dict(curves.items()), y="loss")
# %% [markdown]
# A low loss is cheap here: a handful of labelled videos can be learnt by heart.  The curves say
# whether training worked, not whether anything general was learnt.
#
# ## Scoring videos
#
# One clip shows a fraction of a video.  The score of a video is the mean over clips spread evenly over
# it, a centre crop each, no flips (ten in the paper and here, fewer at `smoke`):
#
# $$
# \mathbf p(v) = \frac1n \sum_{j=1}^{n} \mathrm{softmax}\bigl(f(x_j)\bigr) .
# $$
#
# The average is taken over probabilities, not over logits; exercise 3 shows that it matters.  By
# hand, for the video above:

# %% tags=["nbval-check-output"]
model = load_classifier(run, "teacher_invariant")
crops = np.stack([centre_crop(clip, c.data.crop_px) for clip in cut])
x = to_input(torch.from_numpy(crops)).to(run.device)
with torch.no_grad():
    maps = model.backbone(x)
    logits = model.head(pool(maps))
by_hand = logits.softmax(1).mean(0).cpu()
for name, shape in {
    "clips [n, 3, T, H, W]": x.shape,
    "feature maps [n, D, T', H', W']": maps.shape,
    "logits [n, K]": logits.shape,
    "the video [K]": by_hand.shape,
}.items():
    print(f"{name:32s}{list(shape)}")
same = predict(run, "teacher_invariant", test[-1:])[0]
findings.check(
    {"as the library does it": torch.allclose(by_hand, same, atol=1e-3)}
)

# %% [markdown]
# Now all test videos and all five systems:

# %% tags=["nbval-check-output"]
p = {job.name: predict(run, job.name, test) for job in jobs}
sums = torch.stack([q.sum(1) for q in p.values()])
print("videos × classes:", list(p["teacher_invariant"].shape))
findings.check({"rows sum to one": torch.allclose(sums, torch.ones_like(sums))})


# %%
def score(name):
    """Accuracy on the test videos with its 95 % interval, percent."""
    hits = (p[name].argmax(1) == labels[test]).numpy()
    interval = stats.group_interval(hits, run.videos.table.group[test])
    return {
        "system": name,
        "top1": 100 * hits.mean(),
        "low": 100 * interval.low,
        "high": 100 * interval.high,
    }


table = pd.DataFrame([score(name) for name in p])
plot.accuracy_bars(table, {"chance": 100 / len(classes)})
# %% [markdown]
# The intervals say how much another draw of test videos could change a number.  Videos of one group
# show one scene and are right or wrong together, so whole groups are drawn.  The intervals do **not**
# contain the effect of another seed (other labelled videos, another start), which is usually
# larger.  One run is an anecdote: only the same run with other seeds tells how large.
#
# Three readings of such a figure.  *Did pretraining help?*  Compare `supervised_ssl` with
# `supervised_scratch`, not a teacher with it, unless both take equally many steps.  *Do labels limit
# us?*  Look at the distance to
# `supervised_full`.  If it is small, unlabelled videos have little left to give, whatever method is
# used; that happened to us with an earlier, larger share of labels.  *Which teacher is better?*  The
# least interesting of the three, since the method is about which videos and not about how many.
#
# ## Where the teachers differ
#
# Now the paper's figure itself: test accuracy by class, invariant minus distinctive.

# %%
truth = labels[test]
per_class = {
    kind: evaluate.per_class_accuracy(p[f"teacher_{kind}"], truth, len(classes))
    / 100
    for kind in ("invariant", "distinctive")
}
plot.per_class_difference(
    per_class["invariant"], per_class["distinctive"], classes, run.families
)
# %% [markdown]
# Mixing two teachers can only help on videos where exactly one of them is right.  How many are
# there?

# %%
right = {
    kind: (p[f"teacher_{kind}"].argmax(1) == truth).numpy()
    for kind in ("invariant", "distinctive")
}
plot.agreement_map(
    right["invariant"], right["distinctive"], truth.numpy(), classes
)
# %%
test_pair = stats.mcnemar(right["invariant"], right["distinctive"])
either = right["invariant"] | right["distinctive"]
print(
    f"only invariant right: {test_pair.only_a}, only distinctive: {test_pair.only_b}, "
    f"p = {test_pair.p:.3f} if videos were independent"
)
print(
    f"a perfect choice between the two teachers would reach {100 * either.mean():.1f} %"
)
hits = {name: (q.argmax(1) == truth).numpy() for name, q in p.items()}
findings.shown(
    findings.premise(right["invariant"], right["distinctive"]),
    findings.compared(
        "labels after pretraining",
        "labels alone",
        hits["supervised_ssl"],
        hits["supervised_scratch"],
    ),
)

# %% [markdown]
# The last number is the ceiling for choosing a teacher per video.  The question of the next chapter
# is how much of the way there a similarity score gets us.
#
# ### More alike than what they were made from
#
# Chapter 3 compared frozen features; now they have been finetuned on the same labels.  Did that make
# them more alike?  Accuracy changed too, so count the test videos where exactly one of the two is
# right, and put beside it the number to be expected if their errors had nothing to do with each other.


# %%
def probed(name):
    """Which test videos a linear probe on frozen features gets right."""
    rows = run.pool.rows("labelled")
    known, asked = (
        features(run, name, r, c.similarity.clips).mean(1) for r in (rows, test)
    )
    guess = evaluate.linear_probe(known, labels[rows], asked)
    return guess == truth.numpy()


kinds = ("invariant", "distinctive")
frozen = {kind: probed(f"ssl_{kind}") for kind in kinds}
lines = {}
for stage, hits in {"frozen": frozen, "finetuned": right}.items():
    a, b = (hits[kind] for kind in kinds)
    lines[stage] = {
        "invariant right": a.mean(),
        "distinctive right": b.mean(),
        "exactly one right": (a != b).mean(),
        "if independent": a.mean() * (1 - b.mean()) + b.mean() * (1 - a.mean()),
    }
(100 * pd.DataFrame(lines).T).round(1)

# %% [markdown]
# What to look for: how far the third column lies below the fourth, in either row.  Both networks find
# the same videos easy, so some distance is normal.  What surprised us was the second row.  The labels
# ask both networks the same question, every weight may move, and what pretraining made different
# wears off.  A method that lives on the difference between two teachers should be worried by a
# small third column.  In the StickActions study of chapter 9, a teacher from an unrelated pretext
# task kept more of its own opinion than $f_D$ did; on UCF101 it did not.

# %% tags=["hide-input"]
card = load_classifier(run, "teacher_invariant")
run.save_metrics(
    {
        "accuracy": table.set_index("system").round(2).to_dict("index"),
        "per_class_difference": dict(
            zip(
                classes,
                (
                    100 * (per_class["invariant"] - per_class["distinctive"])
                ).tolist(),
                strict=True,
            )
        ),
        "either_teacher_right": 100 * float(either.mean()),
        "mcnemar_p": float(test_pair.p),
        "parameters": parameter_count(card),
        "clips_seen": o.steps * o.batch,
        "table": {
            "title": "Finetuned on the labelled videos, tested on the test videos",
            "columns": ["system", "top-1, %", "95 % low", "95 % high"],
            "rows": [
                [r.system, round(r.top1, 1), round(r.low, 1), round(r.high, 1)]
                for r in table.itertuples()
            ],
            "note": f"teachers {o.steps}, others {c.student.steps} steps of {o.batch} clips; "
            f"{len(test)} test videos; one seed.",
        },
    }
)

# %% [markdown]
# ## Check yourself
#
# 1. Why is `supervised_ssl` in the list, although no part of the method uses it?
#
# ```{admonition} Answer
# :class: dropdown
# The student starts from the same weights.  Without this row, what the start gives would be counted
# as a gain of distillation.
# ```
#
# 2. Two teachers reach 80 % each; either is right on 82 %.  What can the best weighting add by
#    choosing between them?
#
# ```{admonition} Answer
# :class: dropdown
# Two points, if it never errs.  (A mixture may be right where both are wrong, when two second
# choices coincide, but that is luck.)
# ```
#
# 3. The interval of a system over test videos is ±4 points.  A second seed gives a result eight points lower.  Is
#    something broken?
#
# ```{admonition} Answer
# :class: dropdown
# Not necessarily.  The interval is about other test videos for *this* network.  Another seed draws
# other labelled videos, and with few labels that can matter more.
# ```
#
# 4. Frozen and finetuned networks are compared above on the same videos, but not on the same clips.
#    What differs, and could it explain the second row of the table?
#
# ```{admonition} Answer
# :class: dropdown
# Probes see clips of the pretraining's stride, teachers those of finetuning.  A longer stride shows
# more of the video and makes *both* teachers more often right, which lowers the number of
# disagreements by itself.  That is why the last column stands beside it.
# ```
#
# ## Exercises
#
# 1. **Easy.** Why must `supervised_full` not be called a competitor?
#
# ```{admonition} Solution
# :class: dropdown
# It uses labels the others do not have.  It bounds what any semi-supervised method can hope for
# with this network and this number of steps.
# ```
#
# 2. **Easy.** With 120 independent test videos and 50 % accuracy, how wide is the 95 % interval?  How
#    many videos would halve it?
#
# ````{admonition} Solution
# :class: dropdown
# The width falls with the square root of the number: four times as many videos.
#
# ```python
# def width(n):
#     """Wilson's interval at 50 % of n videos, in points from end to end."""
#     interval = stats.wilson(n // 2, n)
#     return 100 * (interval.high - interval.low)
#
#
# print(f"{width(120):.1f} points, with 480 videos {width(480):.1f}")
# assert abs(width(120) / width(480) - 2) < 0.05
# ```
# ````
#
# 3. **Middle.** Average the logits of the clips instead of their probabilities.  Construct three
#    clips for which the two rules disagree, then count test videos on which they do.
#
# ````{admonition} Solution
# :class: dropdown
# Averaging logits multiplies (and renormalises) probabilities, so a single clip that is very sure
# *against* a class can veto it; averaging probabilities lets a few sure clips carry the video.  For
# phased classes, where only some clips show the telling part, the second is kinder.
#
# ```python
# def by_logits(p):
#     """Mean of the logs, which are logits up to a constant: `[N, K]`."""
#     return p.clamp_min(1e-12).log().mean(1).softmax(1)
#
#
# three = torch.tensor([[[0.9, 0.1], [0.9, 0.1], [0.001, 0.999]]])
# net, d = load_classifier(run, "teacher_distinctive"), c.data
# some = evaluate.clip_probabilities(
#     net, run.pool.cache, test, views, d.crop_px, run.device
# )
# rules = evaluate.video_probabilities, by_logits
# one, other = (rule(some).argmax(1) for rule in rules)
# print(f"{(one != other).sum()} of {len(test)} videos get another class")
# assert [rule(three).argmax().item() for rule in rules] == [0, 1]
# ```
# ````
#
# 4. **Harder.** Finetune a third teacher, from the joint pretraining.  How much can it add at most to
#    the two, and how much does a plain average of three reach?
#
# ````{admonition} Solution
# :class: dropdown
# The ceiling can only rise.  The average is another matter.
#
# ```python
# run_jobs(run, [labels_only("teacher_joint", o.steps, "ssl_joint")])
# third = predict(run, "teacher_joint", test)
# three = either | (third.argmax(1) == truth).numpy()
# mean = (p["teacher_invariant"] + p["teacher_distinctive"] + third) / 3
# print(
#     f"ceiling {100 * either.mean():.1f} to {100 * three.mean():.1f} %, "
#     f"average of three {evaluate.accuracy(mean, truth):.1f} %"
# )
# assert three.mean() >= either.mean()
# ```
# ````
#
# ## What to read next
#
# R3D and its relatives ({cite:alp}`r3d`) are the networks behind most of the paper's table.  S4L
# ({cite:alp}`s4l`) asks for images what this chapter asks for videos: how much of a semi-supervised
# gain is pretraining.  **Next in this book:** one number per video that says whom to believe.

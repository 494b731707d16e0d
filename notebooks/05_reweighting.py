# %% [markdown]
# # 5. Whom to believe: temporal similarity
#
# *You will learn*
#
# - how one number per video, computed without labels, weights the two teachers;
# - which choices hide in that number, and which of them is decisive;
# - how to tell whether it carries information, and about what;
# - how many videos a weighting can change at all.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, half a minute at `laptop`.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=5)
earlier = run.metrics(4)  # chapter 4 must have been run here

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from tblib.engine import evaluate
from tblib.lesson import findings, plot
from tblib.lesson.listing import listing
from tblib.methods import reweight
from tblib.run.features import features
from tblib.run.models import predict

plot.use_book_style()
c, classes, families = run.config, run.videos.classes, run.families
labels, test = torch.tensor(run.pool.labels), run.pool.rows("test")
everyone, pool_rows = np.arange(len(run.videos.table)), run.pool.rows("train")

# %% [markdown]
# ## Two videos
#
# Cut clips evenly from a video, take their features, and compare all pairs.  If all clips look alike
# the action does not depend on time, and the invariant teacher should be believed; if they differ,
# the distinctive one.  That is the whole idea.
#
# The paper fixes neither which features are compared, nor how many clips, nor how the result is
# brought into [0, 1], and the released code reads the scores from a file that was not released.
# These are *our* declarations, all in one place, the section `similarity` of the profile:

# %%
print(c.similarity)
name = f"ssl_{c.similarity.features}"
h = features(
    run, name, everyone, c.similarity.clips, projected=c.similarity.projected
)
raw = reweight.raw_similarity(h)
print(
    f"raw similarity from {raw.min():.3f} to {raw.max():.3f}, median {raw.median():.3f}"
)
g = reweight.fit_map(raw[pool_rows], c.similarity.map, c.similarity.temperature)
s = g(raw)

# %% [markdown]
# The training video with the most similar clips, and the one with the least.  A square of the matrix
# is a pair of clips; a bright one is a pair that looks alike.

# %%
order = torch.tensor(pool_rows)[s[pool_rows].argsort()]


def described(row):
    """What the figure needs to know of one video."""
    row = int(row)
    title = run.videos.table.class_name[row]
    return {
        "matrix": reweight.similarity_matrix(h[row]).numpy(),
        "frames": np.asarray(run.pool.cache[row]),
        "s": float(s[row]),
        "title": title,
    }


plot.similarity_pair(described(order[-1]), described(order[0]))
# %% [markdown]
# Read the lower matrix along its diagonal.  Neighbours in time may look alike although first and last
# clip do not; blocks are phases.  The score throws this structure away and keeps one number.
#
# ## The score
#
# With features $\mathbf h_1, \dots, \mathbf h_n$ of length one, the number is the mean over all pairs
# of different clips, brought to $[0, 1]$ by a map $g$ {eq}`(5) <eq-similarity>`:
#
# $$
# S(v) = \frac{1}{n(n-1)} \sum_{j \ne l} \mathbf h_j^\top \mathbf h_l , \qquad s(v) =
# g\bigl(S(v)\bigr) .
# $$
#
# It weights the class probabilities of the teachers {eq}`(6) <eq-mixture>`:
#
# $$
# \mathbf p_T(x) = s(v)\, \mathbf p_I(x) + \bigl(1 - s(v)\bigr)\, \mathbf p_D(x) .
# $$
#
# In code these are three short functions:

# %% tags=["remove-input"]
listing(reweight.similarity_matrix, reweight.raw_similarity, reweight.mix)

# %%
shapes = {
    "features of all videos [N, n, D]": h.shape,
    "similarity matrices [N, n, n]": reweight.similarity_matrix(h).shape,
    "raw similarities [N]": raw.shape,
    "scores [N]": s.shape,
}
pd.Series({k: str(list(v)) for k, v in shapes.items()}, name="shape").to_frame()

# %% [markdown]
# ### The map decides
#
# Raw similarities lie near one.  Used as they are, they would believe the invariant teacher in nearly
# every video.  The map $g$ is therefore the decisive free choice.  `rank` means: the share of the
# training videos that are less similar.  `minmax` keeps distances, `logistic` is a soft switch at the
# median, `identity` is no map at all.  Each is fitted on the training pool (no labels, no test
# videos) and then applied to all.  What five videos from the least to the most similar would get:

# %%
at = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0])
five = raw[pool_rows].quantile(at.to(raw))
columns = {
    kind: reweight.fit_map(raw[pool_rows], kind)(five) for kind in reweight.MAPS
}
pd.DataFrame({"raw": five, **columns}, index=[f"{q:.0%}" for q in at]).round(3)

# %% [markdown]
# All four keep the order of the videos and disagree about everything else.  With the map of this
# profile, every video and its class:

# %%
known = run.pool.rows("known")
plot.score_distribution(
    s[known].numpy(), labels[known].numpy(), classes, families
)
# %% [markdown]
# ## Does the score carry information?
#
# Two questions.  Where the families are known: does $s$ rank persistent above phased videos?  And
# everywhere: is $s$ higher where the invariant teacher is right and the distinctive one wrong than
# the other way round?  Both are answered by an AUC: the chance that a random video of the first
# kind has a higher score than one of the second; 0.5 means no information, below 0.5 means the
# opposite of the claim. The videos are the unlabelled training videos, which no teacher was trained
# on.

# %%
unlabelled = run.pool.rows("checked")
teachers = {
    kind: predict(run, f"teacher_{kind}", unlabelled)
    for kind in ("invariant", "distinctive")
}
right = {
    kind: (q.argmax(1) == labels[unlabelled]).numpy()
    for kind, q in teachers.items()
}
one_right = right["invariant"] != right["distinctive"]


def auc(positive, value):
    """Area under the ROC curve; None where one of the two kinds is absent."""
    return (
        float(roc_auc_score(positive, value))
        if 0 < positive.sum() < len(positive)
        else None
    )


# %%
persistent = (run.videos.table.family == "persistent").to_numpy()
answers = {
    "persistent above phased": auc(persistent[pool_rows], s[pool_rows]),
    "invariant alone right above distinctive alone right": auc(
        right["invariant"][one_right], s[unlabelled][one_right]
    ),
}
for question, value in answers.items():
    print(
        f"AUC {question}: {'no such videos' if value is None else f'{value:.2f}'}"
    )
print(
    f"({one_right.sum()} of {len(unlabelled)} videos have exactly one teacher right)"
)
alone = right["invariant"][one_right]
counts = [
    (persistent[pool_rows].sum(), (~persistent[pool_rows]).sum()),
    (alone.sum(), (~alone).sum()),
]
findings.shown(
    *(
        findings.ranking(question, value, int(a), int(b))
        for (question, value), (a, b) in zip(
            answers.items(), counts, strict=True
        )
    )
)

# %% [markdown]
# The two questions are not the same, and that was the lesson of this chapter for us.  On StickActions
# the score told the families apart almost perfectly.  The second number was a different matter: a
# score can know everything about the *video* and little about which *teacher* is right, if the
# teachers are right about the same videos.
#
# ## Mixing
#
# What must the mixture beat?  Each teacher alone, the plain average, the best *constant* weight, and
# scores that *look* like $s$ but do not know the video: the score of another video (shuffled), and the
# opposite (inverted).  The mean of $s$ would be no control of its own: with the map `rank` it is one
# half, the average.  So the constant is chosen: the weight out of 0, 0.1, …, 1 that mixes best on
# validation videos, or, if none are set aside, on the unlabelled training videos, whose labels no
# method may know.  Where families are known, an oracle that gives 1 to persistent and 0 to phased
# videos shows what a perfect score of this kind could do.

# %%
oracle = (
    torch.tensor(persistent, dtype=torch.float32)
    if families
    else torch.full_like(s, 0.5)
)
kept = run.pool.rows("val")
chosen_on = kept if len(kept) else unlabelled
both = [
    predict(run, f"teacher_{kind}", chosen_on)
    for kind in ("invariant", "distinctive")
]
constant = reweight.best_constant(*both, labels[chosen_on])
print(f"best constant weight of the invariant teacher: {constant}")
scores = reweight.controls(s.float(), oracle, constant, c.seed)
if not families:
    scores.pop("oracle")  # nothing is known that could serve as one
p_inv, p_dist = (
    predict(run, f"teacher_{kind}", test)
    for kind in ("invariant", "distinctive")
)
mixed = {
    kind: evaluate.accuracy(
        reweight.mix(p_inv, p_dist, value[test]), labels[test]
    )
    for kind, value in scores.items()
}
pd.Series(mixed, name="top-1 of the mixed teachers, %").round(1).to_frame()

# %% tags=["nbval-check-output"]
ones = torch.ones(len(test))
edge = torch.equal(reweight.mix(p_inv, p_dist, ones), p_inv)
inside = all(bool(((v >= 0) & (v <= 1)).all()) for v in scores.values())
findings.check(
    {"s = 1 is the invariant teacher": edge, "all scores in [0, 1]": inside}
)

# %%
said = {"invariant teacher": p_inv, "distinctive teacher": p_dist}
for kind in ("reweighted", "average"):
    said[kind] = reweight.mix(p_inv, p_dist, scores[kind][test])
correct = {k: (q.argmax(1) == labels[test]).numpy() for k, q in said.items()}
better = max(list(correct)[:2], key=lambda k: correct[k].mean())
findings.shown(
    *(
        findings.compared(
            "Weighted mixture", other, correct["reweighted"], correct[other]
        )
        for other in (better, "average")
    )
)

# %% [markdown]
# Differences in this table are small by nature.  For most videos the class with the largest mixed
# probability does not depend on $s$ at all.  How many are left?  Let $s$ run from 0 to 1 for every
# test video and look whether the mixture is right.

# %%
steps = torch.linspace(0, 1, 21)
hits = torch.stack(
    [
        reweight.mix(p_inv, p_dist, k.expand(len(test))).argmax(1)
        == labels[test]
        for k in steps
    ]
)  # [21, N]
always, never = hits.all(0), ~hits.any(0)
shares = {
    "right for every s": always,
    "right for some s": ~always & ~never,
    "right for no s": never,
}
pd.Series({k: 100 * v.float().mean().item() for k, v in shares.items()}).round(
    1
).rename("% of the test videos").to_frame()

# %% [markdown]
# The middle row is all that a weighting can win or lose, by any score whatsoever.  If it is short, no
# cleverness in $s(v)$ will make a large difference, and the place to work is the teachers.
#
# ### What mixing does to single videos
#
# First two chosen videos: those for which the choice of teacher matters most.  Then two at random,
# because chosen examples always look convincing.


# %%
def illustrated(i):
    """One test video with its two teachers, its score and the mixture."""
    row = int(test[i])
    mixture = reweight.mix(p_inv[i], p_dist[i], s[row].float())
    return {
        "frames": np.asarray(run.pool.cache[row]),
        "p_inv": p_inv[i].numpy(),
        "p_dist": p_dist[i].numpy(),
        "s": float(s[row]),
        "p_mix": mixture.numpy(),
        "label": int(labels[row]),
    }


gap = (p_inv - p_dist).gather(1, labels[test][:, None]).squeeze(1)
plot.reweighting_illustration(
    [illustrated(i) for i in (int(gap.argmax()), int(gap.argmin()))], classes
)
# %%
chance = np.random.default_rng(c.seed).choice(len(test), 2, replace=False)
plot.reweighting_illustration([illustrated(int(i)) for i in chance], classes)
# %% [markdown]
# ## Written down once
#
# The score is static: computed before the student is trained, one number per video, the same for
# all its clips.  It goes into `similarity.csv` together with the controls.

# %%
from tblib.data import exact

columns = pd.DataFrame(
    {
        "video": run.videos.table.video,
        "raw": raw,
        **{k: v.numpy() for k, v in scores.items()},
    }
)
exact.save(run.dir / "similarity.csv", columns)
run.save_metrics(
    {
        "auc": answers,
        "raw_range": [float(raw.min()), float(raw.max())],
        "mixed_teachers": mixed,
        "class_mean_s": {
            name: float(s[pool_rows][labels[pool_rows] == k].mean())
            for k, name in enumerate(classes)
        },
        "table": {
            "title": "The two teachers mixed, without a student",
            "columns": ["weights", "top-1, %"],
            "rows": [[kind, round(value, 1)] for kind, value in mixed.items()],
            "note": f"similarity: {c.similarity}; one seed.",
        },
    }
)

# %% [markdown]
# ## Check yourself
#
# 1. A video has $s(v) = 0.9$.  Whom does the student hear, and what does that say about the video?
#
# ```{admonition} Answer
# :class: dropdown
# Nine parts of $f_I$, one of $f_D$.  With the map `rank` it says that the clips of 90 % of the training
# videos are less alike, not that the clips are 90 % alike.
# ```
#
# 2. Persistent videos score above phased ones with an AUC of 0.99, but the AUC of "invariant alone
#    right above distinctive alone right" is 0.5.  How can both be true?
#
# ```{admonition} Answer
# :class: dropdown
# The score recognises the families.  The teachers do not divide the videos by family: each of them
# is alone right about some videos of either kind.
# ```
#
# 3. What does the shuffled score test that the constant one does not?
#
# ```{admonition} Answer
# :class: dropdown
# Spread.  Shuffled scores trust one teacher more in every single video, just the wrong one for no
# reason.  If spread as such helps or harms, only this control shows it.
# ```
#
# 4. Does the score of a test video use its label, or other test videos?
#
# ```{admonition} Answer
# :class: dropdown
# Neither.  It needs the video's own clips, and the map was fitted on training videos.
# ```
#
# ## Exercises
#
# 1. **Easy.** Compute the raw similarity of a video whose clips are all equal, and of one whose clips
#    have nothing in common.  Which of the two is a video shorter than one clip?
#
# ````{admonition} Solution
# :class: dropdown
# The first.  All clips of such a video are the same frames, so it gets the highest score, and the
# invariant teacher almost alone.
#
# ```python
# equal = torch.ones(1, 4, 4)  # four clips, all the same
# strange = torch.eye(4)[None]  # four clips at right angles
# found = [reweight.raw_similarity(x).item() for x in (equal, strange)]
# print(found)
# assert np.allclose(found, [1, 0], atol=1e-6)
# ```
# ````
#
# 2. **Middle.** Why is the map fitted on the training pool and not on all videos?
#
# ```{admonition} Solution
# :class: dropdown
# A rank among test videos would make the prediction for one test video depend on which others
# happen to be in the test set.
# ```
#
# 3. **Middle.** Write the weights that reach the ceiling of the last chapter, and say why they are no
#    method.
#
# ````{admonition} Solution
# :class: dropdown
# Believe $f_I$ wherever it is right, else $f_D$.  To know where that is, one needs the labels of the
# test videos.
#
# ```python
# is_right = (p_inv.argmax(1) == labels[test], p_dist.argmax(1) == labels[test])
# best = reweight.mix(p_inv, p_dist, is_right[0].float())
# ceiling = 100 * (is_right[0] | is_right[1]).float().mean().item()
# print(f"{evaluate.accuracy(best, labels[test]):.1f} %, ceiling {ceiling:.1f} %")
# assert np.isclose(evaluate.accuracy(best, labels[test]), ceiling)
# ```
# ````
#
# 4. **Harder.** The map `logistic` has a temperature.  Show that it leads from a switch between the
#    teachers to the plain average, and look at the accuracy of the mixture on the way.
#
# ````{admonition} Solution
# :class: dropdown
# Which temperature is best must not be decided on these test videos.  Looking is allowed, choosing
# is not.
#
# ```python
# spread = []
# for temperature in (1e-4, 0.1, 1, 10, 1e6):
#     g = reweight.fit_map(raw[pool_rows], "logistic", temperature)
#     mixed_by = reweight.mix(p_inv, p_dist, g(raw)[test])
#     spread.append((g(raw) - 0.5).abs().mean().item())
#     print(
#         f"{temperature:g}: mean distance from 0.5 {spread[-1]:.2f}, "
#         f"top-1 {evaluate.accuracy(mixed_by, labels[test]):.1f} %"
#     )
# assert spread == sorted(spread, reverse=True)
# assert spread[0] > 0.4 and spread[-1] < 0.01
# ```
# ````
#
# 5. **Harder.** Replace `rank` by `minmax`.  Which videos change their weight most, and why?  Does the
#    order of the videos change?
#
# ````{admonition} Solution
# :class: dropdown
# `minmax` keeps distances.  Where raw similarities have a long tail, most videos crowd at its other
# end, and those in the crowd change most; `rank` spreads them evenly.  The order stays.
#
# ```python
# rank, minmax = (
#     reweight.fit_map(raw[pool_rows], kind)(raw) for kind in ("rank", "minmax")
# )
# moved = (rank - minmax).abs().argsort(descending=True)[:3]
# for row in moved.tolist():
#     print(
#         run.videos.table.video[row],
#         f"raw {raw[row]:.3f}: rank {rank[row]:.2f}, minmax {minmax[row]:.2f}",
#     )
# assert (minmax[raw.argsort()].diff() >= 0).all()
# assert (rank[raw.argsort()].diff() >= 0).all()
# ```
# ````
#
# ## What to read next
#
# TimeBalance ({cite:alp}`timebalance`) has the same figure of scores by class.  How else to decide
# which answers of a teacher to trust?  FixMatch ({cite:alp}`fixmatch`) takes its confidence, UPS
# ({cite:alp}`ups`) its uncertainty.  **Next in this book:** the student, which must do without its
# teachers at test time.

# %% [markdown]
# # 7. Ablations and controls
#
# *You will learn*
#
# - to take a method apart: students that differ from the full one in exactly one thing;
# - to invent controls that would do as well if the idea were not the reason for the gain;
# - to compare two networks on the same videos, and to know which differences a test can see;
# - to count what a method costs.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, 2 to 3 minutes at `laptop`.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=7)
student = run.metrics(6)  # chapter 6 must have been run here

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch

from tblib import stats
from tblib.lesson import findings, paper, plot
from tblib.lesson.listing import listing
from tblib.methods import reweight
from tblib.run.jobs import run_jobs
from tblib.run.models import predict, scores, student_job

plot.use_book_style()
c, classes = run.config, run.videos.classes
labels, test = torch.tensor(run.pool.labels), run.pool.rows("test")

# %% [markdown]
# ## The paper's ladder
#
# This is the paper's first ablation, UCF101 with 5 % of the labels.  Each row adds something to the
# row above it, or exchanges it.

# %%
ladder = paper.ablations().head(5)
short = ["labelled only", "invariant", "distinctive", "average", "reweighted"]
plot.accuracy_bars(pd.DataFrame({"system": short, "top1": ladder.ucf101_5}))

# %% [markdown]
# It is tempting to read every step as the worth of the thing that is named.  But a row has more than
# one property.  The last one has two teachers *and* a weight that changes from video to video *and* a
# weight that knows the video.  Which of these is it?  To find out, one needs students that have all
# but one of them.
#
# ## What is varied
#
# Each student below is trained like the one of the last chapter: same steps, same clips, same seed,
# same order of videos.  One thing differs.

# %%
meaning = {
    "reweighted": "the full method",
    "invariant_only": "one teacher: s = 1 for every video",
    "distinctive_only": "one teacher: s = 0 for every video",
    "average": "both teachers, plain average: s = 0.5",
    "constant": "both teachers, one weight for every video, chosen on training videos (see chapter 5)",
    "shuffled": "s of another video",
    "inverted": "1 − s",
    "oracle": "s = 1 for persistent, 0 for phased videos (uses what is not known in practice)",
    "random_init": "full method, student from random weights",
    "kl": "full method, KL divergence instead of squared distance",
}
variants = list(c.ablation.variants)
pd.Series(
    {name: meaning[name] for name in ["reweighted", *variants]},
    name="what it is",
).to_frame()

# %% [markdown]
# Nearly all of them are one equation {eq}`(6) <eq-mixture>`,
#
# $$
# \mathbf p_T(x) = s'(v)\, \mathbf p_I(x) + \bigl(1 - s'(v)\bigr)\, \mathbf p_D(x) ,
# $$
#
# with other weights $s'$ in place of $s$: 1, 0, ½, the best constant, $s$ of another video, $1 - s$.  The
# code is as short as that:

# %% tags=["remove-input"]
listing(reweight.controls)

# %% [markdown]
# What a few training videos get, from the highest to the lowest score:

# %%
pool_rows = run.pool.rows("train")
given = {
    name: scores(run, name)
    for name in ["reweighted", *variants]
    if name not in ("random_init", "kl")
}  # variant -> weights of all videos, [N]
order = pool_rows[(-given["reweighted"][pool_rows]).argsort().numpy()]
chosen = order[np.linspace(0, len(order) - 1, 6).round().astype(int)]
videos = run.videos.table.video[chosen]
pd.DataFrame(
    {name: w[chosen].numpy() for name, w in given.items()}, index=videos
).round(2)

# %% [markdown]
# `average`, `constant`, `shuffled` and `inverted` are *controls*.  They take something away and leave
# the rest: `average` keeps only the two teachers, `constant` also a lean to the better one, `shuffled`
# mean and spread of the score but not what it knows, `inverted` knows the same and turns it round.  If a shuffled score does as well as
# the measured one, the gain over a single teacher comes from having two teachers, not from knowing
# when to believe which.

# %%
curves = run_jobs(
    run, [student_job(c, name) for name in ["reweighted", *variants]]
)

# %%
distance = {
    name.removeprefix("student_"): curve for name, curve in curves.items()
}
plot.training_curves(
    distance, y="unlabelled", ylabel="distance to the target, unlabelled clips"
)
# %% [markdown]
# A small distance is not a good sign by itself: some targets are simply easier to imitate.  What
# counts is the test.
#
# ## Two networks, the same videos
#
# All students are tested on the same videos, so the fair question is where they *differ*.  Let $b$
# videos be right only by the first and $c$ only by the second.  If neither were better, each of these
# $b + c$ videos would be a toss of a coin, and
#
# $$
# p = \min\bigl(1,\; 2\, P(X \le \min(b, c))\bigr) , \qquad X \sim \mathrm{Bin}(b + c, \tfrac12) .
# $$
#
# Videos on which both agree say nothing.  The tosses are taken as independent, which videos of one
# group are not, so the true p is larger.  This is McNemar's exact test:

# %% tags=["remove-input"]
listing(stats.mcnemar)

# %%
p = {
    name: predict(run, f"student_{name}", test)
    for name in ["reweighted", *variants]
}
p["labelled only, random"] = predict(run, "supervised_scratch", test)
p["labelled only, SSL"] = predict(run, "supervised_ssl", test)
p["all labels"] = predict(run, "supervised_full", test)
right = {name: (q.argmax(1) == labels[test]).numpy() for name, q in p.items()}


# %%
groups = run.videos.table.group[test]  # drawn as a whole: one scene each


def line(name):
    """Accuracy with its interval, and the paired comparison with the full method."""
    low, high = (
        100 * end for end in stats.group_interval(right[name], groups)[1:]
    )
    pair = stats.mcnemar(right["reweighted"], right[name])
    group = "students" if name in meaning else "references"
    return {
        "group": group,
        "system": name,
        "top1": 100 * right[name].mean(),
        "low": low,
        "high": high,
        "full method alone right": pair.only_a,
        "this alone right": pair.only_b,
        "p": pair.p,
    }


table = pd.DataFrame([line(name) for name in p])
plot.accuracy_bars(table, {"chance": 100 / len(classes)})
# %%
table.drop(columns=["group", "low", "high"]).round(3)

# %%
wanted = ["invariant_only", "distinctive_only", "average", "shuffled"]
others = [name for name in wanted if name in right] + ["labelled only, SSL"]
findings.shown(
    *(
        findings.compared(
            "The full method", name, right["reweighted"], right[name]
        )
        for name in others
    )
)

# %% [markdown]
# ### How to read it
#
# This is **one seed**.  Look at the columns of disagreements: a difference of a few videos out of a
# few dozen disagreements means nothing.  The paper's own table says what sizes to expect.  Here each
# row is compared with the labels alone, with the better single teacher, and with the plain average:

# %%
points = ladder.set_index("condition")[["ucf101_5", "ucf101_20"]]
pd.DataFrame(
    {
        "one teacher − labels only": points.iloc[1:3].max() - points.iloc[0],
        "average − one teacher": points.iloc[3] - points.iloc[1:3].max(),
        "reweighted − average": points.iloc[4] - points.iloc[3],
    }
).T.round(1)

# %% [markdown]
# Most of the distance is covered by *any* single teacher, less by a second one, least by the weights.
# Finding the last step needs several seeds and paired tests; a single run can only show that
# everything works and how large the effects roughly are.
#
# In our own runs on the twenty classes of StickActions, students of two teachers ended close
# together, whatever the weights. If you see the same here, do not conclude yet that the idea is
# wrong.  There are three explanations, and each can be looked up.  The teachers may be right about
# the same videos, so that there is nothing to choose (chapter 4, "exactly one right").  The mixture
# may have the same winner for every weight (chapter 5, "right for some s").  Or the students may be
# unfinished, so that all targets are equally far away (the curves above).  Chapter 9 works through
# these in order, over seeds.
#
# ### By family
#
# Where the families are known, the claim can be looked at more closely: reweighting should not
# lose, on either family, against the teacher that is better there.

# %%
family = run.videos.table.family[test].replace("", "unknown")
by_family = pd.DataFrame(
    {
        name: pd.Series(100.0 * hits).groupby(family.to_numpy()).mean()
        for name, hits in right.items()
    }
).T
by_family.round(1)

# %% [markdown]
# ## Equal compute
#
# All students above take the same steps on the same number of clips.  The teachers add two forward
# passes per clip in training (none at test time), and the pretraining comes before.  The teachers
# themselves are not free either: each has a pretraining and a finetuning of its own.  In clips:

# %% tags=["nbval-check-output"]
o, f, q = c.student, c.finetune, c.pretrain
views = q.batch * (2 + 2 * q.slots)  # clips of a step of pretraining
labels_only = o.steps * f.batch
student_clips = o.steps * (o.batch_labelled + o.batch_unlabelled)
joint, two = q.steps_joint, q.steps_invariant + q.steps_distinctive
budget = pd.DataFrame(
    [
        ["labelled only, random", 0, labels_only, 0],
        ["labelled only, SSL", joint * views, labels_only, 0],
        ["the two teachers", two * views, 2 * f.steps * f.batch, 0],
        ["student", joint * views, student_clips, 2 * student_clips],
    ],
    columns=[
        "system",
        "pretraining clips",
        "training clips",
        "teacher forward passes",
    ],
)
budget

# %% [markdown]
# Compare the training clips of the student with those of the labels-only rows: where they are equal,
# the comparison is fair.  Whoever counts everything must add the teachers' row to the student's:
# TimeBalance pretrains three networks where `labelled only, SSL` pretrains one.  Published tables
# seldom count this.

# %% tags=["hide-input"]
rounded = table.round({"top1": 1, "low": 1, "high": 1, "p": 3})
run.save_metrics(
    {
        "accuracy": table.set_index("system").round(4).to_dict("index"),
        "by_family": by_family.round(2).to_dict("index")
        if run.families
        else {},
        "budget": budget.to_dict("records"),
        "table": {
            "title": "Ablations and controls",
            "columns": [
                "system",
                "top-1, %",
                "95 % low",
                "95 % high",
                "p against the full method",
            ],
            "rows": [
                [r.system, r.top1, r.low, r.high, r.p]
                for r in rounded.itertuples()
            ],
            "note": f"{len(test)} test videos, in groups; one seed ({c.seed}); p: McNemar's exact test.",
        },
    }
)

# %% [markdown]
# ## Check yourself
#
# 1. Shuffled scores do as well as measured ones, and both beat a single teacher.  What has been shown?
#
# ```{admonition} Answer
# :class: dropdown
# That two teachers help.  Not that the score knows anything, since the shuffled one does not.
# ```
#
# 2. In one run $1 - s$ is better than $s$.  Is the paper refuted?
#
# ```{admonition} Answer
# :class: dropdown
# No.  Look at the disagreements first: by chance alone, half of all runs have it this way round.  If
# it stays so over seeds, it is a finding.
# ```
#
# 3. The oracle knows the true family of each video.  What follows if it does not beat the average?
#
# ```{admonition} Answer
# :class: dropdown
# That the family is not what decides between these teachers.  A better similarity score would not
# help then, however well it told the families apart.
# ```
#
# 4. Two invariant teachers from different seeds also make a pair.  Would you expect it to beat one of
#    them alone?
#
# ```{admonition} Answer
# :class: dropdown
# Yes: averaging two networks that make different errors helps even if they know the same things, and
# in the paper's second table it does.  Only what a pair of *different* teachers gains beyond that is
# complementarity.
# ```
#
# ## Exercises
#
# 1. **Easy.** Which control separates "two teachers are better than one" from "knowing whom to
#    believe helps"?
#
# ```{admonition} Solution
# :class: dropdown
# `average`, `constant` and `shuffled`: they have both teachers but no knowledge about the video.
# ```
#
# 2. **Middle.** Why are both `constant` and `average` needed?
#
# ```{admonition} Solution
# :class: dropdown
# If one teacher is better overall, any score that leans towards it does better than one half each,
# without knowing anything about single videos.  `constant` has the lean that mixes best.  (The mean of
# the measured score would say nothing new: with the map `rank` it is one half.)
# ```
#
# 3. **Middle.** Two students disagree on 20 videos.  How many of these must one of them get right
#    for McNemar's test to give $p < 0.05$?
#
# ````{admonition} Solution
# :class: dropdown
# Three quarters, which is ten videos of difference.
#
# ```python
# def p_of(wins, disagreements=20):
#     """McNemar's p if the first is right on `wins` of them, the other else."""
#     first = np.arange(disagreements) < wins
#     return stats.mcnemar(first, ~first).p
#
#
# needed = next(k for k in range(10, 21) if p_of(k) < 0.05)
# print(f"{needed} of 20: {p_of(needed):.3f}, one less: {p_of(needed - 1):.3f}")
# assert needed == 15
# ```
# ````
#
# 4. **Harder.** Suppose two students are equally good and disagree on a tenth of the test videos.  How
#    large a difference in accuracy do you have to expect from chance alone, with this test set?
#
# ````{admonition} Solution
# :class: dropdown
# With $N$ videos and a share $d$ of disagreements the difference has a standard deviation of
# $\sqrt{d/N}$.  Twice that is what a single comparison cannot see.
#
# ```python
# N, d = len(test), 0.1
# rng = np.random.default_rng(0)
# which = rng.choice([-1, 0, 1], size=(2000, N), p=[d / 2, 1 - d, d / 2])
# by_chance = which.mean(1).std()
# print(f"{N} test videos: up to {200 * by_chance:.1f} points mean nothing")
# assert np.isclose(by_chance, np.sqrt(d / N), rtol=0.1)
# ```
# ````
#
# 5. **Harder.** Invent a control of your own.  Give every video the weight 0 or 1 by the toss of a
#    coin, train its student, and compare it with the full method.
#
# ````{admonition} Solution
# :class: dropdown
# A control is a column of `similarity.csv` and a job that reads it.  This one has more spread than
# the shuffled score and as little knowledge.
#
# ```python
# from dataclasses import replace
#
# from tblib.data import exact
#
# path = run.dir / "similarity.csv"
# columns = exact.load(path)
# coins = np.random.default_rng(0).integers(0, 2, len(columns))
# exact.save(path, columns.assign(coin=coins))
# coin = replace(
#     student_job(c, "reweighted"), name="student_coin", score="coin"
# )
# run_jobs(run, [coin])
# by_coin = (predict(run, coin.name, test).argmax(1) == labels[test]).numpy()
# print(100 * by_coin.mean(), stats.mcnemar(right["reweighted"], by_coin))
# assert set(scores(run, "coin").tolist()) == {0.0, 1.0}
# assert run.has_model("student_coin")
# ```
# ````
#
# ## What to read next
#
# The ablation tables of TimeBalance ({cite:alp}`timebalance`) and, for comparison, those of FixMatch
# ({cite:alp}`fixmatch`), which take a method apart with unusual care.  **Next in this book:**
# [chapter 9](09_the_claim_tested.ipynb) asks the questions of this chapter again, as statements that
# can fail, over several seeds.

# %% [markdown]
# # Finetuning the teachers
#
# *You will learn* what few labels make of the two pretrained networks, how a video (not a clip) is
# scored, and which comparisons tell whether pretraining helped.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, about 3 minutes at `laptop`.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=4)
earlier = run.metrics(2)  # chapter 2 must have been run here

# %%
import inspect

import pandas as pd
import torch
from IPython.display import Code

from tblib import evaluate, plot, semi, stats
from tblib.jobs import Job, run_jobs
from tblib.models import parameter_count
from tblib.systems import load_classifier, predict

plot.use_book_style()
c, classes = run.config, run.videos.classes
labels, test = torch.tensor(run.pool.labels), run.pool.rows("test")

# %% [markdown]
# ## Few labels
#
# A classifier is the backbone, an average over time and space, and one linear layer.  It sees
# labelled clips only and minimises the cross-entropy.  All of it is trained, not just the last
# layer.

# %% tags=["remove-input"]
Code(inspect.getsource(semi.Supervised), language="python")

# %%
o = c.finetune
print(
    f"{len(run.pool.rows('labelled'))} labelled of {len(run.pool.rows('train'))} training videos"
)


def labels_only(name, steps, init="", pool="labelled"):
    """Training on labelled clips alone, from a pretraining or from scratch."""
    return Job(name, "supervised", steps, c.seed, init=init, pool=pool)


n = c.student.steps
jobs = [
    labels_only("teacher_invariant", o.steps, "ssl_invariant"),
    labels_only("teacher_distinctive", o.steps, "ssl_distinctive"),
    labels_only("supervised_scratch", n),
    labels_only("supervised_ssl", n, "ssl_joint"),
    labels_only("supervised_full", n, "ssl_joint", pool="train"),
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
# ## Scoring videos
#
# One clip shows a fraction of a video.  The score of a video is the mean of the predictions for
# clips spread evenly over it, a centre crop each, no flips (ten in the paper and here, fewer at
# `smoke`).  The average is taken over probabilities.

# %% tags=["nbval-check-output"]
p = {job.name: predict(run, job.name, test) for job in jobs}
sums = torch.stack([q.sum(1) for q in p.values()])
print(
    "videos × classes:",
    list(p["teacher_invariant"].shape),
    "· rows sum to one:",
    torch.allclose(sums, torch.ones_like(sums)),
)


# %%
def score(name):
    """Accuracy on the test videos with Wilson's 95 % interval, percent."""
    hits = (p[name].argmax(1) == labels[test]).numpy()
    interval = stats.wilson(int(hits.sum()), len(hits))
    return {
        "system": name,
        "top1": 100 * hits.mean(),
        "low": 100 * interval.low,
        "high": 100 * interval.high,
    }


table = pd.DataFrame([score(name) for name in p])
plot.accuracy_bars(table, {"chance": 100 / len(classes)})
# %% [markdown]
# The intervals say how much another draw of test videos could change a number.  They do **not**
# contain the effect of another seed (other labelled videos, another start), which is usually
# larger.  One run is an anecdote: only the same run with other seeds tells how large.
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
    f"p = {test_pair.p:.3f}"
)
print(
    f"a perfect choice between the two teachers would reach {100 * either.mean():.1f} %"
)

# %% [markdown]
# The last number is the ceiling for choosing a teacher per video.  The question of the next chapter
# is how much of the way there a similarity score gets us.

# %%
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
# 2. **Middle.** With 120 test videos and 50 % accuracy, how wide is the 95 % interval?  How many
#    videos would halve it?
#
# ```{admonition} Solution
# :class: dropdown
# `stats.wilson(60, 120)` gives about ±9 points.  The width falls with the square root of the
# number, so four times as many videos, 480, halve it.
# ```
#
# 3. **Harder.** Average logits instead of probabilities over the ten clips.  When do the two rules
#    disagree?
#
# ```{admonition} Solution
# :class: dropdown
# Averaging logits multiplies (and renormalises) probabilities, so a single clip that is very sure
# *against* a class can veto it; averaging probabilities lets a few sure clips carry the video.  For
# phased classes, where only some clips show the telling part, the second is kinder.
# ```
#
# **Next:** one number per video that says whom to believe.

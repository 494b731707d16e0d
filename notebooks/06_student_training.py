# %% [markdown]
# # The student
#
# *You will learn* how one network learns from labels and from two frozen teachers at the same time,
# what each term of its loss does, and how it compares with everything it was made from.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, about 2 minutes at `laptop`.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=6)
earlier = run.metrics(5)  # chapter 5 must have been run here

# %%
import inspect

import numpy as np
import pandas as pd
import torch
from IPython.display import Code, display

from tblib import evaluate, plot, reweight, semi, stats
from tblib.data.loader import ClipSamples, loader, to_device
from tblib.jobs import run_jobs
from tblib.systems import build_method, predict, scores, student_job

plot.use_book_style()
c, classes = run.config, run.videos.classes
labels, test = torch.tensor(run.pool.labels), run.pool.rows("test")

# %% [markdown]
# ## One step by hand
#
# A step takes labelled and unlabelled clips.  The student sees each clip; so do the two teachers,
# *the same augmented clip*.  Their mixture, weighted by the score of the video, is what the student
# should say (eq. {eq}`eq-student`).  On labelled clips the true class counts as well.

# %%
job = student_job(c, "reweighted")
torch.manual_seed(seed)
method = build_method(run, job).to(run.device).train()
batches = {}
for name, stream in method.streams().items():
    samples = ClipSamples(run.pool.cache, run.pool.labels, stream, seed)
    batches[name] = to_device(
        next(iter(loader(samples, run.pool.rows(stream.pool), 0, 1))),
        run.device,
    )
    print(name, "clips [V, B, 3, T, H, W] =", list(batches[name].clips.shape))

# %% [markdown]
# The target, computed once by the method and once from its parts:

# %% tags=["nbval-check-output"]
unlabelled = batches["unlabelled"]
with torch.no_grad():
    p_inv, p_dist = (
        teacher(unlabelled.clips[0]).softmax(1) for teacher in method.teachers
    )
s = scores(run, "reweighted").to(run.device)[unlabelled.row][:, None]
by_hand = s * p_inv + (1 - s) * p_dist
print(
    "same target:",
    torch.allclose(method.target(unlabelled.clips[0], unlabelled.row), by_hand),
)

# %% [markdown]
# Teachers are frozen in every sense: no gradient, and their batch norm keeps its statistics even
# while the student trains.

# %% tags=["nbval-check-output"]
before = {
    name: value.clone() for name, value in method.teachers.state_dict().items()
}
losses = method(**batches)
losses["loss"].backward()
same = all(
    torch.equal(before[name], value)
    for name, value in method.teachers.state_dict().items()
)
no_gradient = all(p.grad is None for p in method.teachers.parameters())
learning = all(p.grad is not None for p in method.learner.parameters())
print(
    "teachers unchanged:",
    same,
    "· without gradient:",
    no_gradient,
    "· the student has one:",
    learning,
)

# %% [markdown]
# ## The loss, term by term
#
# Distillation is a squared distance of probabilities.  The official code averages it over the
# classes and multiplies by 50 and 100; with 102 outputs that is 0.49 and 0.98 times the *sum* over
# classes. We sum, so that the weights mean the same for any number of classes.

# %% tags=["remove-input"]
Code(inspect.getsource(semi.TimeBalance.forward), language="python")

# %%
print({name: round(value.item(), 3) for name, value in losses.items()})

# %% [markdown]
# ## Training

# %%
curves = run_jobs(run, [job])
plot.training_curves({"student, all terms": curves[job.name]}, y="loss")
# %%
terms = curves[job.name].melt(
    "step", ["labelled", "unlabelled"], "term", "distance"
)
plot.training_curves(
    {f"distance, {k} clips": part for k, part in terms.groupby("term")},
    y="distance",
)
# %% [markdown]
# ## The result
#
# Everything on the same test videos, with the same number of clips a video.  The mixture needs both
# teachers *and* the score at test time; the student is a single network that needs neither.

# %%
names = [
    "supervised_scratch",
    "supervised_ssl",
    "teacher_invariant",
    "teacher_distinctive",
    job.name,
    "supervised_full",
]
p = {name: predict(run, name, test) for name in names}
p["mixed teachers"] = reweight.mix(
    p["teacher_invariant"],
    p["teacher_distinctive"],
    scores(run, "reweighted")[test],
)
right = {name: (q.argmax(1) == labels[test]).numpy() for name, q in p.items()}


# %%
def line(name):
    """Accuracy with its interval, percent, and p of the difference to the student."""
    low, high = (
        100 * end for end in stats.wilson(int(right[name].sum()), len(test))[1:]
    )
    other = stats.mcnemar(right[job.name], right[name])
    return {
        "system": name,
        "top1": 100 * right[name].mean(),
        "low": low,
        "high": high,
        "p against student": other.p,
    }


table = pd.DataFrame(
    [line(name) for name in [*names[:4], "mixed teachers", *names[4:]]]
)
table.round(3)

# %%
chance = 100 / len(classes)
plot.accuracy_bars(table, {"chance": chance})
# %% [markdown]
# Read the table from top to bottom.  The step from the first to the second row is what pretraining
# gives, the step to the student what distillation from two teachers adds, the distance to the last
# row what is left.  Each of these steps can go down: a student that ends below `supervised_ssl` has
# been misled by its teachers, whatever its loss says.  The p-values compare two trained networks on
# these videos; they do not know what another seed would do.
#
# ## Where it goes wrong

# %%
matrix = np.zeros((len(classes), len(classes)), dtype=int)
np.add.at(matrix, (labels[test].numpy(), p[job.name].argmax(1).numpy()), 1)
plot.confusion(matrix, classes)
# %%
per_class = evaluate.per_class_accuracy(p[job.name], labels[test], len(classes))
worst = np.argsort(per_class)[:3]
print(
    "hardest classes:",
    ", ".join(f"{classes[k]} ({per_class[k]:.0f} %)" for k in worst),
)

# %% [markdown]
# ### The surest mistakes
#
# The test videos on which the student is most confident and wrong, with what each teacher said.
# Does the strip show why?  A clip of eight frames sees less of the video than you do.

# %%
confidence, guess = p[job.name].max(1)
said = {
    kind: [classes[k] for k in p[f"teacher_{kind}"].argmax(1)]
    for kind in ("invariant", "distinctive")
}
s_test = scores(run, "reweighted")[test]
wrong = torch.tensor(~right[job.name])
surest = torch.where(wrong, confidence, -1.0).argsort(descending=True)
for i in surest[: min(3, int(wrong.sum()))].tolist():
    title = (
        f"{classes[labels[test[i]]]}, taken for {classes[guess[i]]} "
        f"({confidence[i]:.0%})\ninvariant: {said['invariant'][i]}, "
        f"distinctive: {said['distinctive'][i]}, s = {s_test[i]:.2f}"
    )
    video = np.asarray(run.pool.cache[test[i]])
    display(plot.frame_strip(video, title=title))

# %%
o = c.student
run.save_metrics(
    {
        "accuracy": table.set_index("system").round(4).to_dict("index"),
        "mixed_teachers": earlier["mixed_teachers"],
        "clips_seen": o.steps * (o.batch_labelled + o.batch_unlabelled),
        "table": {
            "title": "TimeBalance and what it is made from",
            "columns": ["system", "top-1, %", "95 % low", "95 % high"],
            "rows": [
                [r.system, round(r.top1, 1), round(r.low, 1), round(r.high, 1)]
                for r in table.itertuples()
            ],
            "note": f"{len(test)} test videos, {c.evaluate.clips} clips each, one seed ({c.seed}).",
        },
    }
)

# %% [markdown]
# ## Exercises
#
# 1. **Easy.** Why does the student see labelled clips in the distillation term too, if their class
#    is known?
#
# ```{admonition} Solution
# :class: dropdown
# The teachers' probabilities say more than the label: which wrong classes are nearly right.
# ```
#
# 2. **Middle.** What would happen if gradients flowed into the teachers?
#
# ```{admonition} Solution
# :class: dropdown
# Student and teachers could agree on anything, for example on uniform probabilities, to make the
# distance zero.  Labels would pull against it only on the labelled clips.  And each step would cost
# almost twice as much.
# ```
#
# 3. **Harder.** Ten classes instead of 102, and the official weights 50 and 100 on a mean over
#    classes.  How much stronger is distillation than in the paper?
#
# ```{admonition} Solution
# :class: dropdown
# The mean over 10 classes is 10.2 times the mean over 102 for the same summed distance, so
# distillation is about ten times stronger against the cross-entropy.
# ```
#
# **Next:** which part of all this matters?

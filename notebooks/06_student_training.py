# %% [markdown]
# # 6. The student
#
# *You will learn*
#
# - how one network learns from labels and from two frozen teachers at the same time;
# - what each term of its loss does, and how strongly it pulls;
# - how the student compares with everything it was made from, and how to explain a bad one.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, about a minute at `laptop`.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=6)
earlier = run.metrics(5)  # chapter 5 must have been run here

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch
from IPython.display import display

from tblib import stats
from tblib.data.loader import ClipSamples, loader, to_device
from tblib.engine import evaluate
from tblib.lesson import findings, plot
from tblib.lesson.listing import listing
from tblib.methods import reweight, semi
from tblib.run.jobs import run_jobs
from tblib.run.models import (
    build_method,
    predict,
    scores,
    student_job,
    system_job,
)

plot.use_book_style()
c, classes = run.config, run.videos.classes
labels, test = torch.tensor(run.pool.labels), run.pool.rows("test")

# %% [markdown]
# ## What the student is told
#
# Mixing two networks at test time costs two networks.  The student is one network that is trained to
# say what the mixture says, on videos whose class nobody told it.  A step takes labelled and
# unlabelled clips.  The student sees each clip; so do the two teachers, *the same augmented clip*.

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
# Two of the unlabelled clips, as all three networks see them.  The mixture is the target; the student
# has a backbone from pretraining and a random last layer.  (You are told the true class, the networks
# are not.)

# %%
unlabelled = batches["unlabelled"]
x, row = unlabelled.clips[0], unlabelled.row
with torch.no_grad():
    p_inv, p_dist, q = (
        net(x).softmax(1) for net in (*method.teachers, method.learner)
    )
p_mix = method.target(x, row)
drawn = {"p_inv": p_inv, "p_dist": p_dist, "p_mix": p_mix, "p_student": q}
two = [
    {
        "frames": x[i].movedim(0, -1).cpu().numpy(),
        "s": method.score[row[i]].item(),
        "label": unlabelled.label[i].item(),
        **{name: p[i].cpu().numpy() for name, p in drawn.items()},
    }
    for i in range(len(x))[:2]
]
fig = plot.reweighting_illustration(two, classes)
plot.small(fig, 256)  # fewer colours keep the notebook small

# %% [markdown]
# ## One step by hand
#
# With $\mathbf p_I$, $\mathbf p_D$ and $\mathbf q$ the probabilities of teachers and student, the
# target is $\mathbf p_T = s\,\mathbf p_I + (1 - s)\,\mathbf p_D$ {eq}`(6) <eq-mixture>`, and the
# student is told how far it is away, as a squared distance {eq}`(7) <eq-distance>`.  On labelled
# clips the true class counts as well {eq}`(8) <eq-student>`:
#
# $$
# L_S = -\log q_y(x_l) + \lambda_l \lVert \mathbf q(x_l) - \mathbf p_T(x_l) \rVert^2
#   + \lambda_u \lVert \mathbf q(x_u) - \mathbf p_T(x_u) \rVert^2 ,
# $$
#
# averaged over the labelled clips $x_l$ with label $y$ and the unlabelled clips $x_u$.  The target,
# computed once by the method and once from its parts:

# %% tags=["nbval-check-output"]
s = scores(run, "reweighted").to(run.device)[unlabelled.row][:, None]
by_hand = s * p_inv + (1 - s) * p_dist
target = method.target(unlabelled.clips[0], unlabelled.row)
findings.check({"same target": torch.allclose(target, by_hand)})

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
findings.check(
    {
        "teachers unchanged": same,
        "without gradient": no_gradient,
        "the student has one": learning,
    }
)

# %% [markdown]
# ## The loss, term by term
#
# Distillation is a squared distance of probabilities.  The official code averages it over the
# classes and multiplies by 50 and 100; with 102 outputs that is 0.49 and 0.98 times the *sum* over
# classes. We sum, so that the weights mean the same for any number of classes.  The whole step:

# %% tags=["remove-input"]
listing(semi.TimeBalance.forward)

# %% [markdown]
# The three terms add up to the loss.  How strongly does each pull at the last layer?  The norm of its
# gradient says so.

# %%
out, o = method(**batches), c.student
weight = {
    "supervised": 1.0,
    "labelled": o.weight_labelled,
    "unlabelled": o.weight_unlabelled,
}
last = method.learner.head.weight
pull = {
    k: torch.autograd.grad(w * out[k], last, retain_graph=True)[0].norm()
    for k, w in weight.items()
}
rows = {k: [out[k].item(), w, pull[k].item()] for k, w in weight.items()}
columns = ["value", "weight", "norm of the weighted gradient"]
pd.DataFrame(rows, columns).T.round(3)

# %% tags=["nbval-check-output"]
total = sum(w * out[k] for k, w in weight.items())
findings.check(
    {"the terms add up to the loss": torch.allclose(total, out["loss"])}
)
for name, t in {"q [B, K]": q, "p_T [B, K]": p_mix, "loss []": total}.items():
    print(f"{name:12s}{list(t.shape)}")

# %% [markdown]
# A squared distance of probabilities never exceeds 2 and has a small gradient where the student is
# sure, even if it is surely wrong.  The cross-entropy has neither limit.  So at the released weights,
# about one half and one, labels easily drown the teachers while training is short.  With them,
# our students of 320 steps ended well below their own teachers.  The small profiles therefore distil
# six times as strongly; the [design log](../book/design-log.md) has the trials, on validation groups.

# %% [markdown]
# ## Training
#
# Another semi-supervised method can be trained beside it, from the same start and for as many steps:
# `overrides = {"student.method": "…"}`, or `python -m tblib run 6 --method …`.

# %%
jobs = list(dict.fromkeys([job, system_job(c)]))
curves = run_jobs(run, jobs)
plot.training_curves(
    {f"{name}, all terms": curve for name, curve in curves.items()}, y="loss"
)
# %%
terms = curves[job.name].melt(
    "step", ["labelled", "unlabelled"], "term", "distance"
)
plot.training_curves(
    {f"distance, {k} clips": part for k, part in terms.groupby("term")},
    y="distance",
)
# %% [markdown]
# What to look for: the distance on unlabelled clips should fall, and it should go on falling when the
# loss on labels is already small.  If it stays high, the student was stopped before it had learnt
# what its teachers say, and any comparison of targets is a comparison of unfinished students.
#
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
    *(system.name for system in jobs),
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
groups = run.videos.table.group[test]  # drawn as a whole: one scene each


def line(name):
    """Accuracy with its interval, percent, and p of the difference to the student."""
    low, high = (
        100 * end for end in stats.group_interval(right[name], groups)[1:]
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
# these videos, as if no two were of one group; they do not know what another seed would do.
#
# A student can end *above* its target.  It also sees labels, starts from other weights, and its
# training averages the teachers' answers over many augmented clips.  Do the two still agree where it
# matters?

# %%
mine, target = right[job.name], right["mixed teachers"]
agree = (p[job.name].argmax(1) == p["mixed teachers"].argmax(1)).numpy()
print(
    f"same class as the mixture: {100 * agree.mean():.1f} % of the test videos"
)
pd.crosstab(
    pd.Series(np.where(mine, "student right", "student wrong"), name=""),
    pd.Series(np.where(target, "mixture right", "mixture wrong"), name=""),
)

# %%
teachers = ["teacher_invariant", "teacher_distinctive"]
best = max(teachers, key=lambda name: right[name].mean())
findings.shown(
    *(
        findings.compared("Student", name, mine, right[name])
        for name in (best, "mixed teachers", "supervised_ssl")
    )
)

# %% [markdown]
# The two off-diagonal counts are what the student lost and what it gained.  If both are small, the
# student is a copy, and whatever the teachers get wrong together it gets wrong too.  This is why a
# better target need not mean a better student, and why chapter 7 trains one student for each target
# instead of comparing mixtures.
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

# %% tags=["hide-input"]
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
# ## Check yourself
#
# 1. Which networks, and which numbers, are needed to classify a new video in the end?
#
# ```{admonition} Answer
# :class: dropdown
# The student alone.  Teachers and scores are needed in training only.
# ```
#
# 2. The student's loss fell nicely, but it is below `supervised_ssl`.  What happened?
#
# ```{admonition} Answer
# :class: dropdown
# It learnt to repeat teachers that know less than a network with the same labels and steps can find
# out by itself.  A falling loss says that the target was reached, not that it was good.
# ```
#
# 3. Why are teachers in eval mode while the student is in train mode?
#
# ```{admonition} Answer
# :class: dropdown
# In train mode their batch norm would use the statistics of this batch and go on updating its own:
# the same clip would get another answer in other company, and the teachers would drift.
# ```
#
# 4. What would FixMatch do on an unlabelled clip that this method does not?
#
# ```{admonition} Answer
# :class: dropdown
# Take the student's own confident class on a weakly augmented clip as the label of a strongly
# augmented one, and skip the clip if it is not confident.  Here nothing is skipped, teachers are
# other networks, and both see the same clip.
# ```
#
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
# 2. **Easy.** Show that the released 100 times the *mean* over 102 outputs is 0.98 times our sum.  How
#    much stronger is distillation if somebody keeps the 100 with ten classes?
#
# ````{admonition} Solution
# :class: dropdown
# The weight of the sum is 100 divided by the number of outputs, so with ten classes it is 10.2 times
# as large.
#
# ```python
# from tblib.methods.losses import squared_distance
#
# weights = {}
# for outputs in (102, 10):
#     one, two = torch.randn(2, 64, outputs).softmax(-1)
#     released = 100 * (one - two).square().mean()
#     weights[outputs] = (released / squared_distance(one, two)).item()
# print({k: round(w, 2) for k, w in weights.items()})
# assert np.isclose(weights[102], 0.98, atol=0.005)
# assert np.isclose(weights[10] / weights[102], 10.2, rtol=1e-3)
# ```
# ````
#
# 3. **Middle.** What would happen if gradients flowed into the teachers?
#
# ```{admonition} Solution
# :class: dropdown
# Student and teachers could agree on anything, for example on uniform probabilities, to make the
# distance zero.  Labels would pull against it only on the labelled clips.  And each step would cost
# almost twice as much.
# ```
#
# 4. **Middle.** Compare the gradients of the two distances, squared and KL, on a student that is surely
#    wrong: logits $(8, 0)$ where the target is $(0, 1)$.
#
# ````{admonition} Solution
# :class: dropdown
# The squared distance has almost given up; the KL divergence pulls with full force.  That is one
# reason why the two can need different weights and lengths of training.
#
# ```python
# from tblib.methods.losses import kl_distance, squared_distance
#
# wrong_logits = torch.tensor([[8.0, 0.0]], requires_grad=True)
# aim = torch.tensor([[0.0, 1.0]])
# distances = {
#     "squared": squared_distance(wrong_logits.softmax(1), aim),
#     "kl": kl_distance(wrong_logits, aim),
# }
# force = {
#     name: torch.autograd.grad(d, wrong_logits)[0].abs().max().item()
#     for name, d in distances.items()
# }
# print(force)
# assert force["squared"] < 0.01 < 0.9 < force["kl"]
# ```
# ````
#
# 5. **Harder.** Add a threshold as in FixMatch: an unlabelled or labelled clip counts in the distance
#    only if the mixture is surer than some value.  Write it as a subclass, and check both extremes.
#
# ````{admonition} Solution
# :class: dropdown
# The distance is an attribute: whatever maps logits and targets to a number.  To train it, make it
# a class with a line in `semi.METHODS`, as `CONTRIBUTING.md` says for any new method.
#
# ```python
# class Confident(semi.TimeBalance):
#     """TimeBalance that ignores clips on which its teachers are unsure."""
#
#     threshold = 0.0
#
#     def __init__(self, *arguments):
#         super().__init__(*arguments)
#         self.distance = self.sure_distance
#
#     def sure_distance(self, logits, p):
#         sure = p.max(1).values > self.threshold
#         d = (logits.softmax(1) - p.detach()).square().sum(1)
#         return (d * sure).mean()
#
#
# careful = Confident(
#     method.learner, tuple(method.teachers), method.score
# ).to(run.device)
# results = {}
# for careful.threshold in (0.0, 0.5, 1.0):
#     out = careful.train()(**batches)
#     results[careful.threshold] = out["unlabelled"].item()
# print(results)
# assert results[0.0] >= results[0.5] >= results[1.0] == 0
# assert np.isclose(results[0.0], method(**batches)["unlabelled"].item())
# ```
# ````
#
# ## What to read next
#
# Distillation on probabilities instead of classes separates TimeBalance ({cite:alp}`timebalance`)
# from pseudo-labels ({cite:alp}`pseudolabel`) and FixMatch ({cite:alp}`fixmatch`); frozen teachers
# separate it from Mean Teacher ({cite:alp}`meanteacher`).  [*TimeBalance in its
# field*](../book/field.md) has all of them in pictures.  **Next in this book:** which part of all
# this matters?

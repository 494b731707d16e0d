# %% [markdown]
# # Whom to believe: temporal similarity
#
# *You will learn* how one number per video, computed without labels, weights the two teachers;
# which choices hide in that number; and how to tell whether it carries information.
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

# %%
import inspect

import numpy as np
import pandas as pd
import torch
from IPython.display import Code
from sklearn.metrics import roc_auc_score

from tblib import evaluate, plot, reweight
from tblib.features import features
from tblib.systems import predict

plot.use_book_style()
c, classes, families = run.config, run.videos.classes, run.families
labels, test = torch.tensor(run.pool.labels), run.pool.rows("test")
everyone, pool_rows = np.arange(len(run.videos.table)), run.pool.rows("train")

# %% [markdown]
# ## The score
#
# Cut $n$ clips evenly from a video, take their features, and compare all pairs.  If all clips look
# alike the action does not depend on time, and the invariant teacher should be believed; if they
# differ, the distinctive one.  That is the whole idea (eq. {eq}`eq-similarity`, {eq}`eq-mixture`):

# %% tags=["remove-input"]
Code(
    "\n\n".join(
        inspect.getsource(f)
        for f in (
            reweight.similarity_matrix,
            reweight.raw_similarity,
            reweight.mix,
        )
    ),
    language="python",
)

# %% [markdown]
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

# %% [markdown]
# Raw similarities crowd into a narrow band.  Used as they are, they would give nearly every video
# the same weight.  The map to [0, 1] is therefore the decisive free choice; `rank` means: the share
# of the training videos that are less similar.  It is fitted on the training pool (no labels, no
# test videos) and then applied to all.

# %%
s = reweight.fit_map(raw[pool_rows], c.similarity.map)(raw)
plot.score_distribution(
    s[pool_rows].numpy(), labels[pool_rows].numpy(), classes, families
)
# %% [markdown]
# ### Two videos
#
# The most and the least similar training video, with the matrix of all pairs of their clips.

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
# ## Does the score carry information?
#
# Two questions.  Where the families are known: does $s$ rank persistent above phased videos?  And
# everywhere: is $s$ higher where the invariant teacher is right and the distinctive one wrong than
# the other way round?  Both are answered by an AUC: the chance that a random video of the first
# kind has a higher score than one of the second; 0.5 means no information, below 0.5 means the
# opposite of the claim. The videos are the unlabelled training videos, which no teacher was trained
# on.

# %%
unlabelled = run.pool.rows("unlabelled")
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

# %% [markdown]
# ## Mixing
#
# With $p_I$ and $p_D$ the teachers' probabilities and $s$ the score of the video, the target is $p
# = s\,p_I + (1-s)\,p_D$.  What must it beat?  Each teacher alone, the plain average, and scores
# that *look* like $s$ but know nothing: its mean for every video, the score of another video
# (shuffled), and the opposite (inverted).  Where families are known, an oracle that gives 1 to
# persistent and 0 to phased videos shows what a perfect score of this kind could do.

# %%
oracle = (
    torch.tensor(persistent, dtype=torch.float32)
    if families
    else torch.full_like(s, 0.5)
)
scores = reweight.controls(s.float(), oracle, c.seed)
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
print(
    "s = 1 is the invariant teacher:",
    torch.equal(reweight.mix(p_inv, p_dist, ones), p_inv),
)
print(
    "all scores in [0, 1]:",
    all(bool(((v >= 0) & (v <= 1)).all()) for v in scores.values()),
)

# %% [markdown]
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
from tblib.io import atomic_write

columns = pd.DataFrame(
    {
        "video": run.videos.table.video,
        "raw": raw,
        **{k: v.numpy() for k, v in scores.items()},
    }
)
atomic_write(
    run.dir / "similarity.csv", lambda path: columns.to_csv(path, index=False)
)
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
# ## Exercises
#
# 1. **Easy.** What is $s$ for a video shorter than one clip, and which teacher does it get?
#
# ```{admonition} Solution
# :class: dropdown
# All its clips are the same frames, so the raw similarity is 1, the highest possible: the invariant
# teacher, almost alone.
# ```
#
# 2. **Middle.** Why is the map fitted on the training pool and not on all videos?
#
# ```{admonition} Solution
# :class: dropdown
# A rank among test videos would make the prediction for one test video depend on which others
# happen to be in the test set.
# ```
#
# 3. **Harder.** Replace `rank` by `minmax` (`overrides = {"similarity.map": "minmax"}` and another
#    run directory).  Which videos change their weight most, and why?
#
# ```{admonition} Solution
# :class: dropdown
# Raw similarities have a long tail on the low side.  `minmax` keeps distances, so the many similar
# videos crowd near 1 and only the tail gets low scores; `rank` spreads them evenly.  Videos in the
# dense part change most.
# ```
#
# **Next:** the student, which must do without its teachers at test time.

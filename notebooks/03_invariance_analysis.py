# %% [markdown]
# # 3. Which classes are invariant?
#
# *You will learn*
#
# - what the two kinds of features look like, as paths of videos through a map;
# - for which classes an invariant feature is better and for which a distinctive one;
# - how to look at such a difference without fooling yourself;
# - whether the similarity of a video's clips, which needs no label, predicts it.
#
# *Run time* on two CPU cores: about 10 seconds at `smoke`, half a minute at `laptop`.

# %% tags=["parameters"]
profile = "smoke"
run_dir = ""
seed = 0
overrides = {}

# %%
import tblib

run = tblib.start(globals(), chapter=3)
earlier = run.metrics(2)  # chapter 2 must have been run here

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch
from IPython.display import display
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

from tblib.engine import evaluate
from tblib.lesson import findings, plot
from tblib.lesson.listing import listing
from tblib.methods import reweight
from tblib.run.features import features

plot.use_book_style()
c, classes, families = run.config, run.videos.classes, run.families
labels = torch.tensor(run.pool.labels)

# %% [markdown]
# ## Two maps of the same videos
#
# The last chapter measured two networks with three numbers.  Numbers hide a lot, so look first.  We
# cut the same clips evenly from every video and ask both networks for the feature of each.

# %% tags=["nbval-check-output"]
labelled, unlabelled = run.pool.rows("labelled"), run.pool.rows("checked")
encoders = {"invariant": "ssl_invariant", "distinctive": "ssl_distinctive"}
clips = {
    kind: (
        features(run, name, labelled, c.similarity.clips),
        features(run, name, unlabelled, c.similarity.clips),
    )
    for kind, name in encoders.items()
}
print(
    "features of the unlabelled pool [N, n, D]:",
    list(clips["invariant"][1].shape),
)

# %% [markdown]
# A feature has too many dimensions to draw, so a principal component analysis keeps the two that
# vary most.  Every line is a video, from its first clip (dark) to its last (bright).

# %%
truth = labels[unlabelled]
first = [torch.where(truth == k)[0][0].item() for k in truth.unique().tolist()]
first = first[:: max(len(first) // 8, 1)][:8]


def map_of(pool):
    """Two principal components of the clips of a few videos, `[N, n, 2]`."""
    flat = pool[first].flatten(0, 1)
    return PCA(2).fit_transform(flat).reshape(len(first), -1, 2)


plot.clip_paths({kind: map_of(pool) for kind, (_, pool) in clips.items()})

# %% [markdown]
# What to look for: in the left map a video should be a knot, since its clips were pulled together.
# In the right map it should be a path, above all where something changes for good.  A repeated
# movement may show as a loop.  The two maps have different axes; only shapes can be compared.
#
# ## A fair question
#
# Is a knot or a path better for naming the action?  The paper's figure sorts the classes of UCF101 by
# the accuracy of the invariant minus that of the distinctive teacher: *playing piano* or *archery*
# at one end, *long jump* at the other.  Here we ask the question before any finetuning, of the frozen
# features alone.  A **linear probe** is trained on the labelled videos and scored on the unlabelled
# training videos.  (Their labels exist, we just never train on them.  The test split stays closed.)
# The feature of a video is the mean over its clips:

# %% tags=["remove-input"]
listing(evaluate.linear_probe)

# %%
guess = {
    kind: torch.as_tensor(
        evaluate.linear_probe(known.mean(1), labels[labelled], pool.mean(1))
    )
    for kind, (known, pool) in clips.items()
}
right = {
    kind: (prediction == truth).numpy() for kind, prediction in guess.items()
}
for kind, hits in right.items():
    print(
        f"{kind:12s} {100 * hits.mean():5.1f} % of {len(hits)} (chance {100 / len(classes):.1f} %)"
    )

# %% [markdown]
# The two totals are not the point.  A feature can win in total and still be the wrong one for half of
# the classes.
#
# ## The chart
#
# With $a_I(k)$ and $a_D(k)$ the accuracies on class $k$, a bar is $\Delta_k = a_I(k) - a_D(k)$.
# Bars to one side are classes for which forgetting time helped, bars to the other side classes for
# which it hurt.  The idea of the paper needs both sides: if one teacher won everywhere, there would
# be nothing to balance.

# %%
per_class = {
    kind: np.array(
        [right[kind][truth.numpy() == k].mean() for k in range(len(classes))]
    )
    for kind in right
}
plot.per_class_difference(
    per_class["invariant"], per_class["distinctive"], classes, families
)
# %% [markdown]
# Where families are known, the bars of a family can be pooled:

# %%
kind_of = [(families or {}).get(classes[k], "unknown") for k in truth]
by_family = pd.DataFrame(right).groupby(np.array(kind_of)).mean()
(100 * by_family).round(1).rename_axis("family")

# %% [markdown]
# A caution: with few videos in a class each bar is noisy.  Even two equally good features would give
# bars to both sides.  How wide would they spread?  Suppose that for each video the two results could
# as well have been exchanged.  Then $\Delta_k$ is the mean of the differences $d_i$ of its videos,
# each with a random sign, and a thousand draws of the signs show what chance can do:

# %%
rng = np.random.default_rng(c.seed)
difference = per_class["invariant"] - per_class["distinctive"]
pairs = np.stack([right["invariant"], right["distinctive"]]).astype(float)


def shuffled_spread():
    """Standard deviation of the bars when the two teachers are exchangeable for each video."""
    sign = rng.choice([-1, 1], size=pairs.shape[1])
    d = sign * (pairs[0] - pairs[1])
    return np.std([d[truth.numpy() == k].mean() for k in range(len(classes))])


null = np.array([shuffled_spread() for _ in range(1000)])
p_spread = (1 + (null >= difference.std()).sum()) / 1001
print(
    f"spread of the bars {difference.std():.3f}; by chance {null.mean():.3f}; p = {p_spread:.3f}"
)
findings.shown(
    findings.spread(p_spread, difference),
    findings.compared(
        "invariant feature",
        "distinctive feature",
        right["invariant"],
        right["distinctive"],
    ),
)

# %% [markdown]
# If p is small, classes differ in which feature suits them, or at least in how much better one is;
# the table by family tells the two apart.  If it is not, this run does not show the effect, whatever
# the chart looks like.  At `smoke`, where networks take a handful of steps, do not expect it.
#
# ## Does the similarity of clips predict the side?
#
# The mixture of the paper needs something that can be computed *without labels* and that tells on
# which side a video is: how alike its clips are {eq}`(5) <eq-similarity>`.  With features
# $\mathbf h_1, \dots, \mathbf h_n$ of its clips, brought to length one, it is the mean of
# $\mathbf h_j^\top \mathbf h_l$ over all pairs of different clips.  In the maps above: a knot has a
# high similarity, a path a low one.

# %% tags=["remove-input"]
listing(reweight.similarity_matrix, reweight.raw_similarity)

# %% tags=["nbval-check-output"]
one = clips["distinctive"][1][:1]
print("features of one video", list(one.shape))
print("all pairs of clips   ", list(reweight.similarity_matrix(one).shape))
print("its similarity       ", list(reweight.raw_similarity(one).shape))

# %% [markdown]
# The mean clip similarity of each class against its bar, for both features:

# %%
raw = {kind: reweight.raw_similarity(pool) for kind, (_, pool) in clips.items()}
table = pd.DataFrame(
    {
        "invariant − distinctive, points": 100 * difference,
        **{
            f"similarity ({kind})": [
                float(s[truth == k].mean()) for k in range(len(classes))
            ]
            for kind, s in raw.items()
        },
    },
    index=list(classes),
).sort_values("invariant − distinctive, points")
table.round(3)

# %%
rank = {
    kind: spearmanr(table[f"similarity ({kind})"], table.iloc[:, 0]).statistic
    for kind in raw
}
for kind, rho in rank.items():
    print(
        f"rank correlation with similarity of {kind} features: {rho:+.2f} over {len(table)} classes"
    )

# %% [markdown]
# A positive number is what the paper's argument predicts: videos whose clips are alike are better
# served by the invariant feature.  The paper does not say which features its similarity is computed
# from; the usual argument is that the invariant ones make everything alike by construction, so that
# only the distinctive ones can separate.  The two numbers above test that argument.  Do not be
# surprised if it fails: we were, when similarities of *invariant* features sorted the classes about
# as well.  Training pulls clips of a video together, but it does not succeed everywhere, and where it
# fails is again information about the video.
#
# Two cautions.  Classes are few, so the correlation is uncertain.  And a similarity that sorts
# *classes* need not help within a class, where the mixture has to decide video by video.

# %% [markdown]
# ## A look into the two spaces
#
# The maps once more, now with many videos and coloured by class.  Every point is one *clip*.
# Invariant features should pull the clips of a video together, distinctive ones should stretch them.
# The ratio in the title says by how much, in all dimensions and not only the two that are drawn:
# variance inside videos, $\lVert \mathbf h - \bar{\mathbf h}_v \rVert^2$, as a share of all variance,
# $\lVert \mathbf h - \bar{\mathbf h} \rVert^2$.

# %%
show = np.random.default_rng(0).permutation(len(unlabelled))[:40]
names = [classes[k] for k in truth[show].repeat_interleave(c.similarity.clips)]
for kind, (_, pool) in clips.items():
    flat = pool.flatten(0, 1)
    inside = (pool - pool.mean(1, keepdim=True)).square().mean() / (
        flat - flat.mean(0)
    ).square().mean()
    points = PCA(2).fit_transform(pool[show].flatten(0, 1))
    fig = plot.embedding(
        points,
        names,
        families,
        title=f"{kind}: {100 * inside:.0f} % of the variance is inside videos",
    )
    display(fig)

# %% [markdown]
# A lower share for the invariant feature is what its training asked for.  Look at the classes, too:
# are they islands?  Features that ignore time are not yet features that know actions.

# %% tags=["hide-input"]
run.save_metrics(
    {
        "probe_accuracy": {
            kind: 100 * float(hits.mean()) for kind, hits in right.items()
        },
        "per_class_difference": dict(
            zip(classes, (100 * difference).round(2).tolist(), strict=True)
        ),
        "p_spread": float(p_spread),
        "rank_correlation": {
            kind: float(np.nan_to_num(rho)) for kind, rho in rank.items()
        },
        "table": {
            "title": "Linear probes by class, unlabelled training videos",
            "columns": ["class", *table.columns],
            "rows": [
                [name, *map(float, row.round(3))]
                for name, row in table.iterrows()
            ],
            "note": f"p of the spread of the differences, teachers exchanged: {p_spread:.3f}",
        },
    }
)

# %% [markdown]
# ## Check yourself
#
# 1. The invariant probe is ten points better in *every* class.  Is there something to balance?
#
# ```{admonition} Answer
# :class: dropdown
# No.  The bars are long but all on one side; one weight for all videos would do.
# ```
#
# 2. Clip features are averaged before the probe sees them.  What is lost?
#
# ```{admonition} Answer
# :class: dropdown
# The order of the clips.  A distinctive feature may know when a clip was taken, but the mean of the
# clips is the same in any order.  Only what happens inside one clip can tell RunCartwheel from
# CartwheelRun.
# ```
#
# 3. Why is the chart made on unlabelled training videos and not on test videos?
#
# ```{admonition} Answer
# :class: dropdown
# Because we look at it before deciding what to do next.  A test set that took part in decisions
# gives accuracies that are too high.
# ```
#
# 4. All raw similarities lie between 0.95 and 1.  Does that make a rank correlation meaningless?
#
# ```{admonition} Answer
# :class: dropdown
# No, ranks ignore the scale.  It does make the numbers useless as *weights*; see chapter 5.
# ```
#
# ## Exercises
#
# 1. **Easy.** Why is the probe trained on the labelled videos only, if labels of all are known?
#
# ```{admonition} Solution
# :class: dropdown
# Because the teachers of the next chapter will have just those.  A probe with all labels answers
# another question: what the features contain, not what can be got out of them with few labels.
# ```
#
# 2. **Easy.** Which changes of the features leave a video's similarity as it is: making all vectors
#    twice as long, turning them, adding the same vector to all?  Try it.
#
# ````{admonition} Solution
# :class: dropdown
# A cosine knows directions only, and turning keeps angles.  A common shift changes all angles.
#
# ```python
# h = clips["distinctive"][1].double()
# before = reweight.raw_similarity(h)
# turn = torch.linalg.qr(torch.randn(h.shape[-1], h.shape[-1]).double()).Q
# changed = {"longer": 2 * h, "turned": h @ turn, "shifted": h + h.std()}
# same = {
#     name: torch.allclose(reweight.raw_similarity(x), before)
#     for name, x in changed.items()
# }
# print(same)
# assert same == {"longer": True, "turned": True, "shifted": False}
# ```
# ````
#
# 3. **Middle.** The shuffling test exchanges results *within* a video.  Why not shuffle the class
#    labels instead?
#
# ```{admonition} Solution
# :class: dropdown
# Shuffling labels would also destroy that some classes are harder than others for both teachers.
# Exchanging the two results of a video keeps its difficulty and removes only the thing that is
# being tested.
# ```
#
# 4. **Middle.** Use the same random signs to ask whether one probe is better *in total*, and compare
#    with McNemar's exact test, `stats.mcnemar`.
#
# ````{admonition} Solution
# :class: dropdown
# Both tests look only at videos where one probe alone is right, and toss a coin for each.
#
# ```python
# from tblib import stats
#
# d = pairs[0] - pairs[1]
# coins = np.random.default_rng(0).choice([-1, 1], (2000, len(d)))
# tossed = np.abs(coins @ d)
# p_coins = (1 + (tossed >= abs(d.sum())).sum()) / 2001
# exact = stats.mcnemar(right["invariant"], right["distinctive"])
# print(f"by coins {p_coins:.3f}, exact {exact.p:.3f}")
# assert abs(p_coins - exact.p) < 0.06
# ```
# ````
#
# 5. **Harder.** Backbone features follow a ReLU, so they are never negative and their cosines crowd
#    near one.  Subtract the mean feature of the pool before comparing clips.  What happens to the
#    spread of the similarities, and to the order of the videos?
#
# ````{admonition} Solution
# :class: dropdown
# The common part of all features no longer hides the differences, so the spread grows.  The order
# changes too, in part: this is another definition of the score, and nothing in the paper decides
# between the two.
#
# ```python
# for kind, (_, pool) in clips.items():
#     centred = reweight.raw_similarity(pool - pool.mean((0, 1)))
#     order = spearmanr(raw[kind], centred).statistic
#     print(
#         f"{kind}: spread {raw[kind].std():.4f} to {centred.std():.4f}, "
#         f"rank correlation {order:.2f}"
#     )
#     assert centred.std() > raw[kind].std()
# ```
# ````
#
# ## What to read next
#
# The figure of TimeBalance ({cite:alp}`timebalance`) that this chapter repeats is its motivation;
# TCLR ({cite:alp}`tclr`) and CVRL ({cite:alp}`cvrl`) argue for one kind of feature each, and reading
# them side by side is worth an evening.  **Next in this book:** the same comparison after finetuning,
# on the test videos.

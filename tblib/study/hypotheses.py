"""What the claim predicts, written down with thresholds before any result was read, and judged.

Every statement is judged on means over seeds, after Holm's correction for all tests of the study.
A statement with two parts at the same share of labels is supported only if both parts are;
`verdict` has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import measures, verdict
from .reading import Study
from .tables import percent

PAIRED = "paired t-test over seeds, two-sided"
SIGNIFICANT = "difference > 0 and p < 0.05 after correction"
BOUND = "t-test over seeds against the bound, two-sided"


@dataclass(frozen=True)
class Hypothesis:
    """A statement that can fail.

    Attributes:
        number: H1, H2, …
        claim: the statement.
        measure: which numbers it is about.
        test: how it is tested.
        threshold: when it is supported.
        parts: what makes the numbers, see `measures`.
    """

    number: str
    claim: str
    measure: str
    test: str
    threshold: str
    parts: measures.Measure


def judge(study: Study) -> pd.DataFrame:
    """Judge every hypothesis, once per main share of labels where labels matter.

    Returns:
        number, claim, compared (what the value is), labels (share of labels, – if none), seeds,
        value (mean over seeds; accuracies in percent, differences in points), 95 % CI, p
        (two-sided, uncorrected), p_holm (Holm over all p of this study) and outcome of the whole
        statement by p_holm: supported, not supported, reversed or not measured.
    """
    groups = [(hypothesis, group) for hypothesis in HYPOTHESES for group in hypothesis.parts(study)]
    found = [[part.find() for part in group] for _, group in groups]
    corrected = iter(verdict.holm([finding.p for findings in found for finding in findings]))
    rows = []
    for (hypothesis, group), findings in zip(groups, found, strict=True):
        p_holm = [next(corrected) for _ in findings]
        judged = list(zip(group, findings, p_holm, strict=True))
        outcome = verdict.together([part.outcome(finding, p) for part, finding, p in judged])
        rows += [_row(hypothesis, *each, outcome) for each in judged]
    return pd.DataFrame(rows)


def _row(
    hypothesis: Hypothesis,
    part: verdict.Part,
    found: verdict.Finding,
    p_holm: float,
    outcome: str,
) -> dict:
    mean, low, high = found.interval
    return {
        "number": hypothesis.number,
        "claim": hypothesis.claim,
        "compared": part.compared,
        "labels": "–" if part.labels is None else percent(part.labels),
        "seeds": int(part.values.notna().sum()),
        "value": mean,
        "95 % CI": "–" if np.isnan(low) else f"{low:.2f} to {high:.2f}",
        "p": found.p,
        "p_holm": p_holm,
        "outcome": outcome,
    }


def _students(number: str, claim: str, *pairs: tuple[str, str]) -> Hypothesis:
    """State that the first classifier of every pair beats the second."""
    compared = " and ".join(f"{a} − {b}" for a, b in pairs)
    threshold = SIGNIFICANT + (" in both" if len(pairs) > 1 else "")
    measure = measures.students(*pairs)
    return Hypothesis(number, claim, f"top-1: {compared}", PAIRED, threshold, measure)


HYPOTHESES = (
    Hypothesis(
        "H1",
        "Invariant features know persistent classes better, distinctive ones phased classes.",
        "linear probe, invariant − distinctive; mean of persistent − mean of phased classes",
        PAIRED,
        SIGNIFICANT,
        measures.probes_by_family,
    ),
    Hypothesis(
        "H2",
        "The finetuned teachers complement each other in the same way.",
        "accuracy of f_I − f_D; mean of persistent − mean of phased classes",
        PAIRED,
        SIGNIFICANT,
        measures.teachers_by_family("teacher_distinctive", "f_D"),
    ),
    Hypothesis(
        "H3",
        "Distinctive features know when in a video a clip was taken better than invariant ones.",
        "times found in phased videos (in all if families are unknown), distinctive − invariant",
        PAIRED,
        SIGNIFICANT,
        measures.retrieval_difference,
    ),
    Hypothesis(
        "H3b",
        "Distinctive features find the time at least twice as often as chance.",
        "share of times found in the same videos / chance",
        BOUND,
        "mean > 2 and p < 0.05 after correction",
        measures.retrieval_to_chance("distinctive", verdict.above(2)),
    ),
    Hypothesis(
        "H3c",
        "Invariant features find the time hardly more often than chance.",
        "share of times found in the same videos / chance",
        BOUND,
        "mean < 1.25 and p < 0.05 after correction",
        measures.retrieval_to_chance("invariant", verdict.below(1.25)),
    ),
    Hypothesis(
        "H4",
        "The similarity s(v) is higher for persistent than for phased videos.",
        "AUC of s(v), persistent against phased test videos",
        BOUND,
        "mean > 0.8 and p < 0.05 after correction; reversed: < 0.5",
        measures.score_by_family,
    ),
    Hypothesis(
        "H5",
        "The similarity s(v) points to the teacher that is right.",
        "AUC of s(v), test videos only f_I gets right against those only f_D gets right",
        BOUND,
        "mean > 0.5 and p < 0.05 after correction",
        measures.score_by_teacher,
    ),
    _students(
        "H6",
        "A student of both kinds of teacher, averaged, beats a student of either alone.",
        ("student_average", "student_invariant_only"),
        ("student_average", "student_distinctive_only"),
    ),
    _students(
        "H7",
        "Reweighting by s(v) beats the plain average.",
        ("student_reweighted", "student_average"),
    ),
    _students(
        "H8",
        "It is the video's own s(v) that helps: reweighting beats shuffled scores.",
        ("student_reweighted", "student_shuffled"),
    ),
    _students(
        "H9",
        "The direction of s(v) is right: reweighting beats inverted scores.",
        ("student_reweighted", "student_inverted"),
    ),
    _students(
        "H10",
        "There is something to gain by weighting per video: the true family beats the average.",
        ("student_oracle", "student_average"),
    ),
    _students(
        "H11",
        "One teacher of each kind beats two of a kind.",
        ("student_average", "student_inv_inv2"),
        ("student_average", "student_dist_dist2"),
    ),
    _students(
        "H12",
        "A second method of the same kind beats a second seed of the same method.",
        ("student_inv_inv2", "student_inv_inv_b"),
    ),
    _students(
        "H13",
        "Unlabelled video helps beyond self-supervised pretraining, at equal steps.",
        ("student_reweighted", "ssl"),
    ),
    _students(
        "H14",
        "A student that starts from self-supervised weights beats one from random weights.",
        ("student_reweighted", "student_init_scratch"),
    ),
    Hypothesis(
        "H15",
        "The data are neither too hard nor too easy: all labels suffice, few labels do not.",
        "mean top-1 with all labels, and from scratch at the largest main share (StickActions)",
        "none: two means over seeds",
        "all labels >= 90 % and scratch <= 80 %",
        measures.difficulty,
    ),
    Hypothesis(
        "H16",
        "The transformations teacher complements f_I: better on phased, not on persistent classes.",
        "accuracy of f_I − f_transformations; mean of persistent − mean of phased classes",
        PAIRED,
        SIGNIFICANT,
        measures.teachers_by_family("teacher_transformations", "f_transformations"),
    ),
    _students(
        "H17",
        "A student of f_I and the transformations teacher, averaged, beats a student of either.",
        ("student_inv_dist2", "student_invariant_only"),
        ("student_inv_dist2", "student_dist2_only"),
    ),
    _students(
        "H18",
        "Reweighting this pair by s(v) beats its plain average.",
        ("student_inv_dist2_reweighted", "student_inv_dist2"),
    ),
    _students(
        "H19",
        "For this pair too it is the video's own s(v) that helps: it beats shuffled scores.",
        ("student_inv_dist2_reweighted", "student_inv_dist2_shuffled"),
    ),
    _students(
        "H20",
        "There is something to gain by weighting this pair: the true family beats the average.",
        ("student_inv_dist2_oracle", "student_inv_dist2"),
    ),
)

"""Reading, tables and hypotheses of a study, on records with differences planted by hand."""

import json

import numpy as np
import pytest
from scipy import stats
from study_record import TOP1, drop, plant, synthetic_record

from tblib.errors import DataError, MissingStage, UserError
from tblib.lesson.paper import ablations
from tblib.stats import mean_ci
from tblib.study import tables
from tblib.study.hypotheses import HYPOTHESES, judge
from tblib.study.measures import twins
from tblib.study.reading import Study, decode_bits, load, recorded
from tblib.study.verdict import Between, above, below, holm, p_value

ALL_TABLES = (
    tables.teachers_by_reweighting,
    tables.teacher_combinations,
    tables.second_pair,
    tables.student_initialisations,
    tables.score_definitions,
    tables.score_controls,
    tables.distillation,
    tables.systems_from_random_weights,
    tables.systems_from_ssl_weights,
    tables.label_counts,
)


@pytest.fixture
def record():
    return synthetic_record()


@pytest.fixture
def study(record):
    return Study(record)


def kept(tmp_path, record, name="some"):
    (tmp_path / f"{name}.json").write_text(json.dumps(record))
    return name


def outcome(table, number, labels=None):
    """Return the one outcome of a hypothesis."""
    rows = table[table.number == number]
    rows = rows if labels is None else rows[rows.labels == labels]
    (found,) = set(rows.outcome)
    return found


# Reading


def test_the_main_shares_of_labels_are_those_of_the_settings(record):
    record["config"]["study"]["fractions"] = [0.1, 0.05]
    assert Study(record).main == (0.05, 0.1)
    assert set(judge(Study(record)).labels) >= {"5 %", "10 %"}


def test_a_record_survives_the_file(tmp_path, record):
    read = load(kept(tmp_path, record, "b-study"), tmp_path)
    kept(tmp_path, record, "a-study")
    assert recorded(tmp_path) == ["a-study", "b-study"]
    assert read.raw == record and read.fractions == [0.01, 0.05, 0.1, 0.2, 0.5]
    assert read.label.shape == (80,) and len(read.videos) == 80 and read.seeds(0.1) == [*range(5)]


def test_an_absent_record_is_one_sentence(tmp_path, record):
    with pytest.raises(MissingStage, match="none is recorded yet"):
        load("laptop-study", tmp_path / "nowhere")
    kept(tmp_path, record, "laptop-study")
    with pytest.raises(MissingStage, match="did you mean 'laptop-study'"):
        load("laptop-studi", tmp_path)


def spoil_kind(r):
    r["kind"] = "run"


def spoil_key(r):
    del r["classes"]


def spoil_bits(r):
    r["units"][2]["cells"]["ssl"]["right"] += "1"


def spoil_probe(r):
    r["units"][0]["pretraining"]["joint"]["linear_right"] = "01"


def spoil_twice(r):
    r["units"].append(r["units"][0])


def spoil_groups(r):
    r["test"]["group"] = ["one"]


def spoil_unit(r):
    del r["units"][0]["cells"]


@pytest.mark.parametrize(
    "spoil, words",
    [
        (spoil_kind, "not the record of a study"),
        (spoil_key, "lacks classes"),
        (spoil_bits, "ssl of seed 0 at 10 % labels has 81 results for 80"),
        (spoil_probe, "joint of seed 0 at 1 % labels has 2 results for 80"),
        (spoil_twice, "a seed twice"),
        (spoil_groups, "has not a group for each of 80 test videos"),
        (spoil_unit, "damaged .KeyError: 'cells'"),
    ],
)
def test_a_wrong_record_is_one_sentence(tmp_path, record, spoil, words):
    spoil(record)
    with pytest.raises(DataError, match=words) as caught:
        load(kept(tmp_path, record), tmp_path)
    assert isinstance(caught.value, UserError) and "\n" not in str(caught.value)


def test_a_torn_file_is_one_sentence(tmp_path):
    (tmp_path / "torn.json").write_text('{"kind": "stu')
    with pytest.raises(DataError, match="not readable JSON"):
        load("torn", tmp_path)


def test_bits_by_hand():
    assert decode_bits("0110").tolist() == [False, True, True, False]
    with pytest.raises(DataError, match="'2'"):
        decode_bits("012")


def test_top1_and_per_class_come_from_the_bits(record):
    # four videos per class: class 0 has 3 of 4 right, class 1 has 1 of 4, no other any
    record["units"][3]["cells"]["ssl"]["right"] = "1101" + "0010" + "0" * 72
    study = Study(record)
    assert record["units"][3]["fraction"] == 0.2 and study.top1("ssl", 0.2)[0] == 5.0
    assert study.per_class("ssl", 0.2)[0].tolist() == [75.0, 25.0] + [0.0] * 18
    assert study.right("ssl", 0.2)[0].nonzero()[0].tolist() == [0, 1, 3, 6]


def test_a_class_without_test_videos_has_no_accuracy(record):
    record["classes"].append("Unseen")
    per_class = Study(record).per_class("ssl", 0.2)
    assert np.isnan(per_class[:, 20]).all() and not np.isnan(per_class[:, :20]).any()


def test_rows_belong_to_the_seeds_that_have_the_cell(record):
    study = Study(drop(record, "student_kl", {0, 3}))
    assert study.seeds_with("student_kl", 0.2) == [1, 2, 4]
    assert study.top1("student_kl", 0.2).index.tolist() == [1, 2, 4]
    assert study.right("student_kl", 0.2).shape == (3, 80)
    assert study.right("student_kl", 0.5).shape == (0, 80)
    assert study.per_class("student_kl", 0.5).shape == (0, 20)


def test_pretrainings_are_stacked_in_the_order_of_seeds(record):
    record["units"].reverse()
    found = Study(record).pretrained("distinctive")
    assert found["seeds"].tolist() == [0, 1, 2, 3, 4]
    assert found["retrieval"].shape == found["linear_right"].shape == (5, 80)
    assert found["linear"] == pytest.approx(100 * found["linear_right"].mean(1))
    assert list(Study(record).pretrained("nothing")) == ["seeds"]


def test_groups_of_test_videos_are_recorded_or_in_their_names(record):
    record["test"]["video"][:3] = ["A/v_A_g01_c01", "A/v_A_g01_c02", "A/v_A_g02_c01"]
    assert Study(record).groups[:3] == ["A/v_A_g01", "A/v_A_g01", "A/v_A_g02"]
    record["test"]["group"] = ["one"] * 80
    assert Study(record).groups == ["one"] * 80
    assert len(set(load("ucf101-study").groups)) == 63


def test_an_absent_unit_is_one_sentence(study):
    with pytest.raises(DataError, match="no seed 7 at 20 % labels"):
        study.unit(0.2, 7)


def test_scores_and_mixtures_have_one_row_per_seed(study):
    assert study.s(0.2).shape == (5, 80)
    assert study.mixed(0.2).loc[3, "oracle"] == study.unit(0.2, 3)["mixed"]["oracle"]
    table = study.similarity_table(0.05)
    row = table[(table.definition == "distinctive/backbone/2/rank") & (table.seed == 1)].iloc[0]
    assert (row.features, row.space, row.clips, row["map"]) == (
        "distinctive",
        "backbone",
        2,
        "rank",
    )
    assert row.auc_family == study.unit(0.05, 1)["similarity"][row.definition]["auc_family"]
    assert study.similarity_table(0.5).empty


# Tables


def test_a_cell_of_a_table_is_the_interval_over_seeds(study):
    row = tables.score_controls(study).set_index("what").loc["none: plain average"]
    values = study.top1("student_average", 0.2)
    reach = stats.t.ppf(0.975, 4) * values.std(ddof=1) / np.sqrt(5)
    assert row["20 %"] == f"{values.mean():.1f} ± {reach:.1f}"
    assert row["20 % mean"] == pytest.approx(values.mean())
    assert row["20 % high"] - row["20 % low"] == pytest.approx(2 * reach)
    t = stats.ttest_rel(values, study.top1("student_reweighted", 0.2)).pvalue
    assert row["20 % p t"] == pytest.approx(t)
    assert row["20 % p permutation"] == pytest.approx(2 / 2**5)  # all five signs agree
    assert (row.seeds, row.steps, row.clips) == ("5", 200, 6400)


@pytest.mark.parametrize("make", ALL_TABLES, ids=lambda make: make.__name__)
def test_every_table_has_one_reference_and_no_test_against_itself(study, make):
    table = make(study)
    reference = table[table.what.str.endswith("(reference)")]
    assert len(reference) == 1
    tested = [column for column in table if " p " in column]
    assert reference[tested].isna().all(axis=None)
    assert table.drop(reference.index)["20 % p permutation"].notna().all()
    assert not (table["20 %"] == "–").any() and make.__doc__


def test_the_papers_numbers_stand_in_the_papers_rows(study):
    printed = ablations().set_index(["table", "row"])
    table = tables.teachers_by_reweighting(study).set_index("what")
    assert table.loc["student of both, reweighted", "paper 5 %"] == 53.10
    assert table.loc["student of f_D", "paper 20 %"] == 75.22
    assert np.isnan(table.loc["labelled only, SSL start", "paper 5 %"])
    inits = tables.student_initialisations(study)
    assert inits["paper 5 %"].tolist() == printed.loc["C", "ucf101_5"].tolist()
    assert inits["paper 20 %"].isna().all()
    pairs = tables.teacher_combinations(study)
    assert pairs["paper 20 %"].tolist()[:4] == printed.loc["B", "ucf101_20"].tolist()


def test_absent_cells_show_a_dash_and_how_many_seeds_there_are(record):
    drop(record, "student_oracle")
    drop(record, "student_constant", {0, 1, 2, 3})
    drop(record, "student_shuffled", {4})
    table = tables.score_controls(Study(record)).set_index("what")
    oracle = table.loc["the true family (oracle)"]
    assert (oracle["5 %"], oracle["20 %"], oracle.seeds) == ("–", "–", "0")
    assert np.isnan(oracle["20 % mean"]) and np.isnan(oracle.steps)
    constant = table.loc["constant: ½ (= average)"]
    assert constant.seeds == "1" and "±" not in constant["20 %"] and constant["20 %"] != "–"
    assert np.isnan(constant["20 % p t"])
    assert table.loc["s of other videos (shuffled)", "seeds"] == "4"


def test_an_absent_share_of_labels_is_a_dash(record):
    record["units"] = [u for u in record["units"] if u["fraction"] != 0.05]
    row = tables.distillation(Study(record)).iloc[1]
    assert row["5 %"] == "–" and row["20 %"] != "–" and row.seeds == "0 / 5"


def test_seeds_without_the_reference_are_left_out_of_the_test(record):
    study = Study(drop(record, "student_reweighted", {4}))
    row = tables.distillation(study).iloc[1]
    a, b = study.top1("student_kl", 0.2)[:4], study.top1("student_reweighted", 0.2)
    assert row["20 % p t"] == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_label_counts_have_every_share_of_labels(study):
    table = tables.label_counts(study)
    means = table.loc[1, [f"{p} % mean" for p in (1, 5, 10, 20, 50)]]
    assert means.is_monotonic_increasing and len(table) == 6


# Hypotheses


def test_the_planted_claim_is_supported_throughout(study):
    table = judge(study)
    assert list(dict.fromkeys(table.number)) == [h.number for h in HYPOTHESES]
    assert set(table.outcome) == {"supported"}, table[table.outcome != "supported"]
    assert len(table[table.number == "H6"]) == 4  # two parts at two shares of labels


def test_planted_differences_have_their_size(study):
    table = judge(study).set_index(["number", "labels"])
    h7 = table.loc[("H7", "20 %")]
    assert h7.value == pytest.approx(TOP1["student_reweighted"] - TOP1["student_average"], abs=2)
    difference = study.top1("student_reweighted", 0.2) - study.top1("student_average", 0.2)
    assert h7.value == pytest.approx(difference.mean())
    assert h7.p == pytest.approx(stats.ttest_1samp(difference, 0).pvalue)
    low, high = stats.t.interval(0.95, 4, difference.mean(), stats.sem(difference))
    assert h7["95 % CI"] == f"{low:.2f} to {high:.2f}"
    # invariant is planted 2 × 15 points better on persistent, distinctive on phased classes
    assert table.loc[("H2", "20 %"), "value"] == pytest.approx(60, abs=4)
    assert table.loc[("H3b", "–"), "value"] == pytest.approx(0.8 / 0.25, rel=0.05)


def swap(record, a, b):
    """Give two classifiers, or two pretrainings, each other's measurements."""
    for unit in record["units"]:
        for kept in (unit["cells"], unit["pretraining"]):
            if a in kept and b in kept:
                kept[a], kept[b] = kept[b], kept[a]
    return record


@pytest.mark.parametrize(
    "number, a, b",
    [
        ("H1", "invariant", "distinctive"),
        ("H2", "teacher_invariant", "teacher_distinctive"),
        ("H3", "invariant", "distinctive"),
        ("H3c", "invariant", "distinctive"),
        ("H5", "teacher_invariant", "teacher_distinctive"),
        ("H6", "student_average", "student_distinctive_only"),
        ("H7", "student_reweighted", "student_average"),
        ("H8", "student_reweighted", "student_shuffled"),
        ("H9", "student_reweighted", "student_inverted"),
        ("H10", "student_oracle", "student_average"),
        ("H11", "student_average", "student_inv_inv2"),
        ("H12", "student_inv_inv2", "student_inv_inv_b"),
        ("H13", "student_reweighted", "ssl"),
        ("H14", "student_reweighted", "student_init_scratch"),
    ],
)
def test_the_opposite_of_the_claim_is_reversed(record, number, a, b):
    table = judge(Study(swap(record, a, b)))
    assert set(table[table.number == number].outcome) == {"reversed"}


def test_a_score_that_ranks_the_families_the_wrong_way_is_reversed(record):
    for unit in record["units"]:
        unit["s"] = [1 - s for s in unit["s"]]
    table = judge(Study(record))
    assert outcome(table, "H4") == outcome(table, "H5") == "reversed"


def test_no_difference_is_not_supported_and_judged_per_share_of_labels(record):
    for unit in record["units"]:
        if unit["fraction"] == 0.05:
            unit["cells"]["student_shuffled"] = unit["cells"]["student_reweighted"]
    table = judge(Study(record))
    assert outcome(table, "H8", "5 %") == "not supported"
    assert outcome(table, "H8", "20 %") == "supported"


def test_one_part_of_two_is_not_enough(record):
    for unit in record["units"]:
        if "student_inv_inv2" in unit["cells"]:
            unit["cells"]["student_inv_inv2"] = unit["cells"]["student_average"]
    table = judge(Study(record))
    parts = table[(table.number == "H11") & (table.labels == "20 %")]
    assert parts.p.min() < 0.05 < parts.p.max()
    assert set(parts.outcome) == {"not supported"}


def test_data_that_are_too_easy_or_too_hard_fail_the_check(record):
    assert outcome(judge(Study(plant(record, "scratch", 85))), "H15") == "not supported"
    assert outcome(judge(Study(plant(record, "scratch", 50))), "H15") == "supported"
    assert outcome(judge(Study(plant(record, "all_labels", 80))), "H15") == "not supported"


def test_data_without_families_leave_their_questions_open():
    record = synthetic_record(families=False)
    study, table = Study(record), judge(Study(record))
    for number in ("H1", "H2", "H4", "H10", "H15"):
        assert outcome(table, number) == "not measured"
    assert outcome(table, "H3") == outcome(table, "H5") == outcome(table, "H7") == "supported"
    share = study.pretrained("distinctive")["retrieval"].mean() / 0.25  # over all videos
    assert table.set_index("number").loc["H3b", "value"] == pytest.approx(share)


def test_only_phased_videos_count_for_retrieval_where_families_are_known(record):
    for unit in record["units"]:
        for found in unit["pretraining"].values():
            found["retrieval"][:40] = [0.0] * 40  # the persistent half
    assert outcome(judge(Study(record)), "H3b") == "supported"


def test_statements_about_times_are_of_projected_features_in_old_and_new_records(record):
    old = judge(Study(record)).set_index("number").loc["H3b", "value"]
    assert Study(record).retrieval_space == "after the head, if there is one"
    for unit in record["units"]:
        for found in unit["pretraining"].values():
            found["retrieval_projected"] = found["retrieval"]
            found |= {"retrieval": [0.25] * 80, "retrieval_space": "backbone"}
    assert Study(record).retrieval_space == "backbone features"
    assert judge(Study(record)).set_index("number").loc["H3b", "value"] == pytest.approx(old)
    assert Study(record).pretrained("distinctive")["retrieval"].mean() == 0.25


def test_students_of_the_same_targets_measure_noise_in_old_records_only(record):
    study = Study(record)
    noise = twins(study)
    assert len(noise) == 10, "two shares of labels, five seeds"
    again = study.top1("student_constant", 0.05) - study.top1("student_average", 0.05)
    assert noise.loc[0.05].tolist() == again.tolist()
    assert study.constant == "½ (= average)"
    for unit in record["units"]:
        unit["constant"] = 0.7
    assert Study(record).constant == "best on training videos"
    assert not len(twins(Study(record))), "a chosen constant is no twin of the average"
    assert "constant: best on training videos" in set(tables.score_controls(Study(record)).what)


@pytest.mark.parametrize("left", [0, 1])
def test_what_has_no_two_seeds_is_not_measured(record, left):
    drop(record, "student_oracle", set(range(left, 5)))
    rows = judge(Study(record)).query("number == 'H10'")
    assert set(rows.outcome) == {"not measured"} and rows.p.isna().all()
    assert set(rows["95 % CI"]) == {"–"} and rows.value.notna().all() == bool(left)


def test_an_empty_study_has_every_question_and_no_answer(record):
    record["units"] = []
    table = judge(Study(record))
    assert set(table.outcome) == {"not measured"} and set(table.number) >= {"H1", "H15"}
    for make in ALL_TABLES[:-1]:
        assert set(make(Study(record))["20 %"]) == {"–"}


# Rules


def test_holm_by_hand():
    # m = 4 without the NaN: .005·4 = .02, .01·3 = .03, .03·2 = .06, .04·1 = .04 but not below .06
    corrected = holm([0.01, 0.04, np.nan, 0.03, 0.005])
    assert corrected == pytest.approx([0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True)
    assert holm([0.4, 0.6]).tolist() == [0.8, 0.8] and holm([0.7, 0.6]).tolist() == [1, 1]


def test_holm_counts_every_test_of_the_study(study):
    table = judge(study)
    tested = table.p.notna()
    assert table.p_holm[tested].min() == pytest.approx(table.p[tested].min() * tested.sum())
    assert (table.p_holm[tested] >= table.p[tested]).all() and table.p_holm[~tested].isna().all()
    assert set(table.number[~tested]) == {"H15"}, "means without a test"


def test_rules_at_their_bounds():
    assert above(2).outcome(3, 0.04) == "supported"
    assert above(2).outcome(3, 0.06) == "not supported"
    assert above(0.8, 0.5).outcome(0.4, 0.01) == "reversed"
    assert below(1.25).outcome(1.1, 0.01) == "supported"
    assert below(1.25).outcome(1.4, 0.01) == "reversed"
    assert below(1.25).outcome(1.2, 0.2) == below(1.25).outcome(1.4, 0.2) == "not supported"
    assert Between(90, 100).outcome(90, np.nan) == "supported"
    assert Between(90, 100).outcome(89.9, np.nan) == "not supported"


def test_p_against_a_bound_agrees_with_the_interval():
    """The 95 % t interval excludes the bound just where p is below 0.05."""
    values = np.array([2.1, 2.6, 2.4, 2.9, 2.2])
    low, high = mean_ci(values)[1:]
    for bound in (low - 0.01, high + 0.01):
        assert p_value(values, bound) < 0.05
    for bound in (low + 0.01, high - 0.01):
        assert p_value(values, bound) > 0.05
    assert above(low).p(values) == pytest.approx(0.05)
    assert above(3).p(values) == 1, "no bound is passed"
    assert above(3, 2.9).p(values) == p_value(values, 2.9)
    assert p_value([1.0] * 5, 0.8) == 0 and p_value([1.0] * 5, 1.0) == 1


def test_a_statement_is_supported_only_after_the_correction(record):
    """One test alone passes; the same numbers among tests that find nothing do not."""
    table = judge(Study(record))
    single = table[(table.number == "H7") & (table.labels == "20 %")].iloc[0]
    for unit in record["units"]:
        for name in unit["cells"]:
            if name not in ("student_average", "student_reweighted"):
                unit["cells"][name] = unit["cells"]["student_average"]
    weaker = plant(record, "student_reweighted", 74.5, 0.2)
    found = judge(Study(weaker))
    row = found[(found.number == "H7") & (found.labels == "20 %")].iloc[0]
    assert single.p < row.p < 0.05 < row.p_holm
    assert row.outcome == "not supported" and single.outcome == "supported"


def test_equal_differences_ask_the_permutation_test():
    assert p_value([2.0] * 5) == pytest.approx(2 / 2**5)  # a t-test would divide by zero
    assert p_value([0.0] * 5) == 1


def test_names_of_shares_of_labels():
    assert [tables.percent(f) for f in (0.01, 0.05, 0.2, 0.125)] == ["1 %", "5 %", "20 %", "12.5 %"]

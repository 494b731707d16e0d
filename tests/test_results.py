"""Recorded results: complete, with run cards, and what the README says of them."""

import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tblib import stats
from tblib.files import read_json, write_json
from tblib.settings.config import Profile
from tblib.study import measures, reading
from tblib.study.hypotheses import HYPOTHESES, judge
from tblib.study.record import study_code
from tblib.study.verdict import together

ROOT = Path(__file__).resolve().parents[1]
RECORDS = sorted(set((ROOT / "results").glob("*.json")) - {ROOT / "results" / "reliability.json"})


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_every_chapter_and_its_card(path):
    record = read_json(path)
    assert record["name"] == path.stem
    for part in ("cards", "metrics"):
        assert sorted(record[part]) == [f"{n:02d}" for n in range(1, 8)]
    # `record` refuses chapters of other code than the present; earlier records have no own codes
    codes = [card.get("chapter_code") for card in record["cards"].values()]
    assert all(codes) or len({card["code_hash"] for card in record["cards"].values()}) == 1
    for card in record["cards"].values():
        assert {"seed", "device", "commit", "label_fraction", "seconds", "versions"} <= set(card)
    assert all(training["seconds"] > 0 for training in record["trainings"])


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_tables_agree_with_the_numbers_they_are_made_from(path):
    metrics = read_json(path)["metrics"]["07"]
    for name, top1, *_ in metrics["table"]["rows"]:
        assert top1 == pytest.approx(metrics["accuracy"][name]["top1"], abs=0.06)


def test_the_readme_shows_the_recorded_numbers(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book"))
    sys.modules.pop("pages", None)
    import pages

    assert RECORDS, "no recorded result"
    expected = pages.headline(ROOT / "results")
    readme = (ROOT / "README.md").read_text()
    assert expected in readme, f"put this into the README:\n{expected}"
    expected = pages.over_seeds(ROOT / "results")
    assert expected in readme, f"put this into the README:\n{expected}"


@pytest.mark.parametrize("name", reading.recorded())
def test_a_recorded_study_is_whole_and_of_one_training_code(name):
    study = reading.load(name)
    cards = [unit["card"] for unit in study.raw["units"]]
    assert len({card["training_code"] for card in cards}) == 1
    assert {"seed", "device", "commit", "label_fraction", "seconds", "versions"} <= set(cards[0])
    for fraction in study.fractions:
        for seed in study.seeds(fraction):
            cells = study.unit(fraction, seed)["cells"].values()
            assert {len(cell["right"]) for cell in cells} == {len(study.label)}


def test_what_the_readme_says_of_the_larger_network_is_recorded():
    study = reading.load("ucf101-9", ROOT / "results" / "gpu")
    readme = " ".join((ROOT / "README.md").read_text().split())
    names = ("student_reweighted", "student_average", "scratch")
    top1 = [[f"{study.top1(name, f).item():.1f}" for f in (0.2, 0.05)] for name in names]
    reweighted, average, labelled = (" and ".join(pair) for pair in top1)
    assert (
        f"the reweighted mixture has {reweighted} %, that of the plain average {average} %"
        in readme
    )
    assert f"labels alone from random weights {labelled} %" in readme
    assert ("**with the wrong last stage**" in readme) == ("network_note" in study.raw)


GPU = sorted((ROOT / "results" / "gpu").glob("*.json"))


@pytest.mark.parametrize("path", GPU, ids=lambda path: path.stem)
def test_a_record_of_the_wrong_network_says_so(path):
    """Until 2026-11-29 the last stage of `r3d_18` was not the release's."""
    record = read_json(path)
    card = record["units"][0]["card"] if "units" in record else record["machine"]
    made = card.get("date") or card["started"]
    assert ("network_note" in record) == (made < "2026-11-29")


def test_pages_that_show_the_wrong_network_say_so():
    """As long as there is a record of it; the page that tells the mistake has the section."""
    assert any("network_note" in read_json(path) for path in GPU)
    for page in ("README.md", "benchmarks/README.md", "book/design-log.md", "notebooks/08*.py"):
        (path,) = ROOT.glob(page)
        assert "our-own-mistakes" in path.read_text(), page
    told = (ROOT / "book" / "what-we-changed.md").read_text()
    assert "\n(our-own-mistakes)=\n## Our own mistakes\n" in told


LINKS = (("H1", "H2", "H3", "H3b", "H3c"), ("H4", "H5"), ("H7",), ("H11",))


@lru_cache
def judged(name):
    return judge(reading.load(name))


def p_values(study, number, labels):
    """p of a statement of one part, uncorrected and corrected."""
    table = judged(study.name)
    row = table[(table.number == number) & (table.labels == labels)].iloc[0]
    return row.p, row.p_holm


def word_for(study, numbers):
    """What the README may say of a link of the chain, as it explains its words."""
    table = judged(study.name)
    table = table[table.number.isin(numbers) & (table.outcome != "not measured")]
    found = table.drop_duplicates(["number", "labels"]).outcome.tolist()
    alone = [
        together([part.outcome(part.find(), part.find().p) for part in group])
        for hypothesis in HYPOTHESES
        if hypothesis.number in numbers
        for group in hypothesis.parts(study)
    ]
    if not found:
        return "Not asked."
    if set(found) == {"supported"}:
        return "**Yes.**"
    if "supported" in found:
        return "**In part.**"
    return "**Before correction only.**" if "supported" in alone else "**Not shown.**"


@pytest.mark.parametrize(
    "name", [n for n in reading.recorded() if n in (ROOT / "README.md").read_text()]
)
def test_the_readme_calls_a_link_supported_only_after_the_correction(name):
    readme = (ROOT / "README.md").read_text()
    (row,) = (line for line in readme.splitlines() if line.startswith(f"| `{name}`"))
    cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
    study = reading.load(name)
    for cell, numbers in zip(cells, LINKS, strict=True):
        assert cell.startswith(word_for(study, numbers)), (cell, numbers)


def test_a_single_difference_between_students_is_left_after_the_correction():
    left = [
        (name, row.labels, row.compared)
        for name in reading.recorded()
        for row in judged(name).itertuples()
        if "student" in row.compared and row.p_holm < 0.05
    ]
    assert left == [("laptop-study", "5 %", "student_inv_dist2 − student_invariant_only")]
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert "a single difference between students is left in all five studies: with 5 %" in readme


def test_the_readme_says_how_far_students_of_the_same_targets_lie_apart():
    noise = pd.concat([measures.twins(reading.load(name)) for name in reading.recorded()])
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"{len(noise)} pairs of students" in readme
    said = f"differ by {noise.std():.1f} points (standard deviation), by {noise.abs().max():.1f}"
    assert f"{said} at most" in readme


def test_what_the_readme_says_of_the_study_of_one_actor_is_recorded():
    study = reading.load("one-actor-study")
    readme = " ".join((ROOT / "README.md").read_text().split())

    def gain(over, fraction):
        difference = study.top1("student_reweighted", fraction) - study.top1(over, fraction)
        mean, _, high = stats.mean_ci(difference)
        return f"{mean:.1f}", f"{high - mean:.1f}"

    few, some = ("{} ± {}".format(*gain("student_average", f)) for f in (0.05, 0.1))
    shuffled, inverted = (gain(f"student_{s}", 0.1)[0] for s in ("shuffled", "inverted"))
    controls = [gain(f"student_{s}", 0.05)[0] for s in ("shuffled", "inverted")]
    assert "{} more than shuffled scores, {} more than inverted".format(*controls) in readme
    p, p_holm = p_values(study, "H7", "5 %")
    assert f"With 5 % +{few} (p = {p:.2f}, corrected {p_holm:.2f})" in readme
    assert f"With 10 % +{some}, and more than shuffled (+{shuffled})" in readme
    assert f"and inverted (+{inverted})" in readme
    ssl = " and ".join(gain("ssl", f)[0] for f in (0.05, 0.1))
    assert f"`one-actor-study` ({ssl} more, with 5 and 10 %)" in readme
    alone, mixed = (
        [f"{study.top1(cell, f).mean():.1f}" for f in (0.05, 0.1)]
        for cell in ("student_distinctive_only", "student_reweighted")
    )
    said = f"({alone[0]} and {alone[1]} % against {mixed[0]} and {mixed[1]} with s(v)"
    assert said in readme


def test_what_the_readme_says_of_the_study_of_one_gym_is_recorded():
    study = reading.load("gym-study")
    readme = " ".join((ROOT / "README.md").read_text().split())
    phased = np.array(study.families)[study.label] == "phased"

    def found(kind):
        return study.pretrained(kind)["retrieval"][:, phased].mean() / 0.25

    def at_home(cell):
        right = 100 * study.right(cell, 0.1)
        return [f"{right[:, family].mean():.0f}" for family in (~phased, phased)]

    def gains(name):
        found = []
        for fraction in (0.05, 0.1):
            other = study.top1(f"student_{name}", fraction)
            mean, _, high = stats.mean_ci(study.top1("student_reweighted", fraction) - other)
            found.append((f"{mean:.1f}", f"{high - mean:.1f}"))
        return found

    def interval(name, *more):
        parts = ("+{} ± {}".format(*gain) for gain in gains(name))
        return " and ".join(f"{part}{after}" for part, after in zip(parts, more, strict=True))

    def more_than(name):
        return " and ".join(mean for mean, _ in gains(name))

    def top1(cell):
        return " and ".join(f"{study.top1(cell, f).mean():.1f}" for f in (0.05, 0.1))

    assert f"{found('distinctive'):.1f} and {found('invariant'):.1f} times. On persistent" in readme
    invariant, distinctive = at_home("teacher_invariant"), at_home("teacher_distinctive")
    said = "the invariant teacher has {} and {} %, the distinctive one {} and {}"
    assert said.format(*invariant, *distinctive) in readme
    p, p_holm = zip(*(p_values(study, "H7", labels) for labels in ("5 %", "10 %")), strict=True)
    said = "(p = {:.2f} and {:.2f}, corrected {:.2f} and {:.2f})".format(*p, *p_holm)
    assert f"{interval('average', '', '')} {said}" in readme
    assert f"Shuffled scores: {interval('shuffled', '', '')} (p = 0.09 and 0.05)" in readme
    assert f"{more_than('inverted')} more than inverted scores" in readme
    students = ("reweighted", "average", "distinctive_only", "invariant_only")
    said = (
        "the reweighted mixture has {} %, that of the average {}, of the distinctive teacher {}, "
        "of the invariant one {}; labels alone have {}, from a start"
    )
    assert said.format(*(top1(f"student_{name}") for name in students), top1("ssl")) in readme


def test_what_the_readme_says_of_pairs_of_teachers_in_one_gym_is_recorded():
    study = reading.load("gym-study")
    readme = " ".join((ROOT / "README.md").read_text().split()).replace("−", "-")

    def gains(one, other):
        for fraction in (0.05, 0.1):
            a, b = (study.top1(f"student_{name}", fraction) for name in (one, other))
            mean, _, high = stats.mean_ci(a - b)
            yield mean, high - mean, stats.paired_test(a, b).p_t

    invariant, distinctive = (gains("average", two) for two in ("inv_inv2", "dist_dist2"))
    (few, _, p), (some, _, q) = invariant
    assert f"by {few:.1f} and {some:.1f} points (p = {p:.3f} and {q:.2f})" in readme
    (few, *_), (some, *_) = distinctive
    assert f"but not more than two distinctive ones ({few:+.1f} and {some:+.1f})" in readme
    pair = "inv_dist2_reweighted"
    said = " and ".join(f"{mean:.1f} ± {half:.1f}" for mean, half, _ in gains(pair, "inv_dist2"))
    assert f"s(v) gains {said} points over their average" in readme
    (few, _, p), (some, _, q) = gains(pair, "inv_dist2_shuffled")
    corrected = [p_values(study, "H19", labels)[1] for labels in ("5 %", "10 %")]
    said = "(p = {:.3f} and {:.2f}, corrected {:.2f} and {:.2f})".format(p, q, *corrected)
    assert f"{few:.1f} and {some:.1f} over shuffled scores {said}" in readme


def test_studies_of_earlier_code_are_marked(tmp_path, monkeypatch):
    """Old records stay readable; the page says that the code has changed since."""
    monkeypatch.syspath_prepend(ROOT / "book")
    sys.modules.pop("pages", None)
    import pages

    name = reading.recorded()[0]
    study = read_json(reading.RESULTS / f"{name}.json")
    present = study_code(Profile.model_validate(study["config"]))
    for code, word in [("other", "earlier"), (present["training_code"], "present")]:
        for unit in study["units"]:
            unit["card"] |= present | {"training_code": code}
        write_json(tmp_path / "study" / f"{name}.json", study)
        assert f"| {code} | {word} |" in pages.studies(tmp_path)

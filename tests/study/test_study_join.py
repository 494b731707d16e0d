"""Parts of a study join to the whole, and only if they do not contradict each other."""

import copy
from unittest.mock import ANY

import pytest

from tblib.__main__ import main
from tblib.errors import ConfigError, DataError
from tblib.files import read_json, write_json
from tblib.settings.profiles import load_profile
from tblib.study.conduct import unit_config
from tblib.study.join import join
from tblib.study.record import RESULTS

NAME = "ucf101-study"
PAIRS = ("inv_inv", "dist_dist", "inv_dist", "dist2", "cvrl", "transformations", "invariant_b")
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)


@pytest.fixture(scope="module")
def whole() -> dict:
    """The recorded study of real videos."""
    return read_json(RESULTS / f"{NAME}.json")


def _part(whole: dict, seeds=range(5), fractions=SHARES, pairs=True, mains=True) -> dict:
    """Cut units and cells out of a record; both kinds of parts keep the teachers of the paper."""
    part = copy.deepcopy(whole)
    part["units"] = [u for u in part["units"] if u["seed"] in seeds and u["fraction"] in fractions]
    for unit in part["units"]:
        for key in ("cells", "pretraining"):
            unit[key] = {
                name: found
                for name, found in unit[key].items()
                if (pairs if any(p in name for p in PAIRS) else mains or "student" not in name)
            }
    return part


def _joined(folder, *parts: dict) -> dict:
    paths = [write_json(folder / f"part{k}.json", part) for k, part in enumerate(parts)]
    return read_json(join(load_profile(NAME), paths, folder / "joined"))


def _without_cards(record: dict) -> list[dict]:
    return [{k: v for k, v in unit.items() if k != "card"} for unit in record["units"]]


@pytest.mark.parametrize(
    "cuts",
    [
        ({"seeds": (3, 4)}, {"seeds": (0, 1, 2)}),
        ({"pairs": False}, {"mains": False}),
        (
            {"fractions": SHARES[:2]},
            {"fractions": SHARES[2:], "seeds": (0, 1)},
            {"seeds": (2, 3, 4)},
        ),
    ],
    ids=["by seeds", "by groups", "by both"],
)
def test_parts_join_to_the_whole(whole, tmp_path, cuts):
    parts = [_part(whole, **cut) for cut in cuts]
    assert all(_without_cards(part) != _without_cards(whole) for part in parts)
    joined = _joined(tmp_path, *parts)
    assert _without_cards(joined) == _without_cards(whole)
    for one, other in zip(joined["units"], whole["units"], strict=True):
        seconds = one["card"]["seconds"], other["card"]["seconds"]
        assert seconds[0] == pytest.approx(seconds[1], abs=0.2)
        # Digests are of all settings, and some are younger than the record.
        digest = unit_config(load_profile(NAME), one["seed"], one["fraction"]).digest()
        assert one["card"] == other["card"] | {"config": digest, "seconds": ANY}


def test_a_record_older_than_a_setting_joins_and_one_made_with_another_value_does_not(
    whole, tmp_path
):
    parts = [_part(whole, seeds=seeds) for seeds in ((0, 1), (2, 3, 4))]
    parts[0]["config"]["sticks"].pop("one_actor", None)
    parts[1]["config"]["sticks"]["one_actor"] = False
    assert _without_cards(_joined(tmp_path, *parts)) == _without_cards(whole)
    parts[1]["config"]["sticks"]["one_actor"] = True
    with pytest.raises(ConfigError, match="sticks.one_actor: True there, False here"):
        _joined(tmp_path, *parts)


def test_equal_trainings_may_have_taken_other_times(whole, tmp_path):
    slower = _part(whole)
    for unit in slower["units"]:
        unit["cells"]["ssl"]["seconds"] *= 2
    assert _without_cards(_joined(tmp_path, whole, slower)) == _without_cards(whole)


def test_the_chosen_constant_comes_from_the_part_that_has_the_scores(whole, tmp_path):
    """A part whose teachers were trained elsewhere has neither scores nor a constant."""
    parts = [_part(whole), _part(whole)]
    for unit, other in zip(*(part["units"] for part in parts), strict=True):
        unit |= {"s": [], "constant": None}
        other["constant"] = 0.7
    for pair in (parts, parts[::-1]):
        joined = _joined(tmp_path, *pair)
        assert {unit["constant"] for unit in joined["units"]} == {0.7}
    assert "constant" not in _joined(tmp_path, whole, whole)["units"][0], "older parts have none"


def _contradict(part: dict, what: str) -> None:
    unit = part["units"][0]
    if what == "cell":
        right = unit["cells"]["ssl"]["right"]
        unit["cells"]["ssl"]["right"] = ("0" if right[0] == "1" else "1") + right[1:]
    elif what == "score":
        unit["s"][0] += 0.001
    elif what == "device":
        unit["card"]["device"] = "another processor"
    elif what == "videos":
        part["test"]["video"][0] = "Archery/v_Archery_g99_c01"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("cell", "seed 0 at 20 % labels has other results for ssl"),
        ("score", "has other scores"),
        ("device", "has device 'another processor', the parts before"),
        ("videos", "other test videos"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(whole, tmp_path, what, words):
    other = _part(whole)
    _contradict(other, what)
    with pytest.raises(DataError, match=words):
        _joined(tmp_path, whole, other)
    assert not (tmp_path / "joined").exists()


def test_a_part_with_other_settings_is_refused_and_the_setting_named(whole, tmp_path):
    other = _part(whole)
    other["config"]["student"]["steps"] = 321
    with pytest.raises(ConfigError, match="student.steps: 321 there, 320 here"):
        _joined(tmp_path, whole, other)


def test_a_seed_that_the_profile_does_not_have_is_not_dropped(whole, tmp_path):
    few = load_profile(NAME, {"study.seeds": [0, 1, 2, 3]})
    paths = [write_json(tmp_path / f"{k}.json", _part(whole)) for k in range(2)]
    with pytest.raises(ConfigError, match="parts have seed 4 at 1 % labels, the profile"):
        join(few, paths, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_the_command_refuses_a_single_part_in_one_sentence(whole, tmp_path, capsys):
    path = write_json(tmp_path / "part.json", whole)
    assert main(["study", "--profile", NAME, "--join", str(path)]) != 0
    assert "at least two parts" in capsys.readouterr().err

"""Profiles: every file is valid, and every mistake is answered in one helpful sentence."""

import math

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from tblib.errors import ConfigError
from tblib.settings import schema
from tblib.settings.config import Profile
from tblib.settings.profiles import PROFILES, data_home, load_profile, profile_names, runs_home


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_file_is_valid(name):
    profile = load_profile(name)
    assert profile.name == name
    assert profile.title.startswith(f"{name}:")
    assert profile.pretrain.clip.frames % profile.pretrain.slots == 0


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_fits_the_schema_it_names(name):
    first, *_ = text = (PROFILES / f"{name}.yaml").read_text().splitlines()
    assert first == "# yaml-language-server: $schema=profile.schema.json"
    tree = yaml.safe_load("\n".join(text))
    jsonschema.validate(tree, schema.schema())
    tree["student"] = {"stesp": 5}
    with pytest.raises(jsonschema.ValidationError, match="stesp"):
        jsonschema.validate(tree, schema.schema())


def test_the_schema_beside_the_profiles_is_that_of_the_code():
    kept = (PROFILES / "profile.schema.json").read_text()
    assert kept == schema.text(), "tblib schema > notebooks/profiles/profile.schema.json"


def test_smoke_and_laptop_profiles_exist():
    assert {"smoke", "laptop"} <= set(profile_names())


def test_profile_from_a_yaml_path_is_named_after_its_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("student: {steps: 7}\n")
    profile = load_profile(str(path))
    assert (profile.name, profile.student.steps) == ("mine", 7)
    assert profile.finetune == Profile(name="mine").finetune


@pytest.mark.parametrize(
    "overrides,words",
    [
        ({"student.stesp": 5}, ["student.stesp", "not a known name", "did you mean 'steps'"]),
        ({"studnet.steps": 5}, ["studnet", "did you mean 'student'"]),
        ({"nonsense": 5}, ["nonsense", "allowed:", "pretrain"]),
        ({"pretrain.clip.frame": 8}, ["pretrain.clip.frame", "did you mean 'frames'"]),
        ({"student.steps": "many"}, ["student.steps = 'many'", "integer"]),
        ({"student.steps": 2.5}, ["student.steps = 2.5", "integer"]),
        ({"student.steps": True}, ["student.steps = True"]),
        ({"student.lr": False}, ["student.lr = False"]),
        ({"student.steps": 0}, ["student.steps = 0", "greater than or equal to 1"]),
        ({"student.lr": math.nan}, ["student.lr = nan", "finite"]),
        ({"student.lr": math.inf}, ["student.lr = inf", "finite"]),
        ({"student.lr": -1}, ["student.lr = -1", "greater than 0"]),
        ({"data.label_fraction": 0}, ["data.label_fraction = 0", "greater than 0"]),
        ({"data.label_fraction": 1.5}, ["data.label_fraction = 1.5", "less than or equal to 1"]),
        ({"similarity.map": "ranks"}, ["similarity.map = 'ranks'", "'rank'"]),
        ({"model.backbone": "r3d_50"}, ["model.backbone = 'r3d_50'", "'r3d_18'"]),
        ({"data.dataset": "hmdb"}, ["data.dataset = 'hmdb'", "'hmdb51'", "'folder'"]),
        ({"data.allow_missing": 1}, ["data.allow_missing = 1", "less than 1"]),
        ({"data.allow_missing": True}, ["data.allow_missing = True"]),
        ({"data.test_fraction": 0}, ["data.test_fraction = 0", "greater than 0"]),
        ({"data.cache_format": "png"}, ["data.cache_format = 'png'", "'jpeg'"]),
        ({"data.rest": "perhaps"}, ["data.rest = 'perhaps'", "boolean"]),
        ({"data.split": 4}, ["data.split = 4"]),
        ({"model.weights": "w.pth"}, ["weights can be given for the backbone 'r3d_18' only"]),
        ({"ablation.variants": ["all"]}, ["ablation.variants", "'all'", "oracle"]),
        ({"student": 5}, ["student = 5", "dictionary"]),
        ({"title.text": "x"}, ["title.text", "'title' is a value"]),
        ({"data.crop_px": 64}, ["data.crop_px must not exceed data.cache_px"]),
        ({"sticks.frames_min": 90}, ["sticks.frames_min must not exceed sticks.frames_max"]),
        ({"study.seeds": [0, 1, 0]}, ["study.seeds must not hold a seed twice"]),
        ({"study.fractions": [0.2], "study.sweep": [0.1, 0.2]}, ["must not hold a share twice"]),
        ({"pretrain.slots": 3}, ["pretrain.clip.frames must be a multiple of pretrain.slots"]),
    ],
)
def test_a_wrong_override_is_named_in_one_sentence(overrides, words):
    with pytest.raises(ConfigError) as caught:
        load_profile("smoke", overrides)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert message.endswith(".")
    assert ".." not in message


@pytest.mark.parametrize("seed", [-1, 2**31, "zero", 1.5, True])
def test_a_wrong_seed_is_refused(seed):
    with pytest.raises(ConfigError, match="seed"):
        load_profile("smoke", seed=seed)


@pytest.mark.parametrize("name", ["smoek", "", "no/such.yaml", 5, None])
def test_an_unknown_profile_is_answered_with_the_known_ones(name):
    with pytest.raises(ConfigError, match="laptop"):
        load_profile(name)


@pytest.mark.parametrize("overrides", [["student.steps"], "student.steps=5", 3])
def test_overrides_must_be_a_dictionary(overrides):
    with pytest.raises(ConfigError, match="must be a dictionary"):
        load_profile("smoke", overrides)


@pytest.mark.parametrize("text,words", [("a: [1", "valid YAML"), ("- 1\n- 2\n", "sections")])
def test_a_file_that_is_no_profile_is_refused(tmp_path, text, words):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_profile(str(path))


def test_yaml_cannot_run_code(tmp_path):
    path, canary = tmp_path / "evil.yaml", tmp_path / "canary"
    path.write_text(f"title: !!python/object/apply:pathlib.Path.touch [{canary}]\n")
    with pytest.raises(ConfigError, match="valid YAML"):
        load_profile(str(path))
    assert not canary.exists()


def test_overrides_reach_nested_settings_and_leave_the_rest():
    plain = load_profile("smoke")
    changed = load_profile("smoke", {"pretrain.clip.stride": 3, "student.lr": 0.5}, seed=7)
    assert (changed.pretrain.clip.stride, changed.student.lr, changed.seed) == (3, 0.5, 7)
    assert changed.pretrain.clip.frames == plain.pretrain.clip.frames
    assert changed.data == plain.data


def test_a_profile_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        load_profile("smoke").student.steps = 3


def test_the_digest_changes_with_any_setting_and_with_nothing_else():
    plain = load_profile("smoke")
    assert plain.digest() == load_profile("smoke", {}).digest()
    changes = [
        {"student.steps": plain.student.steps + 1},
        {"pretrain.clip.stride": 5},
        {"similarity.projected": True},
        {"runtime.threads": 2},
        {"seed": 1},
        {"title": "other"},
    ]
    digests = {load_profile("smoke", change).digest() for change in changes}
    assert len(digests | {plain.digest()}) == len(changes) + 1


def test_profile_files_do_not_repeat_defaults_wrongly():
    """A profile file holds a mapping of known sections, each a mapping."""
    for path in PROFILES.glob("*.yaml"):
        tree = yaml.safe_load(path.read_text())
        assert set(tree) <= set(Profile.model_fields), path


def test_homes_follow_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TB_DATA", str(tmp_path / "d"))
    monkeypatch.setenv("TB_RUNS", str(tmp_path / "r"))
    assert (data_home(), runs_home()) == (tmp_path / "d", tmp_path / "r")
    monkeypatch.setenv("TB_DATA", "")
    assert data_home() == PROFILES.parent.parent / "data"


def test_a_profile_without_a_name_is_a_sentence():
    with pytest.raises(ConfigError, match=r"needs a name.*load_profile\('smoke'\)"):
        Profile()

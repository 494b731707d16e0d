"""pyproject.toml, constraints.txt, environment.yml and what is installed agree."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = [
    Requirement(line)
    for line in PROJECT["dependencies"] + sum(PROJECT["optional-dependencies"].values(), [])
]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = {
    canonicalize_name(name): pin
    for name, _, pin in (line.partition("==") for line in LINES if not line.startswith("#"))
}


def needed() -> list[Requirement]:
    return [item for item in DECLARED if item.marker is None or item.marker.evaluate({"extra": ""})]


def test_constraints_are_exact_pins_without_addresses():
    pattern = re.compile(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+")
    assert [line for line in LINES if not pattern.fullmatch(line)] == []
    assert len(PINS) == sum(not line.startswith("#") for line in LINES), "a package is pinned twice"


@pytest.mark.parametrize("requirement", DECLARED, ids=lambda r: r.name)
def test_each_dependency_has_a_pin_inside_its_range(requirement):
    pin = PINS.get(canonicalize_name(requirement.name))
    assert pin, f"{requirement.name} is missing in constraints.txt"
    assert requirement.specifier.contains(pin, prereleases=True)


@pytest.mark.parametrize("requirement", needed(), ids=lambda r: r.name)
def test_installed_versions_are_in_range(requirement):
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        pytest.fail(f"{requirement.name} is declared but not installed")
    assert requirement.specifier.contains(installed, prereleases=True)


def test_conda_file_installs_the_same():
    tree = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(item["pip"] for item in tree["dependencies"] if isinstance(item, dict))
    assert pip == ["-c constraints.txt", "-e .[book,test]"]
    python = next(i for i in tree["dependencies"] if isinstance(i, str) and i.startswith("python="))
    assert Requirement("python" + PROJECT["requires-python"]).specifier.contains(python[7:])


def test_make_installs_the_same():
    text = (ROOT / "Makefile").read_text()
    assert "-c constraints.txt -e '.[book,test]'" in text
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {"book", "outside", "test"}
    assert set(extras["outside"]) <= set(extras["test"]), "what is optional is tested, too"


def test_the_fuzzer_is_pinned_in_its_range_and_no_part_of_an_installation():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert list(groups) == ["fuzz"]
    for requirement in map(Requirement, groups["fuzz"]):
        assert requirement.specifier.contains(PINS[requirement.name])
        assert requirement.name not in {item.name for item in DECLARED}
        assert f"-c constraints.txt {requirement.name}\n" in (ROOT / "Makefile").read_text()

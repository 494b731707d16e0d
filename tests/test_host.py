"""What the host of the repository runs and asks: only what can be run here, only what is there."""

import re

import pytest
import yaml
from smoke import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))


def steps(path):
    """Yield every step of a workflow."""
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        yield from job["steps"]


def test_there_are_workflows_for_tests_faults_and_book():
    assert [path.stem for path in WORKFLOWS] == ["book", "nightly", "tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_make_targets_alone(path):
    commands = [step["run"] for step in steps(path) if "run" in step]
    assert commands
    for command in commands:
        program, target, *rest = command.split(maxsplit=2)
        assert program == "make" and target in TARGETS, command
        assert all(re.match(r"^[A-Z]+=", word) for word in rest), command


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_one_version(path):
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert [u for u in used if not re.search(r"@(v\d+\.\d+\.\d+|[0-9a-f]{40})$", u)] == []


def test_the_book_that_is_published_is_the_one_that_is_built():
    kept = [step["with"]["path"] for step in steps(ROOT / ".github/workflows/book.yml")
            if step.get("uses", "").startswith("actions/upload-pages-artifact")]  # fmt: skip
    build = (ROOT / "book" / "build.py").read_text()
    assert kept == ["_build/html"] and '"_build"' in build and '"html"' in build


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_something_and_says_what_is_needed(path):
    form = yaml.safe_load(path.read_text())
    assert form["name"] and form["description"]
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) >= 3
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_the_release_recipe_names_targets_that_exist():
    recipe = (ROOT / "CONTRIBUTING.md").read_text().partition("## Release\n")[2]
    named = re.findall(r"`make ([a-z-]+)", recipe)
    assert {"test", "test-nightly", "test-install", "book"} <= set(named) <= TARGETS

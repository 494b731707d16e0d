"""The rooms of the package: imports run down only, and a newcomer sees few loose files."""

import ast
from pathlib import Path

import pytest
from importlinter.cli import lint_imports
from smoke import ROOT

LOOSE = {"__init__", "__main__", "errors", "files", "progress", "randomness", "reprs", "stats"}


def test_a_room_imports_only_rooms_below_it(capsys):
    """The contracts are in pyproject.toml: layers, and no circle between modules."""
    code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), is_debug_mode=False)
    assert code == 0, capsys.readouterr().out


def test_loose_files_are_few():
    assert {path.stem for path in (ROOT / "tblib").glob("*.py")} == LOOSE


@pytest.mark.parametrize("path", sorted((ROOT / "tblib").rglob("*.py")), ids=lambda p: p.stem)
def test_a_module_says_what_it_is(path: Path):
    words = ast.get_docstring(ast.parse(path.read_text()))
    assert words and "." in words


def test_tests_mirror_the_rooms():
    rooms = {path.name for path in (ROOT / "tblib").iterdir() if (path / "__init__.py").is_file()}
    folders = {path.name for path in (ROOT / "tests").iterdir() if list(path.glob("test_*.py"))}
    assert rooms <= folders
    assert folders - rooms == {"benchmarks", "book", "faults", "notebooks"}

"""`import tblib` is a front door: quick, and what the README names is behind it."""

import subprocess
import sys

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import tblib

NAMES = ("losses", "reweight", "plot", "data", "models", "methods", "run", "settings", "errors")


def test_importing_loads_nothing_heavy():
    heavy = ("torch", "numpy", "pandas", "matplotlib", "pydantic")
    code = f"import sys, tblib; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_what_is_behind_it_is_there_by_name_and_by_tab(name):
    assert name in dir(tblib) and getattr(tblib, name).__name__.startswith("tblib.")
    with provisionalcompleter():
        shell = InteractiveShell.instance()
        shell.user_ns["tblib"] = tblib
        found = [c.text for c in shell.Completer.completions(f"tblib.{name[:-1]}", 5 + len(name))]
    assert any(text.endswith(name) for text in found)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'loses'"):
        tblib.loses  # noqa: B018

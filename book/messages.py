"""Every message that a user can be given, read from the code that gives it."""

from __future__ import annotations

import ast
from pathlib import Path

from tblib import errors
from tblib.lesson.chapters import ROOT

USER = {n for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, Exception)}


def messages(root: Path = ROOT) -> list[tuple[str, str, str]]:
    """List kind of error, message, and module that raises it; `…` stands for what varies.

    Covered are all `raise` of a `UserError` in `tblib`, the programs in `workflow/` and `book/`,
    and the rules of `tblib.settings.config`.
    """
    found = []
    for folder in ("tblib", "workflow", "book"):
        for path in sorted((root / folder).rglob("*.py")):
            kinds = USER | ({"ValueError"} if path.name == "config.py" else set())
            place = str(path.relative_to(root).with_suffix("")).replace("/", ".")
            found += [(*item, place) for item in _of_module(ast.parse(path.read_text()), kinds)]
    return found


def _of_module(tree: ast.Module, kinds: set[str]) -> list[tuple[str, str]]:
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        named = _assigned(function)
        for node in _own(function):
            call = node.exc if isinstance(node, ast.Raise) else node
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            if call.func.id in kinds and call.args:
                found += [(call.func.id, text) for text in _texts(call, named)]
    return [item for item in dict.fromkeys(found) if item[1] != "…"]  # passed on, not worded here


def _own(function: ast.FunctionDef):
    """Yield what is raised or, for errors that travel as values, made in a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) or (
            isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DecodeError"
        ):
            yield node


def _assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    named: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).append(node.value)
    return named


def _texts(call: ast.Call, named: dict) -> list[str]:
    if call.func.id != "DecodeError":
        return [_words(call.args[0], named)]
    reason = _words(call.args[1], named)
    values = named.get(getattr(call.args[2], "id", ""), [call.args[2]])
    return [f"video …: {_words(value, named)} [{reason}]" for value in values]


def _words(node: ast.expr, named: dict) -> str:
    """Write an expression as text; names of texts in the same function are filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_words(part, named) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        values = named.get(getattr(node.value, "id", ""), [])
        simple = len(values) == 1 and isinstance(values[0], ast.JoinedStr)
        return _words(values[0], named) if simple else "…"
    return "…"

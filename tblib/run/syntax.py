"""What a piece of Python says: its form without words, the names it reads, binds and imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
UNREAD = {"annotation", "returns", "ctx", "type_params"}  # never evaluated, or no names
Chain = tuple[str, ...]  # a dotted name as it is written: ("losses", "nt_xent")


@lru_cache(maxsize=16384)
def shape(node: ast.AST) -> str:
    """Write a syntax tree in one form for every version of Python, without docstrings."""
    return _shape(node)


def _shape(node: Any) -> str:
    if isinstance(node, ast.AST):
        parts = {name: getattr(node, name, None) for name in node._fields}
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            parts["body"] = node.body[1:]
        if isinstance(node, ast.JoinedStr):  # Python 3.12 adds an empty text here and there
            parts["values"] = [v for v in node.values if getattr(v, "value", None) != ""]
        kept = isinstance(node, ast.Constant)  # there, None is a value
        told = (f"{k}={_shape(v)}" for k, v in parts.items() if kept or v not in (None, []))
        return f"{type(node).__name__}({','.join(told)})"
    if isinstance(node, list):
        return f"[{','.join(map(_shape, node))}]"
    return repr(node)


def silent(node: ast.stmt) -> bool:
    """Say whether a statement does nothing: words, or imports for annotations only."""
    words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return words or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")


def bound(node: ast.AST) -> set[str]:
    """Return the names that a statement binds where it stands, not in functions inside."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    return set(_stored(node))


def _stored(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef)):
            yield from _stored(child)


def imported(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, str]:
    """Map each name that an import binds to the dotted name it stands for.

    Args:
        package: what relative imports start from.
    """
    if isinstance(node, ast.Import):
        tops = {a.name.partition(".")[0] for a in node.names if not a.asname}
        return {a.asname: a.name for a in node.names if a.asname} | {top: top for top in tops}
    parts = package.split(".")
    origin = parts[: len(parts) - node.level + 1] if node.level else []
    origin += [node.module] if node.module else []
    return {a.asname or a.name: ".".join([*origin, a.name]) for a in node.names}


@lru_cache(maxsize=16384)
def used(node: ast.AST, package: str) -> tuple[set[Chain], dict[str, str]]:
    """Return the dotted names that a piece of code reads, and what it imports itself."""
    imports = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import | ast.ImportFrom):
            imports |= imported(inner, package)
    return names(node), imports


def names(node: ast.AST) -> set[Chain]:
    """Collect the dotted names that a piece of code reads from outside, without annotations."""
    if isinstance(node, ast.Name):
        return {(node.id,)}
    if isinstance(node, ast.Attribute) and (chain := _chain(node)):
        return {chain}
    inner = [value for name, value in ast.iter_fields(node) if name not in UNREAD]
    own = _own(node)
    read = {chain for chain in _all(inner) if chain[0] not in own}
    return read | _all(_outside(node)) if own else read


def _all(nodes: list) -> set[Chain]:
    flat = [x for value in nodes for x in (value if isinstance(value, list) else [value])]
    return set().union(*(names(x) for x in flat if isinstance(x, ast.AST)))


def _own(node: ast.AST) -> set[str]:
    """Return the local names of a function or comprehension; elsewhere there are none."""
    if isinstance(node, COMPREHENSIONS):
        return {name for part in node.generators for name in _stored(part.target)}
    if not isinstance(node, FUNCTIONS):
        return set()
    arguments = {x.arg for x in ast.walk(node.args) if isinstance(x, ast.arg)}
    shared = {n for x in ast.walk(node) if isinstance(x, ast.Global) for n in x.names}
    return (arguments | set(_stored(node))) - shared


def _outside(node: ast.AST) -> list:
    """Return what is evaluated before the local names of a function or comprehension exist."""
    if isinstance(node, COMPREHENSIONS):
        return [node.generators[0].iter]
    defaults = [*node.args.defaults, *node.args.kw_defaults]
    return [*defaults, *getattr(node, "decorator_list", [])]


def _chain(node: ast.expr) -> Chain | None:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (before := _chain(node.value)):
        return (*before, node.attr)
    return None

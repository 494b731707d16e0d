"""Which code a result depends on: definitions followed by name, hashed without their words.

From a few definitions, such as the class of a method and the training loop, every name that they
use is followed to where `tblib` defines it, through re-exports and imports inside functions.  What
nothing on the way uses counts nothing: a new file, a new function, another line in a list that
was left apart.  Comments, docstrings and layout count nothing either.  Annotations are not
followed, for they are never evaluated; of other packages only the name counts.

A definition is written ``tblib.engine.loop:fit``, an entry of a dictionary
``tblib.models:BACKBONES[tiny_r3d]``.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..errors import ConfigError
from ..files import ROOT
from . import syntax

DYNAMIC = ("exec", "eval", "__import__", "importlib.import_module", "runpy.run_path")


def fingerprint(entries: Iterable[str], apart: Collection[str] = ()) -> str:
    """Return twelve digits that change with the code of the entries and all that they use.

    Args:
        entries: definitions to start from.
        apart: modules, rooms or definitions that count only as entries; nothing is followed
            into them.

    Raises:
        ConfigError: a name leads nowhere, or to code that is chosen while it runs.
    """
    return _hash(sorted(closure(entries, apart).values()))


def whole() -> str:
    """Return twelve digits that change with any code of `tblib`."""
    root = ROOT / "tblib"
    texts = ((path.relative_to(root), path.read_text()) for path in sorted(root.rglob("*.py")))
    return _hash([f"{name}\n{_normal(text)}" for name, text in texts])


def closure(entries: Iterable[str], apart: Collection[str] = ()) -> dict[str, str]:
    """Return the normal form of each definition that the entries use, themselves among them.

    Raises:
        ConfigError: a name leads nowhere, or to code that is chosen while it runs.
    """
    entries = list(entries)
    code, found, todo = _Code(), {}, [*entries]
    while todo:
        name = todo.pop()
        if name in found or (name not in entries and _is_apart(name, apart)):
            continue
        module, _, what = name.partition(":")
        nodes = code.nodes(module, what)
        uses = sorted({used for node in nodes for used in code.uses(module, node)})
        if dynamic := set(uses).intersection(DYNAMIC):
            raise ConfigError(
                f"{name} uses {min(dynamic)}, whose code no fingerprint can follow; import it by a "
                "statement, or leave the definition apart and say why."
            )
        found[name] = "\n".join([name, *map(syntax.shape, nodes), *uses])
        todo += [f"{module}:*", *(used for used in uses if ":" in used)]
    return found


@lru_cache(maxsize=1024)
def _normal(source: str) -> str:
    return syntax.shape(ast.parse(source))


def _hash(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def _is_apart(name: str, apart: Collection[str]) -> bool:
    module = name.partition(":")[0].split(".")
    rooms = (".".join(module[:n]) for n in range(1, len(module) + 1))
    return name in apart or any(room in apart for room in rooms)


@dataclass
class _Module:
    """The top of one file: what it imports, what it defines, and what it does besides."""

    imports: dict[str, str] = field(default_factory=dict)  # name here: dotted name there
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    besides: list[ast.stmt] = field(default_factory=list)


@lru_cache(maxsize=1024)
def _read(source: str, package: str) -> _Module:
    """Sort the statements of a file; `package` is what its relative imports start from."""
    module = _Module()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            if any(alias.name == "*" for alias in node.names):
                raise ConfigError(f"{package} imports *; name what is needed.")
            module.imports |= syntax.imported(node, package)
        elif names := syntax.bound(node):
            for name in sorted(names):  # the order of a set differs from process to process
                module.definitions.setdefault(name, []).append(node)
        elif not syntax.silent(node):
            module.besides.append(node)
    return module


class _Code:
    """The files of `tblib` and the notebooks, each read once."""

    def __init__(self):
        self._files: dict[str, Path | None] = {}
        self._modules: dict[str, _Module] = {}

    def nodes(self, name: str, what: str) -> list[ast.AST]:
        """Return the statements of a definition; "" is the whole file, `*` what it does besides."""
        module, (first, _, key) = self.module(name), what.rstrip("]").partition("[")
        if what == "*":
            return module.besides
        if what == "":
            return [n for nodes in module.definitions.values() for n in nodes] + module.besides
        if first not in module.definitions:
            raise ConfigError(f"{name} defines no {first!r}, which a fingerprint of code names.")
        nodes = module.definitions[first]
        return [_entry(nodes[-1], key, name)] if key else nodes

    def uses(self, module: str, node: ast.AST) -> Iterator[str]:
        """Yield what a statement uses: definitions of `tblib`, dotted names of other packages."""
        here, (names, inside) = self.module(module), syntax.used(node, self.package(module))
        imports = here.imports | inside
        for first, *more in names:
            if first in imports:
                yield from self.found(".".join([imports[first], *more]))
            elif first in here.definitions:
                yield f"{module}:{first}"
            elif first in DYNAMIC:
                yield first

    def found(self, dotted: str) -> Iterator[str]:
        """Yield where a dotted name is defined; that of another package stays as it is."""
        parts = dotted.split(".")
        at = next((n for n in range(len(parts), 0, -1) if self.file(".".join(parts[:n]))), 0)
        module, rest = ".".join(parts[:at]), parts[at:]
        if at == 0:
            yield dotted
            return
        top = self.module(module)
        if not rest or rest[0] in top.definitions:
            yield f"{module}:{''.join(rest[:1])}"
        elif rest[0] in top.imports:
            yield from self.found(".".join([top.imports[rest[0]], *rest[1:]]))
        else:
            raise ConfigError(f"{module} defines no {rest[0]!r}, which a fingerprint came across.")

    def file(self, module: str) -> Path | None:
        """Return the file of a module of `tblib`, None if there is none."""
        if module not in self._files:
            place = ROOT.joinpath(*module.split("."))
            known = (place.with_suffix(".py"), place / "__init__.py")
            inside = module.partition(".")[0] in ("tblib", "notebooks")
            self._files[module] = next((f for f in known if inside and f.is_file()), None)
        return self._files[module]

    def package(self, module: str) -> str:
        """Return the package that relative imports in a module start from."""
        file = self.file(module)
        return module if file and file.name == "__init__.py" else module.rpartition(".")[0]

    def module(self, name: str) -> _Module:
        """Read a module."""
        if name not in self._modules:
            if (file := self.file(name)) is None:
                raise ConfigError(f"there is no module {name!r}, which a fingerprint names.")
            self._modules[name] = _read(file.read_text(), self.package(name))
        return self._modules[name]


def _entry(node: ast.stmt, key: str, module: str) -> ast.expr:
    """Return the value under a key of a dictionary that is written out."""
    table = getattr(node, "value", None)
    if isinstance(table, ast.Dict):
        for k, value in zip(table.keys, table.values, strict=True):
            if isinstance(k, ast.Constant) and k.value == key:
                return value
    raise ConfigError(f"{module} lists no {key!r}, which a fingerprint of code names.")

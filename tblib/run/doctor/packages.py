"""Which packages tblib wants and which are installed; must run when any of them is missing."""

from __future__ import annotations

import re
import textwrap
import tomllib
from importlib import metadata
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    """A requirement of tblib and what is installed: `state` is ok, too old, too new or missing."""

    name: str
    wanted: str
    found: str
    state: str
    extra: str


def check() -> tuple[list[Package], str]:
    """Compare what is installed with tblib's own requirements."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return [], "package `packaging` is missing: pip install packaging"
    texts = _requirements()
    if not texts:
        return [], "tblib is not installed: run `pip install -e .` in its folder"
    return [p for text in texts if (p := _checked(Requirement(text)))], ""


def _requirements() -> list[str]:
    """Return tblib's requirements, from its metadata or, in a bare checkout, pyproject.toml."""
    try:
        return metadata.requires("tblib") or []
    except metadata.PackageNotFoundError:
        path = Path(__file__).resolve().parents[3] / "pyproject.toml"
    if not path.is_file():
        return []
    project = tomllib.loads(path.read_text())["project"]
    optional = project.get("optional-dependencies", {}).items()
    extras = [_with_extra(text, extra) for extra, texts in optional for text in texts]
    return [*project["dependencies"], *extras]


def _with_extra(text: str, extra: str) -> str:
    wanted, _, marker = (part.strip() for part in text.partition(";"))
    condition = f"({marker}) and " if marker else ""
    return f'{wanted} ; {condition}extra == "{extra}"'


def _checked(requirement) -> Package | None:
    """Return the state of one requirement, or None where it does not apply to this platform."""
    marker = str(requirement.marker or "")
    named = re.search(r"""extra\s*==\s*["']([\w-]+)["']""", marker)
    extra = named.group(1) if named else ""
    if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
        return None
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        found = ""
    state = _state(requirement, found)
    return Package(requirement.name, str(requirement.specifier), found, state, extra)


def _state(requirement, found: str) -> str:
    if not found:
        return "missing"
    if requirement.specifier.contains(found, prereleases=True):
        return "ok"
    floors = [s.version for s in requirement.specifier if s.operator in (">=", ">", "~=", "==")]
    return "too old" if any(_older(found, floor) for floor in floors) else "too new"


def _older(found: str, floor: str) -> bool:
    from packaging.version import Version

    return Version(found) < Version(floor)


def lines(packages: list[Package]) -> list[str]:
    """List good packages compactly by extra, bad ones on a line each with the helping command."""
    text = []
    for extra in dict.fromkeys(p.extra for p in packages):
        own = [p for p in packages if p.extra == extra]
        good = ", ".join(f"{p.name} {p.found}" for p in own if p.state == "ok") or "none"
        title = f"[{extra}]" if extra else "Packages"
        text += textwrap.wrap(
            good, 98, initial_indent=f"{title:<10}", subsequent_indent=" " * 10,
            break_on_hyphens=False,
        )  # fmt: skip
        text += [_complaint(p) for p in own if p.state != "ok"]
    return text


def _complaint(package: Package) -> str:
    mark = "optional " if package.extra else "PROBLEM  "
    found = f"{package.name} {package.found}".strip()
    needs = f", needs {package.wanted}" if package.found else ""
    command = f'pip install "{package.name}{package.wanted}"'
    return f"{mark} {found} is {package.state}{needs}: {command}"

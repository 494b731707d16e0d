"""What `make reproduce` asks of a chapter: by a file, since a command line is read by many tools.

Make, a shell and Snakemake interpret what they are given: number signs, quotes, braces, colons.  A
folder or profile that a user names therefore travels in this file, in the run directory itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..files import read_json, write_json
from ..settings.config import Profile
from ..settings.profiles import settled

FILE = "request.json"


def leave(folder: Path, profile: str, config: Profile) -> Path:
    """Write in the run directory which profile is to be run there, for all its chapters."""
    name, overrides = settled(profile, config, {})
    asked = {"run_dir": str(folder), "profile": name, "overrides": overrides}
    path = folder / FILE
    return path if path.is_file() and read_json(path) == asked else write_json(path, asked)


def take(path: Path) -> dict[str, Any]:
    """Read a request in the folder that it is about.

    Returns:
        `profile`, `run_dir` and `overrides`, as `tblib.lesson.execute.execute` takes them.

    Raises:
        ConfigError: this process works in another folder than the one that was named and locked.
    """
    asked = read_json(path)
    here = Path.cwd()
    if not here.samefile(asked["run_dir"]):
        raise ConfigError(
            f"the request is for {asked['run_dir']}, but this process works in {here}; nothing was "
            "changed. Start it again with `make reproduce`."
        )
    return asked

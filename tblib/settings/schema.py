"""The JSON schema of profiles: editors complete names by it and mark what is not allowed."""

from __future__ import annotations

import json
from typing import Any

from .config import Profile


def schema() -> dict[str, Any]:
    """Return what may stand in a profile's file, where the name may be left to the file's own."""
    found = Profile.model_json_schema()
    found["required"] = [name for name in found.get("required", []) if name != "name"]
    return found


def text() -> str:
    """Return the schema as it stands beside the profiles."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"

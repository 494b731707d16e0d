"""The core of the TimeBalance book: from video files to semi-supervised action recognition.

The rooms, from the top: `plan` and `study` look over many runs; `run` is one of them; `lesson`
turns code into chapters and figures; `methods` holds every idea from a paper; `engine` the one
training loop; `data`, `models` and `settings` what it needs.  A room imports only rooms below it.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Names that are there after `import tblib`, loaded when first used: starting stays fast.
_SHORT = {
    "losses": "methods.losses",
    "reweight": "methods.reweight",
    "plot": "lesson.plot",
    "paper": "lesson.paper",
    **{room: room for room in ("data", "engine", "lesson", "methods", "models", "run", "settings")},
    **{room: room for room in ("plan", "study", "errors", "stats")},
}


def start(namespace: dict[str, Any], chapter: int):
    """Validate a notebook's parameters and open its run directory; see `run.directory.start`.

    A new directory takes over what earlier chapters found with the same settings (`run.earlier`).
    """
    from .run import directory, earlier

    return directory.start(namespace, chapter, before=earlier.take_over)


def load(path):
    """Load a finished classifier from its folder or file, ready to use; see `run.travel.load`.

    The model is in eval mode; `model.card` says its classes, clip, crop and where it comes from.
    """
    from .run import travel

    return travel.load(path)


def predict(model, videos, clips=None):
    """Classify files and folders of videos with a finished model; see `run.predict.predict`.

    `model` is a folder or file, or `RUN:NAME`.  The result is a `run.predictions.Predictions`: a
    table, files and figures.
    """
    from .run.predict import predict

    return predict(model, videos, clips)


def __getattr__(name: str) -> Any:
    if name not in _SHORT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f".{_SHORT[name]}", __name__)


def __dir__() -> list[str]:
    return sorted({*globals(), *_SHORT})

"""Every figure of the book is a function here: arrays and tables in, a matplotlib Figure out.

Nothing in this package reads files or trains; figures are made without pyplot, so a notebook shows
each one once and a long run leaks none.  Call `use_book_style()` once before the first figure.
"""

from .clips import clip_timeline, contact_sheet, flow_colours, frame_strip, views
from .contrast import clip_paths, contrast_roles
from .predicted import prediction
from .results import accuracy_bars, confusion, embedding
from .reweighting import reweighting_illustration, similarity_and_strip, similarity_pair
from .seeds import accuracy_curves, accuracy_over_seeds, label_curves, small, small_png
from .speed import gain_bars, growth_curves, time_shares
from .study import agreement_by_score, difference_over_seeds, pretext_plane, scores_by_class
from .style import COLOURS, FAMILY_COLOURS, colour, use_book_style
from .teachers import agreement_map, per_class_difference, score_distribution
from .training import training_curves
from .words import words

__all__ = [
    "COLOURS",
    "FAMILY_COLOURS",
    "accuracy_bars",
    "accuracy_curves",
    "accuracy_over_seeds",
    "agreement_by_score",
    "agreement_map",
    "clip_paths",
    "clip_timeline",
    "colour",
    "confusion",
    "contact_sheet",
    "contrast_roles",
    "difference_over_seeds",
    "embedding",
    "flow_colours",
    "frame_strip",
    "gain_bars",
    "growth_curves",
    "label_curves",
    "per_class_difference",
    "prediction",
    "pretext_plane",
    "reweighting_illustration",
    "score_distribution",
    "scores_by_class",
    "similarity_and_strip",
    "similarity_pair",
    "small",
    "small_png",
    "time_shares",
    "training_curves",
    "use_book_style",
    "views",
    "words",
]

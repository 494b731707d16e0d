"""Temporally distinctive pretraining: f_D tells different times of one video apart.

Source: paper, section A3, loss weights (0, 1, 1): L_LL and L_GL, eqs. :eq:`eq-local-local` and
:eq:`eq-global-local`.  There are no negatives from other videos.
"""

from .contrast import TemporalContrast


class Distinctive(TemporalContrast):
    """The f_D method: local–local and global–local contrast."""

    use = ("ll", "gl")

"""Temporally invariant pretraining: f_I attracts all clips of a video, whatever their time.

Source: paper, section A3, loss weights (1, 0, 0): L_IC alone, eq. :eq:`eq-instance`.
"""

from .contrast import TemporalContrast


class Invariant(TemporalContrast):
    """The f_I method: instance contrast only."""

    use = ("ic",)

"""TCLR-type pretraining: all three losses at once; it initialises the student.

Source: paper, section A3, loss weights (1, 1, 1).
"""

from .contrast import TemporalContrast


class Joint(TemporalContrast):
    """Instance, local–local and global–local contrast together."""

    use = ("ic", "ll", "gl")

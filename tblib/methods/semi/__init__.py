"""The shelf of supervised and semi-supervised methods: one file each, listed in plain sight."""

from .cmpl import CMPL
from .fixmatch import FixMatch
from .ltg import LTG
from .mean_teacher import MeanTeacher
from .mt_sd import MeanTeacherSD
from .mvpl import MvPL
from .pseudo_label import PseudoLabel
from .s4l import S4L
from .sd import SoftDistillation
from .supervised import Supervised
from .tacl import TACL
from .tcl import TCL
from .timebalance import TimeBalance
from .ups import UPS
from .videosemi import VideoSemi

METHODS = {
    "supervised": Supervised,
    "timebalance": TimeBalance,
    "pseudo_label": PseudoLabel,
    "mean_teacher": MeanTeacher,
    "s4l": S4L,
    "ups": UPS,
    "sd": SoftDistillation,
    "mt_sd": MeanTeacherSD,
    "videosemi": VideoSemi,
    "fixmatch": FixMatch,
    "ltg": LTG,
    "tcl": TCL,
    "mvpl": MvPL,
    "cmpl": CMPL,
    "tacl": TACL,
}

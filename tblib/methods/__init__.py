"""Every idea from a paper: losses, reweighting, pretraining and semi-supervised methods.

A method is a torch module with a `learner`, which is trained and kept; `streams()`, the clips it
wants to see; and `forward(**batches)`, which returns its `loss` and other values to log.  It is
made from plain arguments, `TimeBalance(student, teachers, score)`, and can be trained in any loop.
"""

from . import losses as losses
from . import pretrain as pretrain
from . import reweight as reweight
from . import semi as semi
from .semi import Supervised as Supervised
from .semi import TimeBalance as TimeBalance

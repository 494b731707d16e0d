"""The shelf of supervised and semi-supervised methods: one file each, listed in plain sight.

A method is a module with a `learner`, which is kept; `streams()`, the batches it asks for; and
`forward(**batches)`, which returns its loss.  Its class says the rest: `sections` of the profile it
reads, the first with its learning rate and weight decay; `clips_per_step(profile)`; `helpers`, the
number of frozen networks that see the clips too; and `build(profile, classes, job, given)`, which
makes it from a `systems.Job` and from what `systems.Given` has: finetuned teachers and scores.
"""

from .supervised import Supervised
from .timebalance import TimeBalance

METHODS = {"supervised": Supervised, "timebalance": TimeBalance}

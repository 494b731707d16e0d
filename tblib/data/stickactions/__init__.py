"""StickActions: the embedded dataset, procedural people doing named actions in real video files.

Half of the classes are *persistent*: the label is the large thing being used and every moment
looks alike.  Half are *phased*: the label is the order of sub-actions and single frames do not
tell.  `CLASSES` are the twenty of the book; `FAMILY` also knows ten phased classes made of the
same four sub-actions.  `build` writes a dataset in the layout of UCF101, `sample` makes one video
in memory and `ground_truth` reads what is known exactly about a written one.
"""

from .make import VERSION, build
from .one import Sample, sample
from .scenes import CLASSES, FAMILY
from .truth import ground_truth

__all__ = ["CLASSES", "FAMILY", "VERSION", "Sample", "build", "ground_truth", "sample"]

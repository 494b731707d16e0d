"""The shelf of self-supervised methods: one file each, listed in plain sight."""

from .clip_order import ClipOrder
from .cvrl import CVRL
from .distinctive import Distinctive
from .invariant import Invariant
from .joint import Joint
from .memdpc import MemDPC
from .rho_byol import RhoBYOL
from .rho_moco import RhoMoCo
from .rotation import Rotation
from .transformations import Transformations

METHODS = {
    "invariant": Invariant,
    "distinctive": Distinctive,
    "joint": Joint,
    "cvrl": CVRL,
    "transformations": Transformations,
    "clip_order": ClipOrder,
    "rotation": Rotation,
    "rho_moco": RhoMoCo,
    "rho_byol": RhoBYOL,
    "memdpc": MemDPC,
}

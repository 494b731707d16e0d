"""The shelf of self-supervised methods: one file each, listed in plain sight."""

from .distinctive import Distinctive
from .invariant import Invariant
from .joint import Joint

METHODS = {"invariant": Invariant, "distinctive": Distinctive, "joint": Joint}

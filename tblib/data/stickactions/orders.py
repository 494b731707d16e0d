"""Ten more phased classes: the same four sub-actions, each class in another order.

In the classes of `actions` a pose is a hint: who lies is a LieDown or a GetUp.  Here all classes
show the same moments, so neither a frame nor any collection of frames tells one from another.
Only the order does.  They are not in a data set unless `data.classes` names them.
"""

from __future__ import annotations

from .actions import BOW, RAISE, SIT, STAND, STAR, Key, Program

EFFORT = 0.7  # how far a pose is taken, from standing
POSES = {"Raise": RAISE, "Star": STAR, "Bow": BOW, "Sit": SIT}


def _there_and_back(name: str) -> list[Key]:
    """Take a pose, stay, and stand again; a star is seen from the front, whatever the effort."""
    angles = POSES[name]
    pose = {k: STAND[k] + EFFORT * (angle - STAND[k]) for k, angle in angles.items()}
    pose["front"] = angles.get("front", STAND["front"])
    label = name.lower()
    return [(label, 1.0, pose), (label, 0.6, pose), (label, 0.8, {})]


def _program(*names: str) -> Program:
    return Program([key for name in names for key in _there_and_back(name)], {})


ORDERS = {
    "".join(names): _program(*names)
    for names in (
        ("Raise", "Star", "Bow", "Sit"),
        ("Sit", "Bow", "Star", "Raise"),
        ("Bow", "Sit", "Raise", "Star"),
        ("Star", "Raise", "Sit", "Bow"),
        ("Bow", "Star", "Sit", "Raise"),
        ("Raise", "Sit", "Star", "Bow"),
        ("Star", "Bow", "Raise", "Sit"),
        ("Sit", "Raise", "Bow", "Star"),
        ("Star", "Sit", "Bow", "Raise"),
        ("Raise", "Bow", "Sit", "Star"),
    )
}

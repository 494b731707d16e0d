"""Code in a chapter is the code that runs, with equations that a person can find."""

import inspect
import re

from tblib.lesson.listing import equations, listing
from tblib.methods import losses, reweight


def test_sources_stand_below_each_other_and_equations_have_numbers():
    shown = listing(reweight.raw_similarity, reweight.mix)
    assert "Mix the teachers, eq. (6): p = s" in shown.data and ":eq:" not in shown.data
    plain = inspect.getsource(reweight.mix)
    assert re.sub(r":eq:`[\w-]+`", "(6)", plain) in shown.data and shown.language == "python"


def test_every_equation_of_the_notation_has_its_number():
    assert equations()["eq-nt-xent"] == 1 and len(set(equations().values())) == len(equations()) > 5
    assert ":eq:" in inspect.getsource(losses.nt_xent), "the docstring itself links on its page"

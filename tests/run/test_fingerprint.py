"""Which code a model or a measurement depends on: what it uses, and nothing else."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys

import pytest
from smoke import ROOT

from tblib.errors import ConfigError
from tblib.lesson.chapters import chapters
from tblib.methods import pretrain, semi
from tblib.models import BACKBONES
from tblib.run import chapter_code as chapter_code_module
from tblib.run import fingerprint, reuse, syntax
from tblib.run.chapter_code import chapter_code
from tblib.study import marks

CONTRAST = {"invariant", "distinctive", "joint", "cvrl"}
PRETEXT = {*CONTRAST, "transformations", "clip_order"}
TRAININGS = {*PRETEXT, "supervised", "timebalance"}
LARGE = {f"{name} on r3d_18" for name in TRAININGS}
TESTS = {"test", "summary", "curve", "constant"}
SEEN = {*TESTS, "probe", "raw", "order"}  # measurements that pass clips through a network


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package whose code is fingerprinted in place of ours."""
    shutil.copytree(ROOT / "tblib", tmp_path / "tblib", ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    return tmp_path / "tblib"


@pytest.fixture(scope="module")
def before():
    """Fingerprints of the code as it is."""
    return codes()


def codes() -> dict[str, str]:
    """Fingerprints of all trainings on two backbones, and of all measurements on one."""
    reuse._code.cache_clear()
    found = {name: reuse.training_code("tiny_r3d", [name]) for name in TRAININGS}
    found |= {f"{name} on r3d_18": reuse.training_code("r3d_18", [name]) for name in TRAININGS}
    found |= {name: marks.measuring_code(name, "tiny_r3d") for name in marks.MEASURES}
    return found | {"curve": reuse.code((reuse.LOOKING, *reuse.READING))}


def change(path, definition):
    """Let the last statement of a function or method be preceded by one that does nothing."""
    source, node = path.read_text(), ast.parse(path.read_text())
    for name in definition.split("."):
        node = next(inner for inner in node.body if getattr(inner, "name", "") == name)
    last, lines = node.body[-1], source.splitlines()
    lines.insert(last.lineno - 1, " " * last.col_offset + "pass")
    path.write_text("\n".join(lines) + "\n")


def on_both(names):
    return {*names, *(f"{name} on r3d_18" for name in names)}


@pytest.mark.parametrize(
    ("file", "definition", "expected"),
    [
        ("methods/losses.py", "nt_xent", on_both(CONTRAST)),
        ("methods/losses.py", "squared_distance", on_both({"timebalance"})),
        ("methods/pretrain/cvrl.py", "retrieval", on_both({"cvrl"})),
        ("methods/pretrain/clip_order.py", "order_accuracy", {"order"}),
        ("methods/semi/supervised.py", "Supervised.forward", on_both({"supervised"})),
        ("methods/reweight.py", "mix", {*on_both({"timebalance"}), "summary", "constant"}),
        ("methods/reweight.py", "raw_similarity", {"probe", "raw"}),
        ("methods/reweight.py", "controls", {"scores"}),
        ("engine/loop.py", "learning_rate", on_both(TRAININGS)),
        ("engine/evaluate.py", "encode", SEEN - {"order"}),
        ("engine/evaluate.py", "linear_probe", {"probe"}),
        ("engine/stopping.py", "check", set()),
        ("data/augment.py", "colour_matrix", {*on_both(TRAININGS), "probe", "order"}),
        ("data/augment.py", "centre_crop", SEEN),
        ("data/loader.py", "rows_of_step", on_both(TRAININGS)),
        ("data/stores.py", "read", {*on_both(TRAININGS), *SEEN}),
        ("data/video.py", "decode", set()),
        ("data/splits.py", "roles", set()),
        ("models/tiny.py", "TinyR3D.layers", {*TRAININGS, *SEEN} - {"curve"}),
        ("models/resnets.py", "R3D18.layers", LARGE),
        ("models/slow.py", "SlowR50.layers", set()),
        ("settings/config.py", "Profile.digest", set()),
        ("run/jobs.py", "_plan", on_both(TRAININGS)),
        ("run/jobs.py", "_note_accuracy", {"curve"}),
        ("run/jobs.py", "run_jobs", set()),
        ("run/features.py", "time_retrieval", {"probe"}),
        ("run/models.py", "predict", {"test", "summary", "constant"}),
        ("study/scoring.py", "_oracle", {"scores"}),
        ("study/work.py", "train", set()),
        ("lesson/plot/style.py", "figure", set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_reaches_what_uses_it_and_nothing_else(
    before, package, file, definition, expected
):
    change(package / file, definition)
    after = codes()
    assert {name for name in before if before[name] != after[name]} == expected


METHOD = """
from .contrast import TemporalContrast

class Other(TemporalContrast):
    use = ("ic", "gl")
"""


def add_method(package):
    """Put a method on the shelf of a copied package: one file, and what lists it."""
    shelf = package / "methods" / "pretrain"
    (shelf / "other.py").write_text(METHOD)
    listed = (shelf / "__init__.py").read_text()
    listed = listed.replace("METHODS = {", 'METHODS = {"other": Other,')
    (shelf / "__init__.py").write_text(f"from .other import Other\n{listed}")


def test_a_new_method_changes_nothing_but_has_a_fingerprint(before, package, monkeypatch):
    add_method(package)
    assert codes() == before
    monkeypatch.setitem(pretrain.METHODS, "other", None)
    own = reuse.training_code("tiny_r3d", ["other"])
    assert own not in before.values()
    change(package / "methods/losses.py", "global_local")
    assert codes()["cvrl"] == before["cvrl"]
    assert reuse.training_code("tiny_r3d", ["other"]) != own


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("models/__init__.py", "BACKBONES = {", 'BACKBONES = {"mine": TinyR3D,'),
        ("settings/config.py", "runtime: Runtime = ", "mine: Ablation = Ablation()\n    runtime: "),
        ("methods/losses.py", '"""NT-Xent, eq.', '"""NT-Xent again, eq.'),
        ("methods/losses.py", "tau: float", "tau: int"),
        ("methods/losses.py", "    n = z.shape[-2]", "    # a word\n\n    n = (z.shape[-2])"),
        ("methods/losses.py", "import math", "import os\nimport math"),
    ],
)
def test_other_lines_of_a_list_words_and_layout_change_nothing(before, package, file, old, new):
    source = (package / file).read_text()
    assert old in source
    (package / file).write_text(source.replace(old, new))
    # an annotation is a part of the text of its definition, though nothing is followed from it
    changed = on_both(CONTRAST | {"timebalance"}) if new == "tau: int" else set()
    after = codes()
    assert {name for name in before if before[name] != after[name]} <= changed
    (package / "data" / "new.py").write_text("NEW = 1\n")
    assert codes() == after


def test_a_name_from_another_package_counts(before, package):
    file = package / "methods" / "losses.py"
    text = file.read_text()
    file.write_text(text.replace(" cross_entropy,", " nll_loss as cross_entropy,", 1))
    after = codes()
    assert {n for n in before if before[n] != after[n]} == on_both(CONTRAST)


def made(root, files):
    """Write a package `tblib` of a few files, given by name and text."""
    for name, text in files.items():
        (root / "tblib" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "tblib" / name).write_text(text)


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("from .b import f\ndef g(): return f()", {"b:f"}),
        ("from . import b\ndef g(): return b.f()", {"b:f"}),
        ("from . import b\ndef g(): return getattr(b, 'h')", {"b:"}),
        ("from . import b\ndef g(): b = 1; return b", set()),
        ("from . import b\ndef g(h=b.h): return [b for b in h]", {"b:h"}),
        ("def g():\n    from .b import h as k\n    return k", {"b:h"}),
        ("from .c import again\ng = again", {"b:h"}),
        ("import torch\nfrom .b import f\ndef g(x: f) -> f: return torch.f", set()),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import f\ng = 1", set()),
        ("from . import b\nb.f.switch = 1\nT = {'k': b.h}\ng = 1", {"b:f"}),
        ("from .b import f\nclass g(f): pass", {"b:f"}),
    ],
)
def test_names_are_followed_to_where_they_are_defined(tmp_path, monkeypatch, text, uses):
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    made(tmp_path, {"a.py": text, "b.py": "def f(): 1\ndef h(): 2\n"})
    made(tmp_path, {"c/__init__.py": "from ..b import h as again\n", "__init__.py": ""})
    found = {name for name in fingerprint.closure(["tblib.a:g"]) if not name.endswith("*")}
    assert {name.removeprefix("tblib.") for name in found} - {"a:g"} == uses


def test_an_entry_of_a_list_is_followed_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    text = "from .b import f, h\nT = {'k': f, 'l': h}\ndef g(): return T"
    made(tmp_path, {"a.py": text, "b.py": "def f(): 1\ndef h(): 2\n", "__init__.py": ""})
    found = fingerprint.closure(["tblib.a:g", "tblib.a:T[k]"], ["tblib.a:T"])
    assert "tblib.b:f" in found and "tblib.b:h" not in found and "tblib.a:T" not in found
    assert fingerprint.closure(["tblib.a:g"], ["tblib.a"]).keys() == {"tblib.a:g"}
    with pytest.raises(ConfigError, match="tblib.a lists no 'm'"):
        fingerprint.fingerprint(["tblib.a:T[m]"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import importlib\ndef g(): return importlib.import_module('b')", "importlib.import_mod"),
        ("from importlib import import_module as m\ng = m('b')", "importlib.import_module"),
        ("g = __import__('b')", "__import__"),
        ("def g(): exec('import b')", "exec"),
        ("from .b import *\ng = 1", "imports *"),
        ("from .b import x\ng = x", "tblib.b defines no 'x'"),
        ("from . import b\nb.switch = 1\ng = 1", "tblib.b defines no 'switch'"),
        ("h = 1", "tblib.a defines no 'g'"),
    ],
)
def test_code_that_cannot_be_followed_is_refused(tmp_path, monkeypatch, text, said):
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    made(tmp_path, {"a.py": text, "b.py": "", "__init__.py": ""})
    with pytest.raises(ConfigError, match=re.escape(said)):
        fingerprint.fingerprint(["tblib.a:g"])


def test_a_module_in_eval_mode_is_no_dynamic_code(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    made(tmp_path, {"a.py": "def g(net): return net.eval()", "__init__.py": ""})
    assert len(fingerprint.fingerprint(["tblib.a:g"])) == 12


def test_whatever_is_left_apart_exists():
    """A name that was moved would silently leave nothing apart."""
    code = fingerprint._Code()
    for name in (*reuse.APART, *reuse.READING, *marks.MEASURES.values()):
        module, _, definition = name.partition(":")
        if definition:
            assert definition in code.module(module).definitions, name
        else:
            assert (ROOT / module.replace(".", "/")).is_dir() or code.file(module), name


def test_every_method_and_backbone_has_a_fingerprint():
    """Nothing that trains or measures names its code while it runs."""
    for backbone in BACKBONES:
        for name in (*pretrain.METHODS, *semi.METHODS):
            assert reuse.training_code(backbone, [name])
        assert all(marks.measuring_code(measure, backbone) for measure in marks.MEASURES)


WORDS = '''
"""A file."""
def f(x: int = 1, *, y=None) -> str:
    """Words."""
    return f"{x!r:>{y}} {x + 1:.2f}" "more" if x else rb"a"  # why

class C:
    """Words alone."""

g = lambda *a, **k: {**k, "a": [*a, ...], None: -1j}
'''


def test_the_normal_form_is_the_same_for_every_python():
    """The digits were computed with 3.9, 3.11, 3.12 and 3.13."""
    text = syntax.shape(ast.parse(WORDS))
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == "d3ed00c8fd60"
    assert "Words" not in text and "why" not in text


def chapter_codes() -> dict[str, str]:
    """Fingerprints of all chapters."""
    return {number: chapter_code(number, "tiny_r3d") for number in chapters()}


def test_a_chapter_is_out_of_date_by_what_it_uses_and_trains(package):
    """A method that no chapter names reruns none; an edited figure reruns those that draw it."""
    shutil.copytree(ROOT / "notebooks", package.parent / "notebooks")
    before = chapter_codes()
    add_method(package)
    (package / "lesson" / "plot" / "new.py").write_text("NEW = 1\n")
    for file, definition, expected in [
        ("models/slow.py", "SlowR50.layers", set()),
        ("methods/semi/timebalance.py", "TimeBalance.forward", set(before)),  # in all profiles
        ("lesson/plot/reweighting.py", "similarity_pair", {"05"}),
    ]:
        change(package / file, definition)
        chapter_code_module._chapter_code.cache_clear()
        after = chapter_codes()
        changed = {number for number in before if before[number] != after[number]}
        assert expected <= changed
        assert len(changed) < len(before) or expected == before.keys(), changed
        assert changed if expected else not changed
        before = after


def test_a_fingerprint_is_the_same_in_every_process():
    """Sets of text have another order in another process."""
    code = (
        "from tblib.run.chapter_code import chapter_code as f;"
        "print([f(n, 'tiny_r3d') for n in (2, 4, 6, 7)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (0, 1, 2)
    }
    assert len(said) == 1

"""The doctor names what is wrong and never falls ill itself."""

import importlib
import sys
from importlib import metadata

import pytest

from tblib.run import doctor
from tblib.run.doctor import machine, packages


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TB_DATA", str(tmp_path))
    monkeypatch.delenv("UCF101_ROOT", raising=False)
    return tmp_path


@pytest.fixture
def versions(monkeypatch):
    """Pretend that packages have other versions; None means not installed."""
    changed, real = {}, metadata.version

    def version(name):
        found = changed.get(name, ...)
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return real(name) if found is ... else found

    monkeypatch.setattr(metadata, "version", version)
    return changed


def line(text, word):
    return next(row for row in text.splitlines() if word in row)


def test_this_environment_is_described_on_one_screen(home):
    text, ok = doctor.report()
    assert ok, text
    assert f"torch {metadata.version('torch')}" in text
    assert str(home) in line(text, "Disk")
    assert len(text.splitlines()) <= 40 and max(map(len, text.splitlines())) <= 120


def test_old_and_missing_core_packages_are_problems(home, versions):
    versions |= {"pandas": "1.5.0", "tqdm": None}
    text, ok = doctor.report()
    assert not ok
    assert "too old" in line(text, "pandas") and "pip install" in line(text, "pandas")
    assert line(text, "tqdm").startswith("PROBLEM") and "missing" in line(text, "tqdm")


def test_missing_extras_are_named_but_no_problem(home, versions):
    versions |= {"nbval": None, "jupyter-book": "2.0.0"}
    text, ok = doctor.report()
    assert ok
    assert 'pip install "nbval' in line(text, "nbval is missing")
    assert "too new" in line(text, "jupyter-book 2.0.0")


@pytest.mark.parametrize(
    "error",
    [OSError("libcudart.so.13: no such file"), RuntimeError("torchvision::nms"), ImportError()],
)
def test_broken_torch_is_named(home, monkeypatch, error):
    real = importlib.import_module

    def broken(name, *rest):
        if name == "torchvision":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", broken)
    text, ok = doctor.report()
    assert not ok
    assert (str(error) or "ImportError") in line(text, "torchvision does not load")


def test_missing_packaging_is_named(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    text, ok = doctor.report()
    assert not ok and "pip install packaging" in text


def test_bare_checkout_reads_pyproject(monkeypatch):
    def not_installed(name):
        raise metadata.PackageNotFoundError(name)

    installed = {(p.name, p.wanted, p.extra) for p in packages.check()[0]}
    monkeypatch.setattr(metadata, "requires", not_installed)
    assert {(p.name, p.wanted, p.extra) for p in packages.check()[0]} == installed


def test_broken_configuration_is_named(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "tblib.settings.profiles", None)
    text, ok = doctor.report()
    assert not ok and "configuration does not load" in text


def test_datasets_are_found(home, monkeypatch, tmp_path):
    sticks = home / "stickactions-64px"
    (sticks / "Punch").mkdir(parents=True)
    (sticks / "dataset.json").write_text("{}")
    (sticks / "Punch" / "v_Punch_g01_c01.mp4").touch()
    root = tmp_path / "ucf"
    (root / "UCF-101" / "Archery").mkdir(parents=True)
    (root / "UCF-101" / "Archery" / "v_Archery_g01_c01.avi").touch()
    monkeypatch.setenv("UCF101_ROOT", str(root))
    text, _ = doctor.report()
    assert "(1 videos)" in line(text, "StickActions")
    assert "no list files" in line(text, "UCF101")
    (root / "ucfTrainTestlist").mkdir()
    (root / "ucfTrainTestlist" / "classInd.txt").touch()
    assert "ucfTrainTestlist" in line(doctor.report()[0], "UCF101")


def test_wrong_ucf_folder_is_named(home, monkeypatch):
    monkeypatch.setenv("UCF101_ROOT", str(home / "nowhere"))
    text, _ = doctor.report()
    assert "holds no <Class>/*.avi" in line(text, "UCF101_ROOT")


def test_full_disk_is_a_problem(home, monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: type("", (), {"free": 2**29}))
    text, ok = doctor.report()
    assert not ok and "less than 1 GiB" in text

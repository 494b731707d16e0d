"""Probabilities in a record: short, whole, and enough to mix the teachers again."""

import json

import numpy as np
import pytest
import torch
from study_record import synthetic_record

from tblib.errors import DataError
from tblib.methods.reweight import mix
from tblib.study.compact import pack, rounded, unpack
from tblib.study.reading import Study, load

KINDS = ("teacher_invariant", "teacher_distinctive")


def distributions(videos, classes, seed=0):
    return torch.randn(videos, classes, generator=torch.Generator().manual_seed(seed)).mul(
        4).softmax(1).numpy()  # fmt: skip


@pytest.fixture
def record():
    """A record whose teachers at 20 % say probabilities; right and wrong follow from them."""
    record = synthetic_record()
    label = np.array(record["test"]["label"])
    for unit in (unit for unit in record["units"] if unit["fraction"] == 0.2):
        for k, name in enumerate(KINDS):
            p = distributions(80, 20, 10 * unit["seed"] + k)
            right = "".join("01"[int(hit)] for hit in p.argmax(1) == label)
            unit["cells"][name] |= {"p": pack(p), "right": right}
    return record


def read(tmp_path, record):
    (tmp_path / "some.json").write_text(json.dumps(record))
    return load("some", tmp_path)


def test_a_probability_comes_back_within_half_a_step():
    p = distributions(378, 9)
    assert np.abs(unpack(pack(p), 378, 9) - p).max() <= 0.5 / 4095 + 1e-9
    assert (rounded(p) == unpack(pack(p), 378, 9)).all()
    sure = np.eye(9)[[3, 0, 8]]
    assert (unpack(pack(sure), 3, 9) == sure).all()


def test_it_is_short():
    """Nine classes of 378 videos, sure of most: as text less than two bytes a number."""
    assert len(pack(distributions(378, 9))) < 2 * 378 * 9


@pytest.mark.parametrize(
    "text, words",
    [
        ("no base64!", "damaged"),
        ("AAAA", "damaged"),
        (pack(distributions(3, 4)), "not 5 × 4"),
        (pack(np.full((5, 4), 0.5)), "do not sum to one"),
        (pack(np.zeros((4000, 4000))), "not 5 × 4"),
    ],
)
def test_what_is_no_distribution_is_one_sentence(text, words):
    with pytest.raises(DataError, match=words):
        unpack(text, 5, 4)


def test_a_mixture_can_be_made_again_from_the_record_alone(tmp_path, record):
    label = torch.tensor(record["test"]["label"])
    for unit in record["units"]:
        if unit["fraction"] == 0.2:
            p = [torch.tensor(unpack(unit["cells"][k]["p"], 80, 20)) for k in KINDS]
            hit = mix(*p, torch.tensor(unit["s"])).argmax(1) == label
            unit["mixed"]["reweighted"] = 100 * hit.double().mean().item()
    study = read(tmp_path, record)
    both = [study.probabilities(kind, 0.2) for kind in KINDS]
    for seed, s in enumerate(study.s(0.2)):
        weight = s[:, None]
        p = weight * both[0][seed] + (1 - weight) * both[1][seed]
        again = 100 * (p.argmax(1) == study.label).mean()
        assert again == pytest.approx(study.mixed(0.2).loc[seed, "reweighted"])


def test_a_record_without_probabilities_stays_readable(tmp_path, record):
    study = read(tmp_path, record)
    assert sorted(study.probabilities(KINDS[0], 0.2)) == [0, 1, 2, 3, 4]
    assert study.probabilities(KINDS[0], 0.05) == study.probabilities("ssl", 0.2) == {}


@pytest.mark.parametrize("spoil, words", [
    (lambda cell: cell.update(p=pack(distributions(79, 20))), "teacher_invariant of seed 0 at 20"),
    (lambda cell: cell.update(p=pack(distributions(80, 20, 99))), "contradict right and wrong"),
])  # fmt: skip
def test_wrong_probabilities_are_found_when_the_record_is_read(tmp_path, record, spoil, words):
    unit = next(u for u in record["units"] if u["fraction"] == 0.2)
    spoil(unit["cells"][KINDS[0]])
    with pytest.raises(DataError, match=words):
        read(tmp_path, record)
    assert Study(record)

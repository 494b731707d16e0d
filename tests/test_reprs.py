"""What objects say of themselves at a prompt: enough to go on, and nothing that costs anything."""

import pandas as pd
import pytest
import torch
from bs4 import BeautifulSoup
from helpers import TinyNet, fake_pool, tiny_profile
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from tblib import reprs
from tblib.data import datasets
from tblib.data.loader import Batch
from tblib.engine import checkpoint
from tblib.methods.job import Job
from tblib.models import Classifier
from tblib.run.directory import open_run


@pytest.fixture
def run(tmp_path, tiny_root, monkeypatch):
    """A run with one finished model, not yet asked for its videos or its device."""
    monkeypatch.setenv("TB_DATA", str(tmp_path / "data"))
    config = tiny_profile(data__dataset="ucf101", data__root=str(tiny_root))
    opened = open_run(config, tmp_path / "<run>", 1)
    card = {"job": {"method": "joint", "steps": 300, "seed": 7}, "seconds": 41.5}
    checkpoint.save_model(opened.folder("ssl_joint"), {"w": torch.zeros(2)}, card)
    return opened


def test_a_data_set_counts_videos_classes_and_groups(tiny_root):
    videos = datasets.ucf101(tiny_root, None, 1, None)
    assert repr(videos).splitlines() == [
        "ucf101-split1: 16 videos in 2 classes, 12 to train on, 4 to test on",
        f"folder: {tiny_root}",
    ]
    rows = BeautifulSoup(videos._repr_html_(), "html.parser").find_all("tr")
    texts = [row.get_text(" ", strip=True) for row in rows]
    assert texts == ["test train groups", "class", "Walk 2 6 4", "Jump 2 6 4"]


def test_a_run_names_folder_device_and_models_without_touching_them(run):
    text = repr(run)
    assert text.startswith("smoke, seed 0, chapter 1: smoke: does everything run?\nfolder: /")
    assert "device: auto, not used yet; 1 training(s) at a time, 1 thread(s) each" in text
    assert text.endswith("finished models: ssl_joint")
    assert {"videos", "pool", "device"}.isdisjoint(run.__dict__)
    html = run._repr_html_()
    assert "&lt;run&gt;" in html and "<td>300</td>" in html and "<td>41.5</td>" in html
    assert run.device.type in repr(run).splitlines()[2]


def test_names_are_completed_by_the_tab_key(run):
    shell = InteractiveShell.instance()
    shell.user_ns.update(run=run, models=run.models)
    with provisionalcompleter():
        for typed, name in (("run.mo", "models"), ('models["ssl', "ssl_joint")):
            found = shell.Completer.completions(typed, len(typed))
            assert [one.text for one in found] == [name]


def test_a_profile_writes_what_differs_from_the_defaults():
    text = repr(tiny_profile(seed=3))
    assert text.startswith("profile smoke, seed 3: smoke: does everything run?\nwhat differs")
    assert "  data: label_fraction=0.5, cache_px=20, crop_px=16" in text
    assert "weight_decay" not in text and "evaluate: clips=3" in text


def test_a_job_is_the_call_that_makes_it():
    job = Job("inv", "supervised", steps=2, seed=0, init="ssl")
    assert repr(job) == "Job(name='inv', method='supervised', steps=2, seed=0, init='ssl')"
    assert eval(repr(job)) == job


def test_histories_are_a_dict_and_a_table():
    history = pd.DataFrame({"step": [10, 20], "loss": [2.0, 1.25]})
    both = reprs.Histories({"one": history, "two": history.assign(loss=1.0)})
    assert both["one"] is history and list(both) == ["one", "two"]
    assert repr(both).splitlines()[1].split() == ["one", "20", "2.0", "1.25"]
    assert "<td>1.25</td>" in both._repr_html_()
    assert repr(reprs.Histories()) == "none yet" == repr(reprs.Models())


def test_a_pool_counts_roles_and_a_classifier_its_weights():
    assert repr(fake_pool(8, labelled=3)) == "8 videos at 20 pixels: 5 unlabelled, 3 labelled"
    model = Classifier(TinyNet(), 5)
    assert f"{3 * 6 * 27 + 6 + 12 + 35} weights, 5 classes" in repr(model)


def test_a_batch_tells_shapes_not_numbers():
    said = repr(Batch(torch.zeros(10, 4, 3, 8, 32, 32), torch.zeros(4), torch.zeros(4)))
    assert said == "Batch(clips [10, 4, 3, 8, 32, 32] torch.float32 on cpu, 4 videos)"

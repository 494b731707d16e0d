"""One table for every dataset: official lists, classes, groups, and files that exist."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from realvideo import UCF_CLASSES

from tblib.data import datasets, stickactions, table, video
from tblib.errors import ConfigError, DataError
from tblib.settings.profiles import load_profile


@pytest.fixture
def root(tiny_root, tmp_path):
    return Path(shutil.copytree(tiny_root, tmp_path / "videos"))


def rewrite(path: Path, change):
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize("split, train, test", [(1, 819, 306), (2, 810, 315), (3, 799, 326)])
def test_official_splits_of_nine_real_classes(ucf_root, split, train, test):
    videos = datasets.ucf101(ucf_root, split=split, classes=UCF_CLASSES)
    table = videos.table
    assert table["split"].value_counts().to_dict() == {"train": train, "test": test}
    assert videos.classes == UCF_CLASSES and videos.name == f"ucf101-split{split}"
    assert list(table.columns) == datasets.COLUMNS
    assert table.index.equals(table.reset_index(drop=True).index)
    assert table["video"].is_unique and table["path"].is_unique
    assert (table["label"].map(dict(enumerate(UCF_CLASSES))) == table["class_name"]).all()
    sides = table.groupby("group")["split"].nunique()
    assert (sides == 1).all() and len(sides) == 9 * 25


@pytest.mark.parametrize("folder", ["", "UCF-101", "ucf101-9-mp4"])
def test_root_may_be_the_parent_the_folder_or_the_mp4_copy(shared_data, folder):
    videos = datasets.ucf101(shared_data / folder, classes=("Punch",))
    assert len(videos.table) == 160 and videos.table["label"].eq(0).all()
    suffix = ".mp4" if "mp4" in folder else ".avi"
    assert videos.table["path"].str.endswith(suffix).all()


def test_all_classes_of_the_full_lists_are_known(shared_data):
    with pytest.raises(DataError, match="12195 of 13320 listed videos are not in") as caught:
        datasets.ucf101(shared_data)
    assert "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01" in str(caught.value)
    assert "Archery, BabyCrawling" in str(caught.value)


def test_tiny_dataset(root):
    videos = datasets.ucf101(root)
    assert videos.classes == ("Walk", "Jump") and len(videos.table) == 16
    first = videos.table.iloc[0]
    assert first["video"] == "Walk/v_Walk_g02_c01" and first["group"] == "Walk/g02"
    assert first["path"] == str(root / "Walk/v_Walk_g02_c01.avi") and first["family"] == ""


def test_class_filter_follows_the_order_of_the_list(root):
    videos = datasets.ucf101(root, classes=("Jump", "Walk"))
    assert videos.classes == ("Walk", "Jump")
    only = datasets.ucf101(root, classes=("Jump",))
    assert only.classes == ("Jump",) and only.table["label"].eq(0).all()


def test_mp4_stands_in_for_a_missing_avi_only(root):
    (root / "Walk/v_Walk_g02_c01.avi").rename(root / "Walk/v_Walk_g02_c01.mp4")
    shutil.copy(root / "Walk/v_Walk_g02_c02.avi", root / "Walk/v_Walk_g02_c02.mp4")
    paths = datasets.ucf101(root).table["path"]
    assert paths[0].endswith("g02_c01.mp4") and paths[1].endswith("g02_c02.avi")


def test_missing_videos_are_counted_after_the_class_filter(root):
    shutil.rmtree(root / "Walk")
    with pytest.raises(DataError, match=r"8 of 16 listed .*Walk/v_Walk_g02_c01.* \(Jump"):
        datasets.ucf101(root)
    assert len(datasets.ucf101(root, classes=("Jump",)).table) == 8


def test_unknown_class_gets_a_suggestion(root):
    with pytest.raises(DataError, match="'Wolk' is unknown: did you mean 'Walk'"):
        datasets.ucf101(root, classes=("Wolk",))


def test_group_on_both_sides_is_refused_with_both_lines(root):
    rewrite(root / "ucfTrainTestlist/testlist01.txt",
            lambda text: text + "Jump/v_Jump_g03_c09.avi\n")  # fmt: skip
    with pytest.raises(
        DataError, match=r"testlist01.txt line 5: group Jump/g03.*list01.txt line 9"
    ):
        datasets.ucf101(root)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({}, "line 3: Walk/a is listed again; see line 1"),
        ({"video": "Walk/c", "split": "rest"}, "line 3: split 'rest' is unknown; .* train, val"),
    ],
)
def test_a_loader_that_repeats_a_video_or_invents_a_side_is_refused(tmp_path, change, sentence):
    pairs = [("a", "train"), ("b", "test")]
    rows = [
        {"video": f"Walk/{stem}", "class_name": "Walk", "group": stem, "split": part,
         "at": f"line {at}"}
        for at, (stem, part) in enumerate(pairs, 1)
    ]  # fmt: skip

    def assembled(rows):
        return table.assemble("mine", tmp_path, tmp_path, ["Walk"], None, rows, list)

    assert len(assembled(rows).table) == 2
    with pytest.raises(DataError, match=sentence):
        assembled([*rows, rows[0] | {"at": "line 3"} | change])


def test_class_without_test_videos_is_refused(root):
    rewrite(root / "ucfTrainTestlist/testlist01.txt", lambda text: text[: text.index("Jump")])
    with pytest.raises(DataError, match="test list .* no video of the class Jump"):
        datasets.ucf101(root)


def test_missing_folder_lists_and_split_say_what_to_do(root, tmp_path):
    with pytest.raises(DataError, match="none does not exist.*Download UCF101"):
        datasets.ucf101(tmp_path / "none")
    with pytest.raises(DataError, match="trainlist02.txt does not exist"):
        datasets.ucf101(root, split=2)
    (root / "ucfTrainTestlist").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="no classInd.txt in .*data.lists"):
        datasets.ucf101(root)
    assert len(datasets.ucf101(root, lists=tmp_path / "elsewhere").table) == 16


def profile(**data):
    fields = {"dataset": "ucf101", "root": None, "lists": None, "split": 1, "classes": None}
    fields |= {"allow_missing": 0.0, "rest": False, "test_fraction": 0.2}
    return SimpleNamespace(data=SimpleNamespace(**fields | data))


def test_load_finds_ucf101_by_profile_or_environment(root, monkeypatch):
    monkeypatch.delenv("UCF101_ROOT", raising=False)
    with pytest.raises(DataError, match="Download UCF101 .*UCF101_ROOT"):
        datasets.load(profile())
    assert len(datasets.load(profile(root=root)).table) == 16
    monkeypatch.setenv("UCF101_ROOT", str(root))
    assert len(datasets.load(profile(classes=("Walk",))).table) == 8


def test_load_makes_stickactions_on_first_use_only(tmp_path, monkeypatch):
    monkeypatch.setenv("TB_DATA", str(tmp_path))
    sticks = SimpleNamespace(px=32, train_groups=1, test_groups=1, clips_per_group=1,
                             frames_min=16, frames_max=16, seed=0,
                             one_actor=False, one_gym=False)  # fmt: skip
    chosen = profile(dataset="stickactions", classes=("LieDown", "PlayingPiano"))
    chosen.sticks, chosen.runtime = sticks, SimpleNamespace(decoders=1)
    table = datasets.load(chosen).table
    assert table.groupby(["class_name", "family"]).size().to_dict() == {
        ("LieDown", "phased"): 2,
        ("PlayingPiano", "persistent"): 2,
    }
    before = {path: Path(path).stat().st_mtime_ns for path in table["path"]}
    assert all(path.startswith(str(tmp_path)) for path in before)
    again = datasets.load(chosen).table
    assert again.equals(table)
    assert {path: Path(path).stat().st_mtime_ns for path in again["path"]} == before
    assert all(len(video.decode(path)) == 16 for path in before)  # 32 px wide: narrow videos


def test_videos_that_share_something_get_folders_of_their_own_and_older_ones_keep_theirs(
    tmp_path, monkeypatch
):
    made = []
    monkeypatch.setenv("TB_DATA", str(tmp_path))
    monkeypatch.setattr(stickactions, "build", lambda place, **_: made.append(place.name))
    for one_actor, one_gym in ((False, False), (True, False), (True, True)):
        shared = {"sticks.one_actor": one_actor, "sticks.one_gym": one_gym}
        chosen = load_profile("laptop", shared)
        with pytest.raises(DataError):  # nothing was built
            datasets.load(chosen)
    assert made[0] == "stickactions-64px-d178dbde"  # as before there was the choice
    assert len(set(made)) == 3


def test_load_refuses_an_unknown_dataset():
    with pytest.raises(ConfigError, match="did you mean 'ucf101'"):
        datasets.load(profile(dataset="ucf10"))

"""HMDB51, Kinetics-400, your own folders: the same table, and mistakes with file and line."""

import zlib
from collections import Counter

import pandas as pd
import pytest
from realvideo import moving_frames, write_video

from tblib.data import datasets, hmdb51, kinetics, published, splits, video
from tblib.data.table import COLUMNS
from tblib.errors import DataError
from tblib.settings.profiles import load_profile


def make(root, *names, suffix=".mp4"):
    """Write a small real video for each name, each with a content of its own."""
    for name in names:
        seed = zlib.crc32(f"{name}{suffix}".encode())
        write_video(root / f"{name}{suffix}", moving_frames(6, seed=seed), codec="mpeg4")


def counts(videos):
    return dict(Counter(zip(videos.table["class_name"], videos.table["split"], strict=True)))


# HMDB51

FILMS = {"eat": "Heat_eat_u_nm_np1_fr_bad_{}", "brush_hair": "Up_2_brush_hair_f_cm_np10_le_med_{}"}


@pytest.fixture
def hmdb(tmp_path):
    """Two classes: videos 0 and 1 to train, 2 of another film to test, 3 left out."""
    for name, pattern in FILMS.items():
        stems = [pattern.format(n) for n in range(4)]
        stems[2] = stems[2].replace("Heat", "Alien").replace("Up_2", "Up_3")
        make(tmp_path / "videos" / name, *stems, suffix=".avi")
        lines = [f"{stem}.avi {mark} " for stem, mark in zip(stems, "1120", strict=True)]
        path = tmp_path / "videos/testTrainMulti_7030_splits" / f"{name}_test_split1.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return tmp_path / "videos"


def test_hmdb51_has_marks_films_and_files(hmdb):
    videos = datasets.hmdb51(hmdb)
    assert videos.classes == ("brush_hair", "eat") and videos.name == "hmdb51-split1"
    assert counts(videos) == {(c, s): n for c in FILMS for s, n in (("train", 2), ("test", 1))}
    assert list(videos.table.columns) == COLUMNS
    assert set(videos.table["group"]) == {"eat/Heat", "eat/Alien",
                                          "brush_hair/Up_2", "brush_hair/Up_3"}  # fmt: skip
    assert all(len(video.decode(path)) == 6 for path in videos.table["path"])


def test_hmdb51_can_train_on_the_rest_and_says_what_that_means(hmdb, capsys):
    videos = datasets.hmdb51(hmdb, rest=True)
    assert counts(videos)["eat", "train"] == 3
    assert "adds 2 training videos; 0 of them" in capsys.readouterr().out
    path = hmdb / "testTrainMulti_7030_splits/eat_test_split1.txt"
    path.write_text(path.read_text().replace("bad_3.avi 0", "bad_3.avi 2"))
    path.write_text(path.read_text().replace("bad_0.avi 1", "bad_0.avi 0"))
    path.write_text(path.read_text().replace("bad_1.avi 1", "bad_1.avi 0"))
    datasets.hmdb51(hmdb, rest=True)
    assert "adds 3 training videos; 2 of them" in capsys.readouterr().out


@pytest.mark.parametrize("split", [1, 2, 3])
def test_official_hmdb51_lists(shared_data, split):
    rows = hmdb51.read_split(shared_data / "splits/hmdb51", split)
    assert Counter(row["split"] for row in rows) == {"train": 3570, "test": 1530, "rest": 1666}
    assert len({row["class_name"] for row in rows}) == 51
    sides = {}
    for row in rows:
        sides.setdefault(row["group"], set()).add(row["split"])
    assert not any({"train", "test"} <= side for side in sides.values()), "films are kept apart"


@pytest.mark.parametrize(
    "line, says",
    [("Heat_eat_u_nm_np1_fr_bad_9.avi 3", "line 5: .* is not of the form"),
     ("Heat_eat_u_nm_np1_fr_bad_9.avi", "line 5: .* is not of the form"),
     ("Heat_eat_u_nm_np1_fr_bad_0.avi 1", "line 5: eat/Heat.*listed again; see .* line 1"),
     ("Heat_eat_u_nm_np1_fr_bad_9.avi 2", "line 5: group eat/Heat is also used for training"),
     ("Ran_eat_u_nm_np1_fr_bad_9.avi 1", "1 of 7 listed videos .* eat/Ran_eat")],
)  # fmt: skip
def test_a_wrong_hmdb51_line_is_named(hmdb, line, says):
    path = hmdb / "testTrainMulti_7030_splits/eat_test_split1.txt"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=says):
        datasets.hmdb51(hmdb)


def test_hmdb51_without_folder_lists_or_split_says_what_to_do(hmdb, tmp_path):
    with pytest.raises(DataError, match="none does not exist. Download"):
        datasets.hmdb51(tmp_path / "none")
    with pytest.raises(DataError, match=r"no \*_test_split2.txt in .*data.lists"):
        datasets.hmdb51(hmdb, split=2)


# Kinetics-400

CLIPS = {"train": ["aaaaaaaaaaa", "-b_bbbbbbbb", "ccccccccccc"], "val": ["ddddddddddd"]}


@pytest.fixture
def k400(tmp_path):
    """Lists of eight clips, seven of which exist, in two layouts of folders."""
    lines = {part: ["label,youtube_id,time_start,time_end,split"] for part in CLIPS}
    for part, webs in CLIPS.items():
        for name in ("arm wrestling", "hurling (sport)"):
            for web in webs:
                web = web[:-1] + name[0]
                lines[part].append(f'"{name}",{web},7,17,{part}')
                folder = tmp_path / (part if part == "val" else f"train_256/{name}")
                if web != "-b_bbbbbbbh":
                    make(folder, f"{web}_000007_000017")
        (tmp_path / f"{part}.csv").write_text("\n".join(lines[part]) + "\n")
    return tmp_path


def test_kinetics_refuses_missing_videos_unless_allowed(k400, capsys):
    with pytest.raises(DataError, match=r"1 of 8 listed .*hurling_\(sport\)/-b.*here 0.1250"):
        datasets.kinetics400(k400)
    with pytest.raises(DataError, match="data.allow_missing"):
        datasets.kinetics400(k400, allow_missing=0.1)
    videos = datasets.kinetics400(k400, allow_missing=0.125)
    assert "1 of 8 listed videos" in capsys.readouterr().out
    assert videos.missing == ("hurling_(sport)/-b_bbbbbbbh_000007_000017",)
    assert videos.classes == ("arm_wrestling", "hurling_(sport)")
    assert counts(videos) == {
        ("arm_wrestling", "train"): 3,
        ("arm_wrestling", "test"): 1,
        ("hurling_(sport)", "train"): 2,
        ("hurling_(sport)", "test"): 1,
    }
    assert videos.table.index.equals(videos.table.reset_index(drop=True).index)
    assert videos.table["label"].map(dict(enumerate(videos.classes))).eq(
        videos.table["class_name"]).all()  # fmt: skip


def test_a_label_list_may_name_missing_videos(k400, capsys):
    videos = datasets.kinetics400(k400, allow_missing=0.2)
    path = k400 / "labels.txt"
    path.write_text("hurling_(sport)/-b_bbbbbbbh_000007_000017.mp4 1\n"
                    "hurling_(sport)/aaaaaaaaaah_000007_000017.mp4 1\n"
                    "arm_wrestling/aaaaaaaaaaa_000007_000017.mp4 0\n")  # fmt: skip
    role = splits.roles(videos.table, 0.5, 0, label_list=path, missing=videos.missing)
    assert videos.table["video"][role == "labelled"].tolist() == [
        "arm_wrestling/aaaaaaaaaaa_000007_000017",
        "hurling_(sport)/aaaaaaaaaah_000007_000017",
    ]
    assert "1 videos of the list labels.txt are missing" in capsys.readouterr().out
    with pytest.raises(DataError, match="line 1: .* is not in the dataset"):
        splits.roles(videos.table, 0.5, 0, label_list=path)


def test_too_few_clips_of_a_class_are_refused_even_when_allowed(k400):
    for path in (k400 / "val").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no video of the class"):
        datasets.kinetics400(k400, allow_missing=0.9)


@pytest.mark.parametrize(
    "text, says",
    [("label,youtube_id\n", "train.csv line 1: the column time_start is missing"),
     ("label,youtube_id,time_start,time_end\na,b,1,2\n\na,c,x,2\n", "train.csv line 4: it needs"),
     ("label,youtube_id,time_start,time_end\na,b\n", "train.csv line 2: it needs"),
     ("label,youtube_id,time_start,time_end\na,b,1,2\na,b,1,2\n", "line 3: .*again; see .*line 2"),
     ("", "train.csv line 1: the column label")],
)  # fmt: skip
def test_a_wrong_kinetics_line_is_named(tmp_path, text, says):
    path = tmp_path / "train.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        kinetics.read_csv(path, "train")


# Folders of one's own


def test_class_folders_give_a_balanced_test_part_that_stays(tmp_path):
    make(tmp_path, *(f"{name}/{n}" for name in ("walk", "jump") for n in range(5)))
    videos = datasets.folder(tmp_path)
    assert counts(videos) == {(c, s): n for c in ("walk", "jump")
                              for s, n in (("train", 4), ("test", 1))}  # fmt: skip
    tests = set(videos.table["video"][videos.table["split"] == "test"])
    make(tmp_path, "hop/0", "hop/1")
    again = datasets.folder(tmp_path).table
    assert tests < set(again["video"][again["split"] == "test"]), "other classes change nothing"
    half = datasets.folder(tmp_path, classes=("walk",), test_fraction=0.5)
    assert counts(half) == {("walk", "train"): 3, ("walk", "test"): 2}
    assert len(splits.label_subset(half.table, 0.34, 0)) == 1


def test_train_and_test_folders_tell_the_split(tmp_path):
    make(tmp_path, "train/walk/a", "val/walk/a", "train/jump/b", "train/jump/c", "val/jump/d")
    videos = datasets.folder(tmp_path)
    assert counts(videos) == {("walk", "train"): 1, ("walk", "test"): 1,
                              ("jump", "train"): 2, ("jump", "test"): 1}  # fmt: skip
    path = tmp_path / "mine.txt"
    path.write_text("jump/c.mp4 1\ntrain/walk/a\n")  # found by its name, and by its whole path
    role = splits.roles(videos.table, 0.5, 0, label_list=path)
    assert sorted(videos.table["video"][role == "labelled"]) == ["train/jump/c", "train/walk/a"]


def test_a_csv_names_files_classes_splits_and_groups(tmp_path):
    make(tmp_path / "videos", "one", "sub/two", "three", "four")
    (tmp_path / "mine.csv").write_text(
        "path,label,split,group\none.mp4,go,train,g1\nsub/two.mp4,stop it,train,g2\n"
        'three.mp4,go,test,g3\n"four.mp4",stop it,test,g4\n'
    )
    videos = datasets.folder(tmp_path / "videos", tmp_path / "mine.csv")
    assert videos.classes == ("go", "stop it") and set(videos.table["group"]) == {
        "g1", "g2", "g3", "g4"}  # fmt: skip
    assert counts(videos)["stop it", "test"] == 1
    overrides = {"data.dataset": "folder", "data.root": str(tmp_path / "videos"),
                 "data.lists": str(tmp_path / "mine.csv"), "data.classes": None}  # fmt: skip
    assert datasets.load(load_profile("smoke", overrides)).table.equals(videos.table)


@pytest.mark.parametrize(
    "line, says",
    [("one.mp4,go,trian", "mine.csv line 4: split 'trian' is unknown"),
     ("one.txt,go,train", "line 4: one.txt is no video; allowed endings: .avi"),
     (",go,train", "line 4: it needs a path, and a label"),
     ("one.mp4,go,train", "line 4: one is listed again; see .* line 2"),
     ("six.mp4,go,train", "1 of 5 listed videos are not in .*: six"),
     ("three.mp4,go,train,g4", "line 5: group g4 is also used for training, in .*line 4")],
)  # fmt: skip
def test_a_wrong_csv_line_is_named(tmp_path, line, says):
    make(tmp_path, "one", "two", "three", "four")
    text = f"path,label,split,group\none.mp4,go,train,g1\ntwo.mp4,no,train,g2\n{line}\n"
    text += "four.mp4,go,test,g4\n" if "g4" in line else "three.mp4,go,test,g3\n"
    (tmp_path / "mine.csv").write_text(text + "four.mp4,no,test,g5\n" * ("g4" not in line))
    with pytest.raises(DataError, match=says):
        datasets.folder(tmp_path, tmp_path / "mine.csv")


def test_two_files_of_one_name_are_one_video_too_many(tmp_path):
    make(tmp_path, "walk/a", "walk/b", "jump/a", "jump/b")
    assert len(datasets.folder(tmp_path).table) == 4
    make(tmp_path, "walk/a", suffix=".avi")
    with pytest.raises(DataError, match=r"walk/a is listed again; see .*walk/a.avi, and keep one"):
        datasets.folder(tmp_path)


def test_folders_that_make_no_dataset_are_explained(tmp_path):
    with pytest.raises(DataError, match="none does not exist; set data.root"):
        datasets.folder(tmp_path / "none")
    with pytest.raises(DataError, match="no video .* below"):
        datasets.folder(tmp_path)
    make(tmp_path, "walk/a")
    with pytest.raises(DataError, match="class walk has one video only"):
        datasets.folder(tmp_path)
    make(tmp_path, "deep/er/walk/a")
    with pytest.raises(DataError, match="deep/er/walk/a.mp4 is neither in"):
        datasets.folder(tmp_path)
    with pytest.raises(DataError, match="is a folder; name a CSV file"):
        datasets.folder(tmp_path, tmp_path)


# Published lists


@pytest.mark.parametrize(
    "text, expected",
    [("A/v_A_g01_c01 120 0\nB/v_B 3 1\n", ["A/v_A_g01_c01", "B/v_B"]),
     ("A/x_000007_000017.mp4 256\n", ["A/x_000007_000017"]),
     ("/mnt/blob/videos/chew/#2_Gum_chew_h_nm_np1_fr_med_0.avi 3\n",
      ["/mnt/blob/videos/chew/#2_Gum_chew_h_nm_np1_fr_med_0"]),
     ("pumping fist/x y.mp4 256\n", ["pumping_fist/x_y"]),
     ("A/clip.avi,3\nclip_5\n", ["A/clip", "clip_5"]),
     ("path,label\nA/clip.avi,A\n", ["A/clip"]),
     ("label,youtube_id,time_start,time_end\ndo it,abc,1,11\n", ["do_it/abc_000001_000011"])],
)  # fmt: skip
def test_every_form_of_a_published_list(tmp_path, text, expected):
    path = tmp_path / "list.txt"
    path.write_text(text)
    assert [name for _, name in published.read_names(path)] == expected


@pytest.mark.parametrize("text, says", [("", "is empty"), ("label,x\na,b\n", "needs a column")])
def test_a_list_without_names_is_refused(tmp_path, text, says):
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        published.read_names(path)


@pytest.mark.parametrize("percent, labelled", [(40, 2094), (50, 2618), (60, 3141)])
def test_published_hmdb51_lists_need_the_rest(shared_data, percent, labelled):
    """The published lists draw from all 5236 videos that are not for testing."""
    table = pd.DataFrame(hmdb51.read_split(shared_data / "splits/hmdb51", 1))
    name = f"hmdb51_train_{percent}_percent_labeled_split_1_rawframes.txt"
    path = shared_data / "splits/videossl/hmdb51/videossl_splits" / name
    role = splits.roles(table.replace({"split": {"rest": "train"}}), 0.4, 0, label_list=path)
    assert role.value_counts().to_dict() == {
        "labelled": labelled, "unlabelled": 5236 - labelled, "test": 1530}  # fmt: skip
    official = table[table["split"] != "rest"].reset_index(drop=True)
    with pytest.raises(DataError, match=r"data\.rest"):
        splits.roles(official, 0.4, 0, label_list=path)


@pytest.mark.parametrize("percent, entries", [(1, 2400), (10, 24000)])
def test_both_forms_of_the_published_kinetics_lists_agree(shared_data, percent, entries):
    folder = shared_data / "splits/videossl/kinetics400/videossl_splits"
    forms = [{name for _, name in published.read_names(
        folder / f"kinetics400_train_{percent}_percent_labeled_{form}.txt")}
        for form in ("rawframes", "videos")]  # fmt: skip
    assert forms[0] == forms[1] and len(forms[0]) == entries

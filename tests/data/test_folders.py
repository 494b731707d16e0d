"""Folders and lists as people really have them: nothing vanishes, leaks or is taken for a class."""

import csv
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tblib.data import copies, datasets, info, splits, testpart
from tblib.data.folder import folder
from tblib.data.pool import Pool
from tblib.data.walk import SUFFIXES, walk
from tblib.errors import ConfigError, DataError
from tblib.settings.profiles import load_profile


def make(root: Path, *names: str, content: str | None = None) -> None:
    """Write files that only their names tell from videos; reading them is another test's matter."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or f"content of {name}")


@pytest.fixture
def root(tmp_path):
    """Two classes of five videos."""
    make(tmp_path / "videos", *(f"{c}/{c}_{n}.mp4" for c in ("run", "walk") for n in range(5)))
    return tmp_path / "videos"


def said(videos, **options) -> str:
    data = load_profile("smoke", {"data.classes": None} | options).data
    return info.describe(videos, data, 0)


# What is left out is counted


def test_folders_of_systems_are_no_classes_and_are_counted(root):
    make(root, ".ipynb_checkpoints/run_0.mp4", ".thumbnails/t.mp4", "@eaDir/x.mp4",
         "run/.ipynb_checkpoints/a.mp4", "run/.hidden.mp4", "walk/notes.txt",
         "run/poster.gif")  # fmt: skip
    videos = folder(root)
    assert videos.classes == ("run", "walk") and len(videos.table) == 10
    text = said(videos)
    assert "not taken: 4 hidden and system folders: '.ipynb_checkpoints', " in text
    assert "not taken: 1 hidden files: '.hidden.mp4'" in text
    assert "not taken: 1 files without the ending of a video (.txt): 'notes.txt'" in text
    assert "(.gif): 'poster.gif'" in text


@pytest.mark.parametrize("suffix", ["m4v", "mpg", "MPEG", "wmv", "3gp", "MTS", "AVI", "flv", "ts"])
def test_every_ending_of_a_video_is_taken_in_any_case(root, suffix):
    make(root, *(f"jump/{n}.{suffix}" for n in range(3)))
    videos = folder(root)
    assert videos.classes == ("jump", "run", "walk") and len(videos.table) == 13


def test_a_folder_that_cannot_be_read_is_a_sentence(root, monkeypatch):
    def walked(top, onerror):
        onerror(PermissionError(13, "Permission denied", str(top / "run")))
        yield from ()

    monkeypatch.setattr(os, "walk", walked)
    with pytest.raises(DataError, match="run cannot be read .Permission denied.; allow"):
        walk(root)


def test_a_name_that_is_not_utf8_is_a_sentence(root):
    (root / os.fsdecode(b"run/caf\xe9.mp4")).write_text("x")
    with pytest.raises(DataError, match=r"caf\\xe9.mp4 is not UTF-8; rename"):
        folder(root)


# Links


@pytest.mark.parametrize("link, to", [("latest", "."), ("run/all", ".."), ("up", "../.."),
                                      ("stroll", "walk"), ("run/deep", "../walk")])  # fmt: skip
def test_a_link_to_what_is_read_anyway_adds_nothing(root, link, to):
    (root / link).symlink_to(to)
    videos = folder(root)
    assert videos.classes == ("run", "walk") and len(videos.table) == 10
    assert "1 links to folders that are read anyway" in said(videos)


def test_a_class_folder_may_be_a_link_to_another_disk(root, tmp_path):
    make(tmp_path / "disk", *(f"{n}.mp4" for n in range(3)))
    (root / "jump").symlink_to(tmp_path / "disk")
    assert folder(root).classes == ("jump", "run", "walk")
    (tmp_path / "disk" / "round").symlink_to(root)
    assert len(folder(root).table) == 13


# Identity is content


def test_copies_in_a_class_count_once_and_are_said(root):
    for name in ("run", "walk"):
        for n in range(5):
            for copy in (f"{name}_{n} (1).mp4", f"Copy of {name}_{n}.mp4"):
                (root / name / copy).write_bytes((root / name / f"{name}_{n}.mp4").read_bytes())
    videos = folder(root)
    assert len(videos.table) == 10 and len(videos.copies) == 20
    assert "not taken: 20 copies of other videos" in said(videos)
    files = [Path(path).read_text() for path in videos.table["path"]]
    assert len(set(files)) == 10, "no content is in training and in testing"


@pytest.mark.parametrize("how", ["copy", "link", "hard link"])
def test_one_content_in_two_classes_is_refused_with_both_names(root, how):
    made, new = root / "run" / "run_0.mp4", root / "walk" / "other name.mp4"
    {"copy": lambda: new.write_bytes(made.read_bytes()), "link": lambda: new.symlink_to(made),
     "hard link": lambda: new.hardlink_to(made)}[how]()  # fmt: skip
    with pytest.raises(DataError, match="run_0.mp4 and .*other name.mp4 are the same .*'run' and"):
        folder(root)


def test_one_content_on_two_sides_is_refused_with_both_names(tmp_path):
    make(
        tmp_path, *(f"{part}/{c}/{n}.mp4" for part in ("train", "test") for c in "ab" for n in "12")
    )
    make(tmp_path, "train/a/new.mp4", content="content of test/a/1.mp4")
    with pytest.raises(DataError, match="train/a/new.mp4 .*are the same video.*for test"):
        folder(tmp_path)


LIST = "path,label,split\na/0.mp4,a,train\na/1.mp4,a,test\nb/0.mp4,b,train\nb/1.mp4,b,test\n"


def listed(root: Path, line: str = "", **options):
    make(root, "a/0.mp4", "a/1.mp4", "b/0.mp4", "b/1.mp4")
    (root / "list.csv").write_text(LIST + line)
    return folder(root, root / "list.csv", **options)


@pytest.mark.parametrize("spelling", ["./a/0.mp4", "a//0.mp4", "b/../a/0.mp4", "a/./0.mp4"])
def test_one_file_under_two_spellings_is_listed_twice(tmp_path, spelling):
    with pytest.raises(DataError, match="line 6: a/0 is listed again; see .*line 2"):
        listed(tmp_path, f"{spelling},a,test\n")


@pytest.mark.parametrize(
    "path", ["../x.mp4", "a/../../x.mp4", "/etc/x.mp4", "b/../../videos2/x.mp4"]
)
def test_no_path_of_a_list_leads_out_of_the_folder(tmp_path, path):
    make(tmp_path, "x.mp4", "videos2/x.mp4")
    with pytest.raises(DataError, match="line 6: .* leads out of .*; set data.root"):
        listed(tmp_path / "videos", f"{path},a,train\n")


def test_names_that_look_alike_are_the_same(tmp_path):
    """A Mac writes `ü` as two characters, most lists as one; endings may be in capitals."""
    rows = ["path,label,split"]
    for c in ("gehen", "hüpfen"):
        for n, part in enumerate(("train", "train", "test")):
            name = f"{c}/müde_{n}"
            make(tmp_path, unicodedata.normalize("NFD", f"{name}.MP4"))
            rows.append(unicodedata.normalize("NFC", f"{name}.mp4,{c},{part}"))
    (tmp_path / "list.csv").write_text("\n".join(rows), encoding="utf-8")
    videos = folder(
        tmp_path, tmp_path / "list.csv", classes=[unicodedata.normalize("NFD", "hüpfen")]
    )
    assert len(videos.table) == 3 and all(Path(path).is_file() for path in videos.table["path"])
    assert folder(tmp_path).classes == ("gehen", "hüpfen")


def test_lists_of_ucf101_find_files_with_endings_in_capitals(tiny_root, tmp_path):
    for path in tiny_root.glob("*/*"):
        to = tmp_path / path.relative_to(tiny_root)
        to.parent.mkdir(exist_ok=True)
        (to.with_suffix(".AVI") if path.suffix == ".avi" else to).symlink_to(path)
    assert len(datasets.ucf101(tmp_path).table) == 16


ODD = [" lead.mp4", "trail .mp4", "a\rb.mp4", "a\nb.mp4", 'say "hi".mp4', "a,b.mp4", "x\u2028.mp4",
       "NA.mp4", "007.mp4", "#1.mp4", "it's.mp4"]  # fmt: skip


def test_a_csv_finds_files_of_odd_names(tmp_path):
    make(tmp_path, *(f"{c}/{name}" for c in "ab" for name in ODD))
    with (tmp_path / "list.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, quoting=csv.QUOTE_ALL)
        out.writerow(["path", "label", "split"])
        for c in "ab":
            out.writerows(
                [f"{c}/{name}", c, ("train", "test")[n % 2]] for n, name in enumerate(ODD)
            )
    videos = folder(tmp_path, tmp_path / "list.csv")
    assert len(videos.table) == 2 * len(ODD)
    assert {Path(path).name for path in videos.table["path"]} == set(ODD)


def test_a_line_after_a_cell_of_two_lines_is_named_by_its_number(tmp_path):
    make(tmp_path, "a/x\ny.mp4")
    with pytest.raises(DataError, match="line 8: split 'tset' is unknown"):
        listed(tmp_path, '"a/x\ny.mp4",a,train\nb/0.mp4,b,tset\n')


# Three parts, videos without a class, groups


def test_three_parts_are_three(tmp_path):
    sizes = {"train": 4, "val": 3, "test": 2}
    make(
        tmp_path, *(f"{p}/{c}/{p}{n}.mp4" for p, k in sizes.items() for c in "ab" for n in range(k))
    )
    videos = folder(tmp_path)
    role = splits.roles(videos.table, 0.5, 0)
    assert role.value_counts().to_dict() == {"val": 6, "unlabelled": 4, "labelled": 4, "test": 4}
    assert "train  val  test" in said(videos) and "validation part" not in said(videos)


def test_validation_in_the_place_of_testing_is_said(tmp_path):
    make(tmp_path, *(f"{p}/{c}/{n}.mp4" for p in ("train", "val") for c in "ab" for n in range(3)))
    videos = folder(tmp_path)
    assert videos.table["split"].value_counts().to_dict() == {"train": 6, "test": 6}
    assert "note: there is no part for testing, so the validation part is used" in said(videos)


@pytest.mark.parametrize("form", ["classes", "parts", "csv"])
def test_videos_without_a_class_are_unlabelled_training_videos(tmp_path, form):
    if form == "csv":
        make(tmp_path, *(f"own/{n}.mp4" for n in range(4)))
        lines = "".join(f"own/{n}.mp4,,{'train' if n % 2 else ''}\n" for n in range(4))
        videos = listed(tmp_path, lines)
        labels = {"data.label_fraction": 1.0}
    else:
        top = "train/" if form == "parts" else ""
        make(tmp_path, *(f"{top}{c}/{n}.mp4" for c in "ab" for n in range(4)))
        make(
            tmp_path,
            "unlabelled/x.mp4",
            "unlabelled/deep/er/y.mp4",
            f"{top}unlabelled/z.mp4",
            "unlabeled/w.mp4",
        )
        if form == "parts":
            make(tmp_path, *(f"test/{c}/t{n}.mp4" for c in "ab" for n in range(2)))
        videos = folder(tmp_path)
        labels = {"data.label_fraction": 1.0}
    assert videos.classes == ("a", "b")
    table = videos.table
    own = table["class_name"] == ""
    assert (
        own.sum() == 4
        and (table["label"][own] == -1).all()
        and (table["split"][own] == "train").all()
    )
    role = splits.roles(table, 1.0, 0)
    assert (role[own] == "unlabelled").all() and (role == "unlabelled").sum() == 4
    splits.need_unlabelled(role)
    text = said(videos, **labels)
    assert "(no class)" in text and "labels:" not in text


def test_a_line_without_a_class_cannot_be_for_testing(tmp_path):
    with pytest.raises(DataError, match="line 6: it needs a path, and a label unless"):
        listed(tmp_path, "own/1.mp4,,test\n")


def test_pools_measure_only_where_a_class_is_known():
    roles = np.array(["labelled", "unlabelled", "unlabelled", "spare", "test"])
    pool = Pool(None, np.array([0, 1, -1, 1, 0]), __import__("pandas").Series(roles))
    assert pool.rows("train").tolist() == [0, 1, 2, 3]
    assert pool.rows("known").tolist() == [0, 1, 3]
    assert pool.rows("checked").tolist() == [1]
    nobody = Pool(None, np.array([0, -1, -1, 1, 0]), __import__("pandas").Series(roles))
    assert nobody.rows("checked").tolist() == [4], "the test videos, where no other class is known"


def test_without_groups_it_is_said_that_people_may_be_on_both_sides(root):
    assert "note: each video counts as a group of its own" in said(folder(root))


def test_a_pattern_finds_groups_and_keeps_them_on_one_side(tmp_path):
    make(tmp_path, *(f"{c}/{actor}_{c}_{n}.mp4" for c in ("run", "walk", "wave")
                     for actor in ("anna", "ben", "cem", "dora") for n in range(2)))  # fmt: skip
    videos = folder(tmp_path, group_pattern="(?P<group>[^_]+)_")
    assert set(videos.table["group"]) == {"anna", "ben", "cem", "dora"}
    sides = videos.table.groupby("group")["split"].nunique()
    assert (sides == 1).all() and "note:" not in said(videos)
    assert (videos.table.groupby(["class_name", "split"]).size() > 0).all()
    make(tmp_path, "run/nobody.mp4")
    with pytest.raises(DataError, match="finds no group in 'nobody'; make it fit every name"):
        folder(tmp_path, group_pattern="(?P<group>[^_]+)_")


@pytest.mark.parametrize(
    "pattern, says", [("(a", "no regular expression"), ("a+", "part named gr")]
)
def test_a_pattern_without_a_group_is_refused(pattern, says):
    with pytest.raises(ConfigError, match=f"data.group_pattern.*{says}"):
        load_profile("smoke", {"data.group_pattern": pattern})


# Properties

NAMES = st.text(st.characters(blacklist_characters="/\0\\", codec="utf-8"), min_size=1, max_size=12)


@given(st.dictionaries(NAMES, st.sampled_from(SUFFIXES), min_size=3, max_size=6))
@settings(max_examples=60, deadline=None)
def test_whatever_a_file_is_called_it_is_taken_or_counted(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("r")
    for name, suffix in names.items():
        make(root / "a", f"v{name}{suffix}")
    seen = walk(root)
    files = len(list((root / "a").iterdir()))
    assert len(seen.files) + sum(map(len, seen.left.values())) == files


GROUPS = st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=9)


@given(st.lists(GROUPS, min_size=1, max_size=5), st.floats(0.05, 0.9))
@settings(max_examples=100, deadline=None)
def test_a_drawn_test_part_never_cuts_a_group(classes, fraction):
    rows = [
        {"video": f"{k}/{n}", "class_name": f"c{k}", "group": g, "split": None, "at": f"{k}/{n}"}
        for k, groups in enumerate(classes)
        for n, g in enumerate(groups)
    ]
    try:
        drawn = testpart.draw(rows, fraction)
    except DataError as error:
        assert "only" in str(error)
        return
    sides = {}
    for row in drawn:
        sides.setdefault(row["group"], set()).add(row["split"])
    assert all(len(side) == 1 for side in sides.values())
    for name in {row["class_name"] for row in rows}:
        assert "train" in {row["split"] for row in drawn if row["class_name"] == name}


def test_files_of_one_size_are_told_apart_by_content(tmp_path):
    make(tmp_path, "a.mp4", content="12345")
    make(tmp_path, "b.mp4", "c.mp4", content="54321")
    same = copies.alike([str(tmp_path / f"{n}.mp4") for n in "abc"])
    assert same == [[str(tmp_path / "b.mp4"), str(tmp_path / "c.mp4")]]

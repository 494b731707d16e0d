"""The UCF101 lists: read as they are published, refused with file and line where they are wrong."""

import pytest

from tblib.data import lists
from tblib.errors import DataError

KNOWN = {"Walk": 1, "Jump": 2}
GOOD = "Walk/v_Walk_g02_c01.avi 1"


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode(encoding))
    return path


def test_windows_line_ends_byte_order_mark_and_blank_lines(tmp_path):
    path = write(tmp_path, f"{GOOD}\r\n\r\n  Jump/v_Jump_g03_c02.avi   2 \r\n", "utf-8-sig")
    rows = lists.read_list(path, "train", KNOWN)
    assert [row["video"] for row in rows] == ["Walk/v_Walk_g02_c01", "Jump/v_Jump_g03_c02"]
    assert rows[1] == {
        "video": "Jump/v_Jump_g03_c02",
        "class_name": "Jump",
        "group": "Jump/g03",
        "split": "train",
        "at": f"{path} line 3",
    }


def test_class_list(tmp_path):
    assert lists.read_classes(write(tmp_path, "1 Walk\r\n2 Jump\r\n")) == KNOWN


@pytest.mark.parametrize("text", ["1 Walk\nJump\n", "1 Walk\n2\n", "1 Walk\n1 Jump\n",
                                  "1 Walk\n2 Walk\n", "1 Walk\ntwo Jump\n"])  # fmt: skip
def test_bad_class_list_names_line_2(tmp_path, text):
    with pytest.raises(DataError, match="line 2"):
        lists.read_classes(write(tmp_path, text))


@pytest.mark.parametrize(
    "line, says",
    [
        ("Walk/v_Walk_g02_c02.avi 2", "has number 2, not 1"),
        ("Walk/v_Walk_g02_c02.avi", "no class number"),
        ("Wolk/v_Walk_g02_c02.avi 1", "'Wolk' is not in classInd.txt"),
        ("../v_Walk_g02_c02.avi 1", "is not in classInd.txt"),
        ("Walk/Walk.avi 1", "is not of the form"),
        ("v_Walk_g02_c02.avi 1", "is not of the form"),
        ("Walk/v_Walk_g02_c02.avi one", "is not of the form"),
        (GOOD, "is listed again"),
    ],
)
def test_bad_line_is_named(tmp_path, line, says):
    with pytest.raises(DataError, match="line 3") as caught:
        lists.read_list(write(tmp_path, f"{GOOD}\n\n{line}\n"), "train", KNOWN)
    assert says in str(caught.value)


def test_test_list_needs_no_numbers(tmp_path):
    rows = lists.read_list(write(tmp_path, "Jump/v_Jump_g01_c01.avi\n"), "test", KNOWN)
    assert rows[0]["class_name"] == "Jump"


def test_missing_and_binary_lists(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        lists.read_lines(tmp_path / "none.txt")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="cannot be read as text"):
        lists.read_lines(tmp_path / "b.txt")

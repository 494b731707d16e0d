"""Data and pictures of figures that answer, and tables that can be taken along."""

import csv
import json
import sys

import cv2
import numpy as np
import pytest
from smoke import ROOT

sys.path.insert(0, str(ROOT / "book"))
import alive  # noqa: E402
import tables  # noqa: E402

from tblib.data import stickactions, video  # noqa: E402


def test_a_video_drawn_again_is_that_video(tmp_path):
    size = {"train_groups": 1, "test_groups": 1, "clips_per_group": 1, "frames": (24, 24)}
    stickactions.build(tmp_path, px=64, seed=3, classes=["Rowing"], workers=1, **size)

    def difference(written, drawn):
        large = alive.drawn_again(f"Rowing/v_Rowing_{drawn}", 24, seed=3)
        small = [cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA) for frame in large]
        read = video.decode(tmp_path / "Rowing" / f"v_Rowing_{written}.mp4")
        return np.abs(np.stack(small).astype(float) - np.asarray(read, float)).mean()

    assert difference("g01_c01", "g01_c01") < 6  # noise and compression
    assert difference("g01_c01", "g02_c01") > 20


def test_a_moving_picture_holds_its_frames_side_by_side(tmp_path):
    frames = np.zeros((50, 16, 16, 3), np.uint8)
    frames[..., 0] = np.linspace(0, 250, 50)[:, None, None]  # red rises
    told = alive.sprite(frames, tmp_path / "x.webp")
    assert told == {"file": "x.webp", "frames": 32, "seconds": 2.0}
    wide = cv2.imread(str(tmp_path / "x.webp"))[..., ::-1]
    assert wide.shape == (16, 32 * 16, 3)
    red = wide[8, 8::16, 0].astype(float)
    assert red[0] < 20 and red[-1] > 230 and (np.diff(red) > 0).all()


def test_data_cannot_end_its_script_element():
    text = alive.data_script({"name": "</script><b>"})
    assert text.count("</") == 1
    inner = text.partition(">")[2].rpartition("</script>")[0]
    assert json.loads(inner) == {"name": "</script><b>"}


def test_a_table_has_a_file_with_every_digit(tmp_path):
    text = tables.sortable("One: Two", ["a", "b"], [["x|y", 1.23456], [None, 2]], tmp_path)
    assert "x\\|y | 1.235 |" in text and "<tables/one-two.csv>" in text
    with (tmp_path / "tables" / "one-two.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], ["x|y", "1.23456"], ["", "2"]]
    with pytest.raises(FileExistsError):
        tables.sortable("One two", ["a"], [], tmp_path)

"""StickActions: real files, reproducible to the byte, with ground truth that matches the pixels."""

from __future__ import annotations

import hashlib
import json
import re
import shutil

import av
import cv2
import numpy as np
import pytest

from tblib.data import stickactions
from tblib.data.stickactions import look, one, render, truth
from tblib.errors import ConfigError, DataError
from tblib.settings.profiles import load_profile

SMALL = {"px": 32, "train_groups": 2, "test_groups": 1, "clips_per_group": 2, "frames": (20, 26)}
TWO = ("PlayingPiano", "LieDown")
PHASED = [c for c in stickactions.CLASSES if stickactions.FAMILY[c] == "phased"]
PERSISTENT = [c for c in stickactions.CLASSES if stickactions.FAMILY[c] == "persistent"]
ORDERS = [c for c in stickactions.FAMILY if c not in stickactions.CLASSES]


def pictures(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def fingerprints(folder) -> dict[str, str]:
    files = [f for f in folder.rglob("*") if f.is_file()]
    return {
        f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sticks")
    stickactions.build(folder, classes=TWO, workers=1, **SMALL)
    return folder


def test_there_are_ten_classes_of_each_family():
    assert len(PHASED) == len(PERSISTENT) == 10
    assert tuple(stickactions.FAMILY)[:20] == stickactions.CLASSES


def test_ten_more_phased_classes_show_the_same_sub_actions_in_ten_orders():
    assert len(ORDERS) == 10 and {stickactions.FAMILY[name] for name in ORDERS} == {"phased"}
    orders = set()
    for name in ORDERS:
        made = stickactions.sample(name, px=32, frames=72, seed=1)
        changes = np.flatnonzero(np.diff(made.phase, prepend=-1))
        orders.add(tuple(made.meta["phases"][k] for k in made.phase[changes]))
        assert name.lower() == "".join(made.meta["phases"])
    assert len(orders) == 10
    assert {frozenset(order) for order in orders} == {frozenset({"raise", "star", "bow", "sit"})}


def test_files_decode_to_the_promised_size_and_length(dataset):
    videos = sorted(dataset.rglob("*.mp4"))
    assert len(videos) == 2 * 3 * 2
    for video in videos:
        frames, known = pictures(video), stickactions.ground_truth(video)
        assert frames.shape[1:] == (32, 32, 3)
        assert 20 <= len(frames) <= 26
        assert len(frames) == len(known["phase"]) == len(known["mask"])
        assert known["flow"].shape == (len(frames) - 1, 32, 32, 2)
        assert known["meta"]["class"] in TWO
        assert known["family"] == stickactions.FAMILY[known["meta"]["class"]]
    with av.open(str(videos[0])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate) == ("h264", 25)
        assert stream.pix_fmt == "yuv420p"


def test_lists_are_ucf_lists_and_groups_do_not_cross(dataset):
    index = dict(line.split()[::-1] for line in (dataset / "classInd.txt").read_text().splitlines())
    assert index == {"PlayingPiano": "1", "LieDown": "2"}
    train = [line.split() for line in (dataset / "trainlist01.txt").read_text().splitlines()]
    test = (dataset / "testlist01.txt").read_text().split()
    assert (len(train), len(test)) == (8, 4)
    assert all(index[path.split("/")[0]] == label for path, label in train)
    pattern = re.compile(r"(\w+)/v_\1_g(\d\d)_c(\d\d)\.mp4")
    groups = [
        {pattern.fullmatch(p).group(1, 2) for p in side} for side in ([p for p, _ in train], test)
    ]
    assert groups[0].isdisjoint(groups[1])
    assert {g for _, g in groups[1]} == {"01"}
    assert {g for _, g in groups[0]} == {"02", "03"}
    listed = {p for p, _ in train} | set(test)
    assert listed == {v.relative_to(dataset).as_posix() for v in dataset.rglob("*.mp4")}


def test_other_workers_and_other_classes_give_the_same_bytes(dataset, tmp_path):
    stickactions.build(tmp_path / "two", classes=TWO[::-1], workers=2, **SMALL)
    assert fingerprints(tmp_path / "two") == fingerprints(dataset)
    stickactions.build(tmp_path / "one", classes=["LieDown"], workers=1, **SMALL)
    ours, whole = fingerprints(tmp_path / "one"), fingerprints(dataset)
    videos = [f for f in ours if f.startswith("LieDown/")]
    assert len(videos) == 12
    assert all(ours[f] == whole[f] for f in videos)


def test_another_seed_gives_other_videos(dataset, tmp_path):
    stickactions.build(tmp_path, classes=TWO, workers=1, seed=1, **SMALL)
    ours, theirs = fingerprints(tmp_path), fingerprints(dataset)
    assert not any(ours[f] == theirs[f] for f in ours if f.endswith(".mp4"))


def test_a_lost_or_damaged_file_is_made_again_and_only_that_one(dataset, tmp_path):
    stickactions.build(tmp_path, classes=["LieDown"], workers=1, **SMALL)
    before, videos = fingerprints(tmp_path), sorted(tmp_path.rglob("*.mp4"))
    videos[0].unlink()
    videos[1].write_bytes(videos[1].read_bytes()[:300])
    truth_file = videos[2].with_suffix(".npz")
    truth_file.write_bytes(truth_file.read_bytes()[:200])
    untouched = videos[3].stat().st_mtime_ns
    stickactions.build(tmp_path, classes=["LieDown"], workers=1, **SMALL)
    assert fingerprints(tmp_path) == before
    assert videos[3].stat().st_mtime_ns == untouched
    assert json.loads((tmp_path / "dataset.json").read_text())["complete"] is True


def test_a_folder_with_other_parameters_is_refused(dataset):
    before = fingerprints(dataset)
    with pytest.raises(DataError, match="other px; choose another folder"):
        stickactions.build(dataset, classes=TWO, workers=1, **SMALL | {"px": 34})
    assert fingerprints(dataset) == before


def test_a_folder_made_before_videos_could_share_things_goes_on_and_is_not_mixed(dataset, tmp_path):
    folder = tmp_path / "older"
    shutil.copytree(dataset, folder)
    note = json.loads((folder / "dataset.json").read_text())
    del note["parameters"]["one_actor"], note["parameters"]["one_gym"]
    (folder / "dataset.json").write_text(json.dumps(note))
    for shared, named in (({}, "one_actor"), ({"one_gym": True}, "one_actor, one_gym")):
        with pytest.raises(DataError, match=f"other {named}; choose another folder"):
            stickactions.build(folder, classes=TWO, workers=1, one_actor=True, **shared, **SMALL)
    stickactions.build(folder, classes=TWO, workers=1, **SMALL)
    assert fingerprints(folder) == fingerprints(dataset)


@pytest.mark.parametrize("change, message", [
    ({"px": 33}, "even"), ({"frames": (30, 20)}, "least"), ({"classes": []}, "no video"),
    ({"train_groups": -1}, "train_groups"),
    ({"classes": ["PlayingPian"]}, "did you mean 'PlayingPiano'"),
])  # fmt: skip
def test_impossible_requests_are_refused_in_one_sentence(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        stickactions.build(tmp_path, workers=1, **{"classes": TWO} | SMALL | change)
    assert not list(tmp_path.rglob("*.mp4"))


def test_an_unknown_class_and_a_missing_truth_are_named(tmp_path):
    with pytest.raises(DataError, match="did you mean 'LieDown'"):
        stickactions.sample("LayDown")
    with pytest.raises(DataError, match="nothing.npz does not exist"):
        stickactions.ground_truth(tmp_path / "nothing.mp4")


def test_clips_of_a_group_share_the_look_and_differ_in_the_motion(dataset):
    def known(group, clip):
        return stickactions.ground_truth(dataset / f"LieDown/v_LieDown_g{group}_c{clip}.mp4")[
            "meta"
        ]

    first, second, other = known("01", "01"), known("01", "02"), known("02", "01")
    assert first["look"] == second["look"] != other["look"]
    assert first["key_frames"] != second["key_frames"]


@pytest.mark.parametrize("name", stickactions.FAMILY)
def test_every_class_shows_a_person_of_sane_size(name):
    made = stickactions.sample(name, px=32, frames=72, seed=3)
    assert made.frames.shape == (72, 32, 32, 3) and made.frames.dtype == np.uint8
    area = made.mask.mean((1, 2))
    assert np.all((area > 0.02) & (area < 0.3)), area
    assert np.isfinite(made.flow).all() and np.abs(made.flow).max() < 12
    assert made.phase.min() >= 0 and made.phase.max() < len(made.meta["phases"])


@pytest.mark.parametrize("name", ["KneelReach", "WaveBowJump", "DrumKit"])
def test_what_changes_between_frames_is_where_the_mask_says(name):
    scene, frames, layer = clean(name, 48, drift=0.0)
    mask = truth.actor_mask(layer, np.array(scene.stage.actor))
    change = np.abs(np.diff(frames.astype(np.int16), axis=0)).sum(-1)
    moving = mask[1:] | mask[:-1]
    assert change[moving].mean() > 8 * change[~moving].mean()


def clean(name, px, drift=None, frames=40):
    """Compose and paint without sensor noise; `drift=0` holds the camera still."""
    scene = one.scene(name, 5, 1, 1, frames)
    if drift == 0.0:
        scene.camera[:] = scene.camera[0]
    return scene, *render.paint(scene, px)


@pytest.mark.parametrize("name", ["RunCartwheel", "PickUpThrow", "SwingSet", "Treadmill"])
def test_flow_carries_each_frame_into_the_next(name):
    scene, frames, layer = clean(name, 96)
    flow = truth.dense_flow(layer, render.motions(scene, 96))
    mask = truth.actor_mask(layer, np.array(scene.stage.actor))
    y, x = np.mgrid[0:96, 0:96].astype(np.float32)
    still, warped = [], []
    for t in range(len(flow)):
        where = mask[t] & (np.hypot(*flow[t].transpose(2, 0, 1)) > 0.7)
        source = cv2.remap(
            frames[t + 1], x + flow[t, ..., 0], y + flow[t, ..., 1], cv2.INTER_LINEAR
        )
        now = frames[t].astype(int)[where]
        still.append(np.abs(frames[t + 1].astype(int)[where] - now).mean(-1))
        warped.append(np.abs(source.astype(int)[where] - now).mean(-1))
    still, warped = np.concatenate(still), np.concatenate(warped)
    assert len(still) > 1000
    assert warped.mean() < 0.5 * still.mean()


def test_background_flow_is_the_camera_drift():
    scene, _, layer = clean("LieDown", 64)
    flow = truth.dense_flow(layer, render.motions(scene, 64))
    corner = np.array([[-0.3, 1.0, 1.0]]).T
    at = (scene.camera @ corner)[..., 0] * 64
    x, y = (int(v) for v in at[0])
    assert layer[0, y, x] == 0
    np.testing.assert_allclose(flow[0, y, x], at[1] - at[0], atol=0.05)


@pytest.mark.parametrize("name", PHASED)
def test_phases_come_in_order_and_all_appear(name):
    made = stickactions.sample(name, px=16, frames=72, seed=2)
    steps = np.diff(made.phase)
    assert set(steps) <= {0, 1}
    assert len(set(made.phase)) == len(made.meta["phases"]) >= 3


def test_pairs_of_classes_share_their_sub_actions():
    for one_way, other_way in (("WaveBowJump", "JumpBowWave"), ("KneelReach", "ReachKneel")):
        there, back = (
            stickactions.sample(n, px=16, frames=40).meta["phases"] for n in (one_way, other_way)
        )
        assert sorted(there) == sorted(back) and there != back


def drift_over_time(name, seed):
    """Mean distance between the pictures averaged over the four quarters of a video."""
    frames = stickactions.sample(name, px=32, frames=64, seed=seed).frames.astype(float)
    quarters = np.stack([q.mean(0) for q in np.split(frames, 4)])
    return np.abs(quarters[:, None] - quarters[None]).mean()


def test_persistent_videos_look_alike_over_time_and_phased_ones_do_not():
    alike = [drift_over_time(n, s) for n in PERSISTENT for s in (0, 1)]
    changing = [drift_over_time(n, s) for n in PHASED for s in (0, 1)]
    assert np.mean(changing) > 1.5 * np.mean(alike), (np.mean(changing), np.mean(alike))


def test_clothes_differ_in_brightness_from_the_scene():
    for seed in range(20):
        made = stickactions.sample("GetUp", px=64, frames=8, seed=seed).meta["look"]
        luma = {k: np.dot(made[k], [0.299, 0.587, 0.114]) for k in ("wall", "shirt", "trousers")}
        assert min(abs(luma["wall"] - luma[k]) for k in ("shirt", "trousers")) > 60


def test_one_actor_plays_in_every_scene(dataset, tmp_path):
    person = ("skin", "hair", "hair_style", "build", "leg", "head", "trim", "long_sleeves")
    stickactions.build(tmp_path, classes=TWO, workers=1, one_actor=True, **SMALL)
    paths = [path.relative_to(tmp_path) for path in sorted(tmp_path.rglob("*.mp4"))]
    own = [stickactions.ground_truth(dataset / path)["meta"]["look"] for path in paths]
    one_actor = [stickactions.ground_truth(tmp_path / path)["meta"]["look"] for path in paths]
    assert len({str([worn[k] for k in person]) for worn in own}) == 6  # groups
    assert len({str([worn[k] for k in person]) for worn in one_actor}) == 1
    for k in ("wall", "floor", "gear", "pattern", "light", "texture"):
        assert [a[k] for a in one_actor] == [b[k] for b in own]


def test_one_gym_is_the_room_of_all_persistent_videos_and_of_no_other(tmp_path):
    room = ("pattern", "wall", "mark", "floor", "gear", "texture")
    names = ("PlayingPiano", "SwingSet", "LieDown")
    stickactions.build(tmp_path, classes=names, workers=1, one_actor=True, one_gym=True, **SMALL)
    videos = {name: sorted((tmp_path / name).glob("*.mp4")) for name in names}
    looks = {name: [stickactions.ground_truth(path)["meta"]["look"] for path in videos[name]]
             for name in names}  # fmt: skip
    rooms = {name: {str([seen[k] for k in room]) for seen in looks[name]} for name in names}
    assert rooms["PlayingPiano"] == rooms["SwingSet"] and len(rooms["SwingSet"]) == 1
    assert len(rooms["LieDown"]) == 3 and not rooms["LieDown"] & rooms["SwingSet"]  # groups
    assert len({seen["light"] for seen in looks["SwingSet"]}) == 3


def test_equipment_hardly_stands_out_in_the_one_gym():
    own = look.draw_look(np.random.default_rng(look.GYM))
    gym = look.in_gym(look.draw_look(np.random.default_rng(0)))
    assert gym.wall == own.wall
    for faint, plain in zip(gym.gear, own.gear, strict=True):
        step = np.subtract(plain, own.wall)
        np.testing.assert_allclose(np.subtract(faint, gym.wall), look.FAINT * step)


def test_in_the_one_gym_all_persistent_classes_have_the_same_posture():
    def height(name: str, one_gym: bool) -> float:
        stage = one.scene(name, 0, 1, 1, 32, one_actor=True, one_gym=one_gym).stage
        person = [ref for ref, actor in zip(stage.refs, stage.actor, strict=True) if actor]
        return float(np.mean([ref[:, 1, 2] for ref in person]))

    gym, own = ([height(name, where) for name in PERSISTENT] for where in (True, False))
    assert np.std(gym) < 0.3 * np.std(own), (gym, own)


def test_the_one_gym_needs_the_one_actor(tmp_path):
    with pytest.raises(DataError, match="one_gym needs one_actor"):
        stickactions.build(tmp_path, classes=TWO, workers=1, one_gym=True, **SMALL)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="one_gym needs one_actor"):
        stickactions.sample("SwingSet", px=32, frames=8, one_gym=True)
    with pytest.raises(ConfigError, match="one_gym needs one_actor: true"):
        load_profile("laptop", {"sticks.one_gym": True})


@pytest.mark.parametrize("seed", range(20))
def test_the_one_actor_differs_in_brightness_from_every_scene(seed):
    made = look.same_actor(look.draw_look(np.random.default_rng(seed)))
    luma = {k: np.dot(getattr(made, k), [0.299, 0.587, 0.114]) for k in ("wall", "shirt", "shoes")}
    assert min(abs(luma["wall"] - luma[k]) for k in ("shirt", "shoes")) > 60


def test_large_pictures_work():
    made = stickactions.sample("Rowing", frames=8)
    assert made.frames.shape == (8, 224, 224, 3)
    assert made.frames.std() > 15

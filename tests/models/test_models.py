"""Networks: sizes, time steps that survive, and slots that really are times."""

import re
from pathlib import Path

import pytest
import torch
import torchvision
from helpers import opened, tiny_profile  # also limits torch to one thread
from torchvision.models.video.resnet import (
    BasicBlock,
    BasicStem,
    Conv2Plus1D,
    Conv3DSimple,
    R2Plus1dStem,
    VideoResNet,
)

from tblib.errors import CheckpointError, ConfigError
from tblib.models import (
    BACKBONES,
    Classifier,
    ProjectionHead,
    backbone,
    dropout_passes,
    parameter_count,
    pool,
    resolve_precision,
    starting_backbone,
    time_slots,
)
from tblib.models.exact_convolutions import SoundConvolutions, unsound
from tblib.models.resnets import Shift
from tblib.models.weights import MEAN, STD


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    "name, classes, millions",
    [
        ("r3d_18", 101, 33.22),  # torchvision's, which has 33.37 with 400 classes
        ("r3d_18", 400, 33.371),
        ("slow_r50", 101, 31.84),  # PyTorchVideo's, 32.45 with 400 classes
        ("slow_r50", 400, 32.454),
        ("r2plus1d_34", 101, 63.54),  # 63.5 in the literature
        ("slowfast_r50", 400, 34.57),  # PyTorchVideo's 8×8
        ("tsm_r18", 101, 11.23),  # a 2-D ResNet-18
    ],
)
def test_backbones_have_the_published_size(name, classes, millions):
    with torch.device("meta"):  # counts without drawing weights
        net = Classifier(backbone(name), classes)
    assert parameter_count(net) / 1e6 == pytest.approx(millions, abs=0.006)


def test_tiny_r3d_has_half_a_million_weights():
    assert parameter_count(backbone("tiny_r3d")) / 1e6 == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    "name, steps, shrinks",
    [
        ("slow_r50", 16, 32),
        ("r2plus1d_34", 4, 16),
        ("slowfast_r50", 4, 32),
        ("tsm_r18", 16, 32),
    ],
)
def test_sixteen_frames_of_the_paper_leave_four_slots(name, steps, shrinks):
    net = backbone(name).eval()
    with torch.no_grad():
        features = net(torch.rand(1, 3, 16, shrinks, 2 * shrinks))
        assert net(torch.rand(1, 3, 8, 32, 32)).shape[2] == steps // 2, "finetuning has 8 frames"
    assert features.shape == (1, net.dim, steps, 1, 2)
    assert time_slots(features, 4).shape == (1, 4, net.dim)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("name,frames,px", [("r3d_18", 16, 16), ("tiny_r3d", 8, 32)])
def test_four_time_steps_survive_and_space_shrinks_sixteenfold(name, frames, px):
    net = backbone(name).eval()
    with torch.no_grad():
        features = net(torch.rand(1, 3, frames, px, px))
    assert features.shape == (1, net.dim, 4, px // 16, px // 16)
    assert time_slots(features, 4).shape == (1, 4, net.dim)
    assert time_slots(features, 2).shape == (1, 2, net.dim)
    assert pool(features).shape == (1, net.dim)


# The filters of R3D-18 in the release: torchvision's but for the two with `# here`.
R3D18 = """
0.0             3   64  3×7×7  stride 1×2×2  dilation 1×1×1  padding 1×3×3
1.0.conv1.0    64   64  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
1.0.conv2.0    64   64  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
1.1.conv1.0    64   64  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
1.1.conv2.0    64   64  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
2.0.conv1.0    64  128  3×3×3  stride 2×2×2  dilation 1×1×1  padding 1×1×1
2.0.conv2.0   128  128  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
2.0.downsample.0 64 128 1×1×1  stride 2×2×2  dilation 1×1×1  padding 0×0×0
2.1.conv1.0   128  128  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
2.1.conv2.0   128  128  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
3.0.conv1.0   128  256  3×3×3  stride 2×2×2  dilation 1×1×1  padding 1×1×1
3.0.conv2.0   256  256  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
3.0.downsample.0 128 256 1×1×1 stride 2×2×2  dilation 1×1×1  padding 0×0×0
3.1.conv1.0   256  256  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
3.1.conv2.0   256  256  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
4.0.conv1.0   256  512  3×3×3  stride 1×2×2  dilation 2×1×1  padding 2×1×1   # here
4.0.conv2.0   512  512  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
4.0.downsample.0 256 512 1×1×1 stride 1×2×2  dilation 1×1×1  padding 0×0×0   # here
4.1.conv1.0   512  512  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
4.1.conv2.0   512  512  3×3×3  stride 1×1×1  dilation 1×1×1  padding 1×1×1
"""

# The last stage of R(2+1)D-34, which the release does not have, changed in the same way.
R2PLUS1D34 = """
4.0.conv1.0.0   256  921  1×3×3  stride 1×2×2  dilation 1×1×1  padding 0×1×1
4.0.conv1.0.3   921  512  3×1×1  stride 1×1×1  dilation 2×1×1  padding 2×0×0  # here
4.0.conv2.0.0   512 1152  1×3×3  stride 1×1×1  dilation 1×1×1  padding 0×1×1
4.0.conv2.0.3  1152  512  3×1×1  stride 1×1×1  dilation 1×1×1  padding 1×0×0
4.0.downsample.0 256 512  1×1×1  stride 1×2×2  dilation 1×1×1  padding 0×0×0  # here
4.1.conv1.0.0   512 1152  1×3×3  stride 1×1×1  dilation 1×1×1  padding 0×1×1
4.1.conv1.0.3  1152  512  3×1×1  stride 1×1×1  dilation 1×1×1  padding 1×0×0
4.1.conv2.0.0   512 1152  1×3×3  stride 1×1×1  dilation 1×1×1  padding 0×1×1
4.1.conv2.0.3  1152  512  3×1×1  stride 1×1×1  dilation 1×1×1  padding 1×0×0
4.2.conv1.0.0   512 1152  1×3×3  stride 1×1×1  dilation 1×1×1  padding 0×1×1
4.2.conv1.0.3  1152  512  3×1×1  stride 1×1×1  dilation 1×1×1  padding 1×0×0
4.2.conv2.0.0   512 1152  1×3×3  stride 1×1×1  dilation 1×1×1  padding 0×1×1
4.2.conv2.0.3  1152  512  3×1×1  stride 1×1×1  dilation 1×1×1  padding 1×0×0
"""


@pytest.mark.parametrize(
    "name, table, stage", [("r3d_18", R3D18, ""), ("r2plus1d_34", R2PLUS1D34, "4.")]
)
def test_filters_are_those_of_the_release(name, table, stage):
    with torch.device("meta"):
        layers = backbone(name).stages.named_modules()
    found = [
        [at, f"{layer.in_channels}", f"{layer.out_channels}"]
        + [
            "×".join(map(str, sizes))
            for sizes in (layer.kernel_size, layer.stride, layer.dilation, layer.padding)
        ]
        for at, layer in layers
        if isinstance(layer, torch.nn.Conv3d) and at.startswith(stage)
    ]
    words = [line.partition("#")[0].split() for line in table.strip().splitlines()]
    assert found == [[*row[:4], *row[5::2]] for row in words]


@pytest.mark.parametrize("name", ["r3d_18", "r2plus1d_34"])
def test_the_reference_names_every_filter_that_differs_from_torchvision(name):
    parts, stem = (Conv3DSimple, BasicStem) if name == "r3d_18" else (Conv2Plus1D, R2Plus1dStem)
    depth = [2, 2, 2, 2] if name == "r3d_18" else [3, 4, 6, 3]
    with torch.device("meta"):
        theirs = VideoResNet(BasicBlock, [parts] * 4, depth, stem)
        ours = dict(backbone(name).stages.named_modules())
    different = {
        at.removeprefix("layer")
        for at, layer in theirs.named_modules()
        if isinstance(layer, torch.nn.Conv3d)
        and at.startswith("layer")
        and str(layer) != str(ours[at.removeprefix("layer")])
    }
    page = (Path(__file__).parents[2] / "book" / "api" / "networks.md").read_text()
    named = re.findall(r"`(\d\.\d\.[\w.]+)`", re.search(rf"^\| `{name}` .*$", page, re.M)[0])
    assert all(at.startswith(tuple(named)) for at in different), different
    assert all(any(at.startswith(part) for at in different) for part in named), named


@pytest.mark.parametrize("steps", [2, 4])
@pytest.mark.parametrize("name", ["r3d_18", "r2plus1d_34"])
def test_the_last_stage_hears_the_steps_before_and_after(name, steps):
    """With all its filters dilated a step heard itself and steps k ± 2 only: of two, itself."""
    stage = backbone(name).stages[4].eval().requires_grad_(False)
    x = torch.randn(1, 256, steps, 4, 4, requires_grad=True)
    out = stage(x)
    assert out.shape[2] == steps
    for k in range(steps):
        value = (out[:, :, k] * torch.randn(512, 2, 2)).sum()
        heard = torch.autograd.grad(value, x, retain_graph=True)[0].abs().sum((0, 1, 3, 4))
        assert (heard[max(k - 1, 0) : k + 2] > 0.05 * heard.max()).all(), (k, heard)


def test_slots_average_neighbouring_times_in_order():
    features = torch.arange(8.0).reshape(1, 1, 8, 1, 1).expand(2, 3, 8, 2, 2)
    assert time_slots(features, 4)[1, :, 2].tolist() == [0.5, 2.5, 4.5, 6.5]
    torch.testing.assert_close(time_slots(features, 4).mean(1), pool(features))


@pytest.mark.parametrize(
    "name,frames,px",
    [
        ("r3d_18", 16, 16),
        ("tiny_r3d", 8, 32),
        ("tsm_r18", 16, 32),
    ],
)
@pytest.mark.parametrize("slot", [0, 3])
def test_a_change_at_one_end_shows_more_in_its_slot_than_at_the_other_end(name, frames, px, slot):
    net = backbone(name).eval()
    clip = torch.rand(2, 3, frames, px, px)
    changed = clip.clone()
    quarter = slice(slot * frames // 4, (slot + 1) * frames // 4)
    changed[:, :, quarter] = torch.rand_like(changed[:, :, quarter])
    with torch.no_grad():
        moved = (time_slots(net(changed), 4) - time_slots(net(clip), 4)).norm(dim=-1).mean(0)
    assert moved[slot] > 2 * moved[3 - slot]


@pytest.mark.parametrize(
    "name, frames, px",
    [
        ("tiny_r3d", 8, 32),
        ("r3d_18", 16, 16),
        ("tsm_r18", 16, 32),
        ("slow_r50", 16, 32),
        ("r2plus1d_34", 16, 16),
        ("slowfast_r50", 16, 32),
    ],
)
def test_slots_listen_to_the_clip_in_the_order_of_time(name, frames, px):
    """Gradients of the slots by frame: centres in order, and each end is heard by its own slot.

    At random weights the eighteen temporal filters that r2plus1d_34 has on its last four steps mix
    them almost evenly, and frames at the borders have fewer ways to any slot.  So a change at one
    end need not move its slot twice as much; but of all slots it moves that one most.
    """
    net = opened(backbone(name)).eval().requires_grad_(False)
    clip = torch.rand(2, 3, frames, px, px, requires_grad=True)
    slots, heard = time_slots(net(clip), 4), []
    for k in range(4):
        value = (slots[:, k] * torch.randn(2, net.dim)).sum()
        by_frame = torch.autograd.grad(value, clip, retain_graph=True)[0].abs().sum((0, 1, 3, 4))
        heard.append(by_frame / by_frame.sum())
    heard = torch.stack(heard)
    centres = (heard * torch.arange(frames)).sum(1)
    assert (centres.diff() > 0.02 * frames).all(), centres
    quarters = heard.unflatten(1, (4, -1)).sum(2)
    first_to_last = quarters[0] / quarters[3].clamp(min=1e-6)
    assert (first_to_last.diff() < 0).all() and first_to_last[0] > 1.5 > 1 / 1.5 > first_to_last[3]
    assert quarters[:, 0].argmax() == 0 and quarters[:, 3].argmax() == 3


def test_impossible_slots_are_explained():
    with pytest.raises(ConfigError, match="leaves 4 time steps, which cannot make 3 slots"):
        time_slots(torch.rand(1, 2, 4, 1, 1), 3)
    with pytest.raises(ConfigError, match="more frames per clip"):
        time_slots(backbone("tiny_r3d").eval()(torch.rand(1, 3, 4, 16, 16)), 4)


@pytest.mark.parametrize("frames", [8, 12, 16])
@pytest.mark.parametrize("name", BACKBONES)
def test_backbones_know_how_many_time_steps_they_leave(name, frames):
    with torch.device("meta"):
        net = backbone(name)
        steps = net.layers(torch.empty(1, 3, frames, 32, 32)).shape[2]
    assert steps == -(-frames // net.time_stride)


def test_the_shift_moves_an_eighth_of_the_channels_each_way():
    x = torch.arange(1.0, 4).view(1, 1, 3, 1, 1).repeat(1, 8, 1, 1, 1)
    out = Shift()(x)[0, :, :, 0, 0]
    assert out[0].tolist() == [2, 3, 0] and out[1].tolist() == [0, 1, 2]
    assert all(channel.tolist() == [1, 2, 3] for channel in out[2:])


@pytest.mark.parametrize("name, blocks", [("slow_r50", 16), ("slowfast_r50", 32)])
def test_blocks_of_slow_networks_begin_as_their_shortcuts(name, blocks):
    """So PyTorchVideo, and with it the release, begins: the last batch norm of a block has 0."""
    weights = [m.weight for m in backbone(name).modules() if isinstance(m, torch.nn.BatchNorm3d)]
    assert sum(not weight.any() for weight in weights) == blocks
    assert all((weight == 1).all() or not weight.any() for weight in weights)


def test_slowfast_at_one_time_scale_is_what_pooling_sees():
    """The map averaged over time is the slow path's mean beside the fast path's."""
    net = opened(backbone("slowfast_r50")).eval()
    with torch.no_grad():
        x = torch.rand(1, 3, 8, 32, 32)
        whole, slow, fast = pool(net(x)), net.slow[0](x[:, :, ::4]), net.fast[0](x)
        for at, join in enumerate(net.fuse, 1):
            slow = net.slow[at](torch.cat([slow, join(fast)], 1))
            fast = net.fast[at](fast)
    torch.testing.assert_close(whole, torch.cat([pool(slow), pool(fast)], 1))


# Starting weights from a file


@pytest.fixture(scope="module")
def kinetics_file(tmp_path_factory):
    """A file like torchvision's, of a network with random weights; and the network."""
    torch.manual_seed(1)
    net = torchvision.models.video.r3d_18(weights=None).eval()
    path = tmp_path_factory.mktemp("weights") / "r3d_18-random.pth"
    torch.save(net.state_dict(), path)
    return path, net


def test_torchvision_weights_give_torchvision_features(kinetics_file):
    """On a clip of the mean colour in the border nothing differs but the padding of the stem."""
    path, theirs = kinetics_file
    net = backbone("r3d_18", weights=path).eval()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1, 1) for v in (MEAN, STD))
    clip = torch.rand(1, 3, 6, 24, 24)
    with torch.no_grad():
        ours = net.stages[0](clip)[:, :, 1:-1, 2:-2, 2:-2]
        expected = theirs.stem((clip - mean) / std)[:, :, 1:-1, 2:-2, 2:-2]
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
        features = torch.rand(1, 64, 4, 8, 8)
        expected = theirs.layer3(theirs.layer2(theirs.layer1(features)))
        torch.testing.assert_close(net.stages[1:4](features), expected)


def test_a_profile_loads_the_weights_into_every_start(kinetics_file):
    path, theirs = kinetics_file
    config = tiny_profile(model__backbone="r3d_18", model__weights=str(path))
    conv = "stages.2.0.conv1.0.weight"
    net = starting_backbone(config.model)
    assert torch.equal(net.state_dict()[conv], theirs.layer2[0].conv1[0].weight)
    assert net.state_dict()[conv].is_contiguous(memory_format=torch.channels_last_3d)


def test_a_wrong_weight_file_costs_one_sentence(kinetics_file, tmp_path):
    path, theirs = kinetics_file
    state = theirs.state_dict()
    files = {
        "does not exist": tmp_path / "none.pth",
        "cannot be read": tmp_path / "text.pth",
        "holds no table": tmp_path / "list.pth",
        "it holds conv1.weight": tmp_path / "other.pth",
        "do not fit, for example stages.0.0.weight": tmp_path / "cut.pth",
    }
    files["cannot be read"].write_text("hello")
    torch.save([1, 2], files["holds no table"])
    torch.save({"conv1.weight": torch.zeros(1)}, files["it holds conv1.weight"])
    torch.save({k: v for k, v in state.items() if k != "stem.0.weight"},
               tmp_path / "cut.pth")  # fmt: skip
    for words, file in files.items():
        with pytest.raises(CheckpointError, match=words) as caught:
            backbone("r3d_18", weights=file)
        assert str(file) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="'r3d_18' only"):
        backbone("tiny_r3d", weights=path)
    with pytest.raises(ConfigError, match="'r3d_18' only"):
        tiny_profile(model__weights=str(path))


def test_an_unknown_backbone_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean 'r3d_18'"):
        backbone("r3d18")


def test_weights_follow_the_seed_and_are_channels_last():
    torch.manual_seed(3)
    first = backbone("tiny_r3d")
    torch.manual_seed(3)
    second = backbone("tiny_r3d")
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.dim() < 5 or a.is_contiguous(memory_format=torch.channels_last_3d)


def test_projection_gives_unit_vectors_and_removes_what_all_rows_share():
    head = ProjectionHead(8, 5).train()
    h = torch.randn(16, 8)
    out = head(h)
    assert out.shape == (16, 5)
    torch.testing.assert_close(out.norm(dim=1), torch.ones(16))
    torch.testing.assert_close(head(h + 3.0), out, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("dim", "hidden"), [(512, 512), (2048, 128)])
def test_the_head_has_the_released_widths(dim, hidden):
    first, *_, last, _ = ProjectionHead(dim, 128).layers
    assert (first.in_features, first.out_features) == (dim, hidden)
    assert (last.in_features, last.out_features) == (hidden, 128)


def test_zero_features_stay_finite_in_the_head():
    out = ProjectionHead(8, 5).train()(torch.zeros(4, 8))
    assert torch.isfinite(out).all()


def test_classifier_pools_time_and_space():
    model = Classifier(backbone("tiny_r3d"), 7).eval()
    x = torch.rand(2, 3, 8, 16, 16)
    expected = model.head(model.backbone(x).mean(dim=(2, 3, 4)))
    torch.testing.assert_close(model(x), expected)


def test_reduced_precision_ends_at_the_feature_map():
    """Weights and features stay float32; inside, bfloat16 rounds to about three digits."""
    torch.manual_seed(0)
    net = backbone("tiny_r3d").eval()
    x = torch.rand(2, 3, 8, 32, 32)
    exact = net(x)
    net.precision = "bf16"
    rounded = net(x)
    assert rounded.dtype == torch.float32
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    assert not torch.equal(exact, rounded)
    assert torch.allclose(exact, rounded, atol=0.02 * exact.abs().max().item())


@pytest.mark.parametrize(
    "name, frames, px", [("tiny_r3d", 4, 32), ("tiny_r3d", 8, 16), ("r3d_18", 8, 32)]
)
def test_bfloat16_gradients_of_small_maps_are_right(name, frames, px):
    """Left to oneDNN some are garbage on processors with AVX-512 BF16, see `models.sound`."""
    torch.manual_seed(0)
    net = backbone(name)
    x = torch.rand(4, 3, frames, px, px)
    found = []
    for precision in ("fp32", "bf16"):
        net.precision = precision
        net.zero_grad()
        (net(x) ** 2).mean().backward()
        found.append({name: p.grad.flatten() for name, p in net.named_parameters()})
    exact, rounded = found
    alike = {k: torch.cosine_similarity(exact[k], rounded[k], dim=0).item() for k in exact}
    assert min(alike.values()) > 0.8, alike
    for k in exact:
        assert 0.5 < rounded[k].norm() / exact[k].norm() < 2, k


@pytest.mark.parametrize(
    "size, kernel, stride, expected",
    [
        ((2, 7, 7), (3, 3, 3), (1, 1, 1), True),
        ((3, 7, 7), (3, 3, 3), (1, 1, 1), False),
        ((4, 1, 1), (1, 3, 3), (1, 2, 2), True),
        ((4, 4, 1), (1, 3, 3), (1, 2, 2), True),
        ((4, 1, 4), (1, 3, 3), (1, 2, 2), True),
        ((4, 1, 1), (1, 3, 3), (1, 1, 1), False),
        ((8, 32, 32), (3, 7, 7), (1, 2, 2), False),
        ((1, 4, 4), (1, 1, 1), (1, 2, 2), False),
    ],
)
def test_convolutions_that_bfloat16_gets_wrong_run_in_float32(size, kernel, stride, expected):
    x, weight = torch.rand(2, 4, *size), torch.rand(8, 4, *kernel)
    assert unsound(x, weight, stride) == expected
    padding = tuple(k // 2 for k in kernel)
    exact = torch.conv3d(x, weight, None, stride, padding)
    with torch.autocast("cpu", torch.bfloat16), SoundConvolutions():
        found = torch.conv3d(x, weight, None, stride, padding)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, exact.bfloat16()) == expected


@pytest.mark.parametrize(
    "units, expected", [("amx_bf16", "bf16"), ("avx512_bf16", "bf16"), ("avx512_f", "fp32")]
)
def test_auto_precision_asks_the_processor(monkeypatch, units, expected):
    resolve_precision.cache_clear()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {units: True}, False)
    assert resolve_precision("auto", "cpu") == expected
    assert [resolve_precision(name, "cpu") for name in ("fp32", "bf16")] == ["fp32", "bf16"]
    resolve_precision.cache_clear()


def test_the_half_network_has_half_the_channels_everywhere():
    whole, half = (backbone(name) for name in ("tiny_r3d", "tiny_r3d_half"))
    assert (whole.dim, half.dim) == (128, 64)
    for one, other in zip(whole.parameters(), half.parameters(), strict=True):
        assert one.shape[0] == 2 * other.shape[0]
    assert half(torch.rand(2, 3, 8, 32, 32)).shape == (2, 64, 4, 2, 2)


def test_dropout_passes_differ_and_leave_batch_norm_and_the_mode_alone():
    model, x = Classifier(backbone("tiny_r3d"), 5, dropout=0.5).train(), torch.rand(3, 3, 8, 16, 16)
    model(x)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    logits = dropout_passes(model, x, 8)
    assert logits.shape == (8, 3, 5) and not logits.requires_grad and model.training
    assert logits.std(0).min() > 0
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    model.eval()
    repeated = dropout_passes(model, x, 4000).mean(0)
    torch.testing.assert_close(repeated, model(x), atol=0.02, rtol=0)
    assert not model.training and not model.dropout.training


def test_without_dropout_all_passes_are_one():
    model, x = Classifier(backbone("tiny_r3d"), 5).eval(), torch.rand(3, 3, 8, 16, 16)
    for logits in dropout_passes(model, x, 2):
        torch.testing.assert_close(logits, model(x))

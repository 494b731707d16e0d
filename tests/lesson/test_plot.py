"""Each figure: the right marks in the right order and colour, and no warning when drawn."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tblib.errors import DataError
from tblib.lesson import plot
from tblib.lesson.plot import style

pytestmark = pytest.mark.filterwarnings("error")

CLASSES = ["Typing", "Vault", "Piano", "Jump"]
FAMILIES = {"Typing": "persistent", "Piano": "persistent", "Vault": "phased", "Jump": "phased"}


@pytest.fixture(scope="module", autouse=True)
def book_style():
    plot.use_book_style()


def toy(n=24, h=24, w=32):
    """A square that walks to the right."""
    frames = np.full((n, h, w, 3), 200, np.uint8)
    for t in range(n):
        left = t * (w - 8) // n
        frames[t, 8:16, left : left + 8] = (20, 60, 120)
    return frames


def pixels(fig):
    """Draw as PNG and return `[H, W, 4]`; any warning fails the test."""
    import matplotlib.image as image

    assert isinstance(fig, Figure)
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    buffer.seek(0)
    return image.imread(buffer)


def bars(ax, least=0.0):
    return [p for p in ax.patches if isinstance(p, Rectangle) and abs(p.get_width()) > least]


def row_names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def inside(fig):
    """Say whether all text lies within the figure."""
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    renderer, box = canvas.get_renderer(), fig.bbox
    axes = [ax for part in [fig, *fig.subfigs] for ax in part.axes]
    texts = [t for ax in axes for t in [*ax.get_yticklabels(), ax.xaxis.label, ax.title]]
    extents = [t.get_window_extent(renderer) for t in texts if t.get_text() and t.get_visible()]
    return all(e.x0 >= -1 and e.y0 >= -1 and e.x1 <= box.width + 1 for e in extents)


def test_frame_strip_shows_the_named_frames():
    fig = plot.frame_strip(toy(), indices=[0, 5, 23], title="walk")
    ax = fig.axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "5", "23"]
    assert ax.images[0].get_array().shape == (24, 3 * 32 + 2 * 2, 3)
    assert ax.get_xlabel() == "frame"
    assert pixels(fig).shape[1] == 900 and inside(fig)


def test_strip_default_runs_from_first_to_last_frame():
    labels = [t.get_text() for t in plot.frame_strip(toy(), n=4).axes[0].get_xticklabels()]
    assert labels == ["0", "8", "15", "23"]


def test_contact_sheet_has_a_named_row_per_video():
    strips = {"AVeryLongClassName": toy(), **{f"v{k}": toy(h=20 + k) for k in range(11)}}
    fig = plot.contact_sheet(strips, n=5)
    assert [row_names(ax)[0] for ax in fig.axes] == list(strips)
    pixels(fig)
    assert inside(fig)


def test_views_has_a_row_per_view_and_takes_floats():
    clips = np.stack([toy(8), toy(8)[:, :, ::-1], toy(8)]) / 255
    fig = plot.views(clips.astype(np.float32))
    assert [row_names(ax)[0] for ax in fig.axes] == ["view 1", "view 2", "view 3"]
    pixels(fig)


def test_timeline_marks_every_frame_in_its_slot():
    t = np.arange(16)
    local = 10 + 16 * np.arange(4)[:, None] + t
    fig = plot.clip_timeline(90, 10 + 4 * t, local)
    strokes = [[s[0, 0] for s in c.get_segments()] for c in fig.axes[0].collections]
    sparse, dense = strokes[0::2], strokes[1::2]
    assert sum(sparse, []) == (10 + 4 * t).tolist()
    assert [list(d) for d in dense] == local.tolist()
    pixels(fig)
    assert inside(fig)


def similarity(low, n=6):
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return 1 - (1 - low) * distance / (n - 1)


def test_similarity_shows_matrix_clips_and_score():
    fig = plot.similarity_and_strip(similarity(0.8), toy(), 0.31, "Jump")
    matrix, clips = fig.axes[:2]
    assert np.allclose(matrix.images[0].get_array(), similarity(0.8))
    assert matrix.images[0].get_clim() == pytest.approx((0.8, 1))
    assert [t.get_text() for t in clips.texts] == list("123456")
    assert fig.get_suptitle() == "Jump: s(v) = 0.31"
    pixels(fig)


def test_similarity_pair_shares_one_colour_scale():
    one = {"matrix": similarity(0.95), "frames": toy(), "s": 0.9, "title": "Typing"}
    two = {"matrix": similarity(0.6), "frames": toy(), "s": 0.2}
    fig = plot.similarity_pair(one, two)
    scales = [panel.axes[0].images[0].get_clim() for panel in fig.subfigs]
    assert scales[0] == scales[1] == pytest.approx((0.6, 1))
    assert [panel.get_suptitle() for panel in fig.subfigs] == ["Typing: s(v) = 0.90", "s(v) = 0.20"]
    pixels(fig)
    assert inside(fig)


def test_identical_clips_still_have_a_colour_scale():
    pixels(plot.similarity_and_strip(np.ones((3, 3)), toy(), 1.0))


def curve(seeds=1, steps=30):
    rows = [(t, 2 - t / 20 + seed, seed) for seed in range(seeds) for t in range(steps)]
    return pd.DataFrame(rows, columns=["step", "loss", "seed"])


def test_training_curves_smooth_and_refer():
    fig = plot.training_curves(
        {"f_I": curve(), "distinctive": curve().drop(columns="seed")},
        reference={"chance, log 7": np.log(7)},
        smooth=5,
    )
    lines = {line.get_label(): line for line in fig.axes[0].lines}
    assert lines["f_I"].get_color() == plot.COLOURS["invariant"]
    assert lines["distinctive"].get_color() == plot.COLOURS["distinctive"]
    assert lines["f_I"].get_ydata()[10] == pytest.approx(2 - 8 / 20)  # mean of rows 6 to 10
    assert fig.axes[0].texts[0].get_text() == "chance, log 7"
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["f_I", "distinctive"]
    pixels(fig)


def test_curves_over_seeds_have_mean_and_range():
    fig = plot.training_curves({"student": curve(seeds=3)})
    ax = fig.axes[0]
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(4) and ax.lines[0].get_ydata()[0] == pytest.approx(3)
    pixels(fig)


def test_curves_pass_over_rows_of_other_measures():
    table = pd.DataFrame({"step": [0, 1, 2], "loss": [1.0, None, 0.5]})
    line = plot.training_curves({"student": table}).axes[0].lines[0]
    assert line.get_xdata().tolist() == [0, 2]


def test_curves_name_a_missing_column():
    with pytest.raises(DataError, match="accuracy"):
        plot.training_curves({"student": curve()}, y="accuracy")


def test_per_class_difference_is_sorted_and_coloured_by_family():
    fig = plot.per_class_difference([0.2, 0.3, 0.9, 0.1], [0.1, 0.5, 0.2, 0.1], CLASSES, FAMILIES)
    ax = fig.axes[0]
    assert row_names(ax) == ["Piano", "Typing", "Jump", "Vault"]
    assert [b.get_width() for b in bars(ax, -1)] == pytest.approx([70, 10, 0, -20])
    expected = [plot.FAMILY_COLOURS[FAMILIES[name]] for name in row_names(ax)]
    assert [to_hex(b.get_facecolor()).upper() for b in bars(ax, -1)] == expected
    assert [b.get_hatch() or "" for b in bars(ax, -1)] == ["", "", "///", "///"]
    assert "percentage points" in ax.get_xlabel()
    pixels(fig)
    assert inside(fig)


def test_without_families_the_better_teacher_gives_the_colour():
    fig = plot.per_class_difference([0.9, 0.1], [0.1, 0.9], CLASSES[:2])
    tints = [to_hex(b.get_facecolor()).upper() for b in bars(fig.axes[0])]
    assert tints == [plot.COLOURS["invariant"], plot.COLOURS["distinctive"]]
    assert not fig.legends


def test_hundred_classes_fit():
    names = [f"Class{k}" for k in range(101)]
    fig = plot.per_class_difference(np.linspace(0, 1, 101), np.full(101, 0.5), names)
    pixels(fig)
    assert row_names(fig.axes[0])[0] == "Class100" and inside(fig)


def test_scores_are_ordered_by_median_and_boxed_by_quartiles():
    labels = np.repeat([0, 1, 3], 5)
    s = np.concatenate([np.linspace(0.5, 0.9, 5), np.linspace(0, 0.4, 5), np.linspace(0.6, 1, 5)])
    fig = plot.score_distribution(s, labels, CLASSES, FAMILIES)
    ax = fig.axes[0]
    assert row_names(ax) == ["Jump", "Typing", "Vault"]
    assert [b.get_x() for b in bars(ax)] == pytest.approx([0.7, 0.6, 0.1])
    assert [b.get_width() for b in bars(ax)] == pytest.approx([0.2] * 3)
    assert sum(len(line.get_xdata()) for line in ax.lines) == 15
    pixels(fig)


def test_agreement_shares_add_up():
    labels = np.repeat([0, 1], 4)
    inv = np.array([1, 1, 1, 0, 1, 0, 0, 0], bool)
    dist = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    fig = plot.agreement_map(inv, dist, labels, CLASSES)
    ax = fig.axes[0]
    assert row_names(ax) == ["Typing", "Vault"]
    shares = {c.get_label(): [b.get_width() for b in c] for c in ax.containers}
    assert shares["only invariant"] == [50, 0] and shares["only distinctive"] == [0, 50]
    assert shares["both right"] == [25, 25] and shares["neither"] == [25, 25]
    pixels(fig)
    assert inside(fig)


def video(s, label):
    p_inv, p_dist = np.array([0.7, 0.1, 0.1, 0.1]), np.array([0.05, 0.8, 0.1, 0.05])
    mix = s * p_inv + (1 - s) * p_dist
    return {"frames": toy(), "p_inv": p_inv, "p_dist": p_dist, "s": s, "p_mix": mix, "label": label}


@pytest.mark.parametrize("with_student", [False, True])
def test_reweighting_names_the_true_class_first(with_student):
    videos = [video(0.8, 2), video(0.0, 1)]
    if with_student:
        videos = [{**v, "p_student": v["p_mix"]} for v in videos]
    fig = plot.reweighting_illustration(videos, CLASSES)
    assert [row_names(panel.axes[2])[0] for panel in fig.subfigs] == ["Piano", "Vault"]
    slider = fig.subfigs[0].axes[1]
    assert slider.lines[0].get_xdata().tolist() == [0.8]
    assert len(fig.legends[0].get_texts()) == 3 + with_student
    mixture = fig.subfigs[0].axes[2].containers[2]
    assert [b.get_width() for b in mixture][0] == pytest.approx(0.1)
    pixels(fig)


def test_reweighting_of_a_video_without_a_class_names_none_as_true():
    """Label −1 must not be the last class."""
    fig = plot.reweighting_illustration([video(0.8, -1)], CLASSES)
    panel = fig.subfigs[0]
    assert panel.get_suptitle() == "true class: nobody knows"
    assert len(row_names(panel.axes[2])) == 3
    assert panel.axes[2].get_yticklabels()[0].get_fontweight() != "bold"


def test_reweighting_refuses_probabilities_of_other_classes():
    with pytest.raises(DataError, match="4 classes"):
        plot.reweighting_illustration([video(0.5, 0)], CLASSES[:3])


def accuracies():
    rows = [
        ("labelled only", 25.6, 23, 28, "baseline"),
        ("invariant teacher", 43.9, 41, 46, "one teacher"),
        ("both, average", 49.6, None, None, "both teachers"),
        ("both, reweighted", 53.1, 51, 57, "both teachers"),
    ]
    return pd.DataFrame(rows, columns=["system", "top1", "low", "high", "group"])


def test_accuracy_bars():
    fig = plot.accuracy_bars(accuracies(), {"labelled only": 25.6, "fully supervised": 80})
    ax = fig.axes[0]
    assert row_names(ax) == [
        "baseline", "labelled only", "one teacher", "invariant teacher", "both teachers",
        "both, average", "both, reweighted",
    ]  # fmt: skip
    assert [b.get_width() for b in bars(ax)] == [25.6, 43.9, 49.6, 53.1]
    roles = ("labelled", "invariant", "average", "reweighted")
    tints = [to_hex(b.get_facecolor()).upper() for b in bars(ax)]
    assert tints == [plot.COLOURS[role] for role in roles]
    assert [t.get_text() for t in ax.texts] == ["25.6", "43.9", "49.6", "53.1"]
    ends = ax.containers[1].lines[2][0].get_segments()[3][:, 0]
    assert ends == pytest.approx([51, 57])
    assert {t.get_text() for t in fig.legends[0].get_texts()} == {
        "labelled only: 25.6 %", "fully supervised: 80.0 %",
    }  # fmt: skip
    pixels(fig)
    assert inside(fig)


def test_accuracy_bars_without_groups_or_intervals():
    fig = plot.accuracy_bars(accuracies()[["system", "top1"]])
    assert len(row_names(fig.axes[0])) == 4
    pixels(fig)


def test_accuracy_bars_refuse_fractions():
    with pytest.raises(DataError, match="percent"):
        plot.accuracy_bars(accuracies().assign(top1=[0.1, 0.2, 0.3, 0.4]))


def test_confusion_rows_are_percent_of_the_true_class():
    fig = plot.confusion([[3, 1, 0], [0, 0, 0], [0, 5, 5]], CLASSES[:3])
    shares = fig.axes[0].images[0].get_array()
    assert shares.tolist() == [[75, 25, 0], [0, 0, 0], [0, 50, 50]]
    assert [t.get_text() for t in fig.axes[0].texts] == ["75", "25", "50", "50"]
    pixels(fig)
    with pytest.raises(DataError, match="4 classes"):
        plot.confusion(np.eye(3), CLASSES)


def test_embedding_names_each_class_and_marks_families():
    rng = np.random.default_rng(0)
    labels = np.repeat(CLASSES, 6)
    fig = plot.embedding(rng.normal(size=(24, 2)), labels, FAMILIES, "f_I")
    ax = fig.axes[0]
    assert sorted(t.get_text() for t in ax.texts) == sorted(CLASSES)
    drawn = {c.get_gid(): len(c.get_offsets()) for c in ax.collections if c.get_gid()}
    assert drawn == dict.fromkeys(sorted(CLASSES), 6)
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["persistent", "phased"]
    pixels(fig)


def test_embedding_labels_do_not_cover_each_other():
    labels = np.repeat([f"ClassNumber{k}" for k in range(6)], 4)
    fig = plot.embedding(np.random.default_rng(1).normal(size=(24, 2)), labels)
    fig.canvas.draw()
    boxes = [t.get_window_extent() for t in fig.axes[0].texts]
    pairs = [(a, b) for k, a in enumerate(boxes) for b in boxes[k + 1 :]]
    assert not any(a.overlaps(b) for a, b in pairs)


def test_contrast_roles_are_those_of_the_losses():
    """Three videos, two views, four times: count positives and negatives of one clip."""
    fig = plot.contrast_roles(videos=3, slots=4)
    invariant, distinctive = (ax.images[0].get_array() for ax in fig.axes)
    assert {k: int((invariant[0] == k).sum()) for k in range(3)} == {0: 1, 1: 7, 2: 16}
    assert {k: int((distinctive[0] == k).sum()) for k in range(3)} == {0: 17, 1: 1, 2: 6}
    assert distinctive[0, 4] == 1, "same time, other view"
    assert (invariant == invariant.T).all()
    assert (distinctive == distinctive.T).all()
    assert inside(fig)


def test_clip_paths_have_a_line_per_video_and_a_colour_per_time():
    places = np.random.default_rng(0).normal(size=(5, 8, 2))
    fig = plot.clip_paths({"invariant": places, "distinctive": 2 * places})
    for ax, scale in zip(fig.axes[:2], (1, 2), strict=True):
        assert len(ax.lines) == 5
        np.testing.assert_allclose(ax.lines[3].get_xydata(), scale * places[3])
        (dots,) = ax.collections
        np.testing.assert_allclose(dots.get_array(), np.tile(np.linspace(0, 1, 8), 5))
        np.testing.assert_allclose(dots.get_offsets()[8:16], scale * places[1])
    assert inside(fig)


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 8, 8)), np.zeros((0, 8, 8, 3)), np.full((2, 8, 8, 3), 255.0)]
)
def test_bad_frames_are_named(bad):
    with pytest.raises(DataError):
        plot.frame_strip(bad)


def test_unknown_family_is_named():
    with pytest.raises(DataError, match="cyclic"):
        plot.per_class_difference([1], [0], ["Typing"], {"Typing": "cyclic"})


def test_colours_are_fixed_by_name():
    assert plot.colour("f_D") == plot.COLOURS["distinctive"]
    assert plot.colour("Student, reweighted") == plot.COLOURS["student"]
    assert plot.colour("labelled only") == plot.COLOURS["labelled"]
    assert plot.colour("MemDPC") != plot.colour("VCOP", 1)
    few, many = style.colours(["f_I", "untrained"]), style.colours(["f_I", "CVRL", "untrained"])
    assert few == [many[0], many[2]], "a figure without CVRL leaves the others as they are"
    assert style.markers(few) == [style.markers(many)[k] for k in (0, 2)]


def luminance(hexadecimal):
    channels = np.array([int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels > 0.04045, ((channels + 0.055) / 1.055) ** 2.4, channels / 12.92) @ [
        0.2126, 0.7152, 0.0722,
    ]  # fmt: skip


@pytest.mark.parametrize("role", sorted(plot.COLOURS))
def test_colours_stand_out_from_the_paper(role):
    # WCAG asks 3:1 of graphics
    light, dark = luminance(style.PAPER) + 0.05, luminance(plot.COLOURS[role]) + 0.05
    assert light / dark >= 3


def test_figures_have_an_opaque_light_background():
    corner = pixels(plot.frame_strip(toy()))[0, 0]
    assert corner[3] == 1 and corner[:3].min() > 0.95


def test_flow_colours_show_direction_by_hue_and_rest_in_white():
    flow = np.zeros((1, 2, 4, 2))
    flow[0, 0, :2, 0], flow[0, 1, :2, 0] = 3, -3  # left half: right-moving above, left-moving below
    red, cyan, white = plot.flow_colours(flow)[0, [0, 1, 0], [0, 0, 3]]
    assert red.tolist() == [255, 0, 0] and cyan.tolist() == [0, 255, 255]
    assert white.tolist() == [255, 255, 255]


def test_two_systems_of_one_kind_are_told_apart():
    table = pd.DataFrame({"step": [1, 2], "loss": [2.0, 1.0]})
    fig = plot.training_curves({"supervised a": table, "supervised b": table, "invariant": table})
    tints = [to_hex(line.get_color()) for line in fig.axes[0].lines]
    assert len(set(tints)) == 3 and to_hex(plot.COLOURS["invariant"]) in tints


def test_a_training_keeps_its_colour_and_steps_are_whole():
    assert plot.colour("joint", 0) == plot.colour("joint", 1)
    history = pd.DataFrame({"step": [1, 2], "loss": [2.0, 1.0]})
    ticks = plot.training_curves({"joint": history}).axes[0].get_xticks()
    assert all(tick == round(tick) for tick in ticks)


def test_a_prediction_has_frames_and_a_curve_for_each_class():
    curves = {"walk": np.array([0.2, 0.9]), "AVeryLongClassName": np.array([0.8, 0.1])}
    fig = plot.prediction(toy(8), np.array([0.0, 1.5]), curves, "film.mp4", "begin, seconds")
    strip, ax = fig.axes
    assert strip.images[0].get_array().shape == (24, 8 * 32 + 7 * 2, 3)
    assert [line.get_label() for line in ax.lines] == list(curves)
    assert ax.lines[0].get_xydata().tolist() == [[0.0, 0.2], [1.5, 0.9]]
    assert pixels(fig).shape[1] == 900 and inside(fig)

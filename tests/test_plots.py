"""Pictures are tested by what they hold: the arrays drawn, the places of lines and frames, the words beside them."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from html.parser import HTMLParser

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import roc_curve as reference_roc

from adlib import plots

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    yield
    left = plt.get_fignums()
    plt.close("all")
    assert not left, "an open figure is shown a second time by a notebook"


@pytest.fixture
def ax():
    figure = Figure()
    return figure.subplots()


# --- style ------------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgba(colour)[:3]]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("colour", [plots.NORMAL, plots.ANOMALOUS])
def test_the_two_colours_stand_out_from_white_paper(colour):
    """3 to 1 is what WCAG asks of graphics."""
    assert 1.05 / (luminance(colour) + 0.05) >= 3


def test_style_holds_within_its_block_and_use_style_from_then_on():
    with plt.rc_context():
        matplotlib.rcdefaults()
        plain = plt.rcParams["figure.figsize"]
        with plots.style():
            assert plt.rcParams["figure.figsize"][0] == plots.WIDTH
            assert plt.rcParams["figure.facecolor"] == "white"
        assert plt.rcParams["figure.figsize"] == plain
        plots.use_style()
        assert plt.rcParams["figure.figsize"][0] == plots.WIDTH


def test_style_keeps_what_a_notebook_switches_on_with_its_first_figure():
    with plt.rc_context():
        plt.ioff()
        with plots.style():
            plt.ion()
        assert plt.isinteractive(), "later figures would not be shown"


# --- pictures and maps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["numpy", "torch", "list", "channel", "colour"])
def test_picture_grid_shows_each_picture_once_and_in_order(kind):
    images = RNG.random((5, 3, 6, 4)) if kind == "colour" else RNG.random((5, 6, 4))
    given = {"torch": torch.tensor(images), "list": images.tolist(), "channel": images[:, None]}.get(kind, images)
    figure = plots.picture_grid(given, columns=3)
    drawn = [ax.get_images()[0] for ax in figure.axes if ax.get_images()]
    assert len(figure.axes) == 6
    assert len(drawn) == 5
    expected = images.transpose(0, 2, 3, 1) if kind == "colour" else images
    for picture, image in zip(expected, drawn, strict=True):
        np.testing.assert_array_equal(image.get_array(), picture)
        assert image.get_clim() == (0, 1), "a dark picture must stay dark beside a bright one"


def test_picture_grid_frames_and_titles():
    figure = plots.picture_grid(RNG.random((3, 4, 4)), columns=3, frame=[0, 1, 0], titles=[7, "b", "c"])
    edges = [ax.spines["left"] for ax in figure.axes]
    assert [to_hex(edge.get_edgecolor()).upper() for edge in edges] == [plots.NORMAL, plots.ANOMALOUS, plots.NORMAL]
    assert edges[0].get_linestyle() != edges[1].get_linestyle(), "colour must not be the only difference"
    assert [ax.get_title() for ax in figure.axes] == ["7", "b", "c"]


@pytest.mark.parametrize(
    ("images", "arguments", "message"),
    [
        (np.zeros((2, 4)), {}, r"images must have shape .* got \(2, 4\)"),
        (np.zeros((1, 2, 4, 4)), {}, r"images must have shape .* got \(1, 2, 4, 4\)"),
        (np.zeros((0, 4, 4)), {}, "images must not be empty"),
        (np.full((1, 4, 4), np.nan), {}, "images must be finite, got 16 NaN"),
        (np.full((1, 4, 4), 255), {}, r"images must lie in \[0, 1\], got values from 255 to 255"),
        (np.full((1, 4, 4), -0.1), {}, r"images must lie in \[0, 1\]"),
        ("abc", {}, "images must hold real numbers"),
        ([[1], [1, 2]], {}, "images must be a rectangular array"),
        (np.zeros((2, 4, 4)), {"columns": 0}, "columns must be a whole number, 1 or more, got 0"),
        (np.zeros((2, 4, 4)), {"titles": ["a"]}, "titles must hold one text for each of the 2 images, got 1"),
        (np.zeros((2, 4, 4)), {"frame": [1]}, r"frame must have shape \(2,\), got \(1,\)"),
        (np.zeros((2, 4, 4)), {"frame": [1, 2]}, "frame must be 0 or 1, got the value 2"),
    ],
)
def test_picture_grid_refuses(images, arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.picture_grid(images, **arguments)


def test_heat_map_draws_the_maps_on_one_scale_with_the_outline_of_the_mask():
    image, maps, mask = RNG.random((1, 8, 12)), RNG.random((2, 8, 12)), np.zeros((8, 12))
    mask[2:5, 0:4] = 1  # touches the left edge
    figure = plots.heat_map(torch.tensor(image), maps, mask=mask, titles=["first", "second"])
    picture, first, second, bar = figure.axes
    np.testing.assert_array_equal(picture.get_images()[0].get_array(), image[0])
    for ax, values, title in ((first, maps[0], "first"), (second, maps[1], "second")):
        overlay = ax.get_images()[-1]
        np.testing.assert_array_equal(overlay.get_array(), values)
        assert overlay.get_clim() == (maps.min(), maps.max())
        assert ax.get_title() == title
        outline = np.concatenate([path.vertices for c in ax.collections for path in c.get_paths()])
        # Pixel centres lie on whole numbers, so the edges of rows 2 to 4 and columns 0 to 3 lie at halves.
        np.testing.assert_allclose(outline.min(0), [-0.5, 1.5], atol=0.1)
        np.testing.assert_allclose(outline.max(0), [3.5, 4.5], atol=0.1)
    assert bar.get_ylim() == pytest.approx((maps.min(), maps.max()))


def test_heat_map_limits_and_colour():
    figure = plots.heat_map(RNG.random((3, 4, 4)), RNG.random((4, 4)), limits=(0, 2))
    assert figure.axes[1].get_images()[-1].get_clim() == (0, 2)
    assert figure.axes[1].get_title() == "anomaly map"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": np.zeros((2, 4, 4))}, "image must have shape"),
        ({"anomaly_map": np.zeros((4, 5))}, r"anomaly_map must have shape .* \(4, 4\), got \(4, 5\)"),
        ({"anomaly_map": np.zeros(4)}, "anomaly_map must have shape"),
        ({"anomaly_map": np.full((4, 4), np.inf)}, "anomaly_map must be finite"),
        ({"mask": np.zeros((2, 2))}, r"mask must have shape \(4, 4\), got \(2, 2\)"),
        ({"mask": np.full((4, 4), 0.5)}, "mask must be 0 or 1, got the value 0.5"),
        ({"titles": ["a", "b"]}, "titles must hold one text for each of the 1 maps, got 2"),
        ({"limits": (0, np.nan)}, "limits must be finite"),
    ],
)
def test_heat_map_refuses(arguments, message):
    given = {"image": np.zeros((4, 4)), "anomaly_map": np.zeros((4, 4))} | arguments
    with pytest.raises(ValueError, match=message):
        plots.heat_map(given.pop("image"), given.pop("anomaly_map"), **given)


# --- scores -----------------------------------------------------------------------------------------------------------


def test_score_histogram_shows_shares_of_each_class_and_the_threshold(ax):
    scores, labels = np.r_[np.zeros(10), np.ones(30), 2 * np.ones(10)], np.r_[np.zeros(40), np.ones(10)]
    assert plots.score_histogram(torch.tensor(scores), labels, threshold=1.5, bins=2, ax=ax) is None
    normal, anomalous = (patch.get_xy() for patch in ax.patches)
    assert normal[:, 1].max() == pytest.approx(30 / 40)
    assert anomalous[:, 1].max() == pytest.approx(1)
    assert ax.lines[0].get_xdata()[0] == 1.5
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["normal (40)", "anomalous (10)", "threshold"]
    assert ax.patches[0].get_hatch() != ax.patches[1].get_hatch(), "colour must not be the only difference"


def test_score_histogram_makes_a_figure_and_takes_one_class():
    figure = plots.score_histogram([1, 2, 3], [0, 0, 0])
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["normal (3)"]


@pytest.mark.parametrize(
    ("scores", "labels", "arguments", "message"),
    [
        ([[1]], [0], {}, "scores must have 1 dimension"),
        ([1, np.nan], [0, 1], {}, "scores must be finite"),
        ([1, 2], [0], {}, r"labels must have shape \(2,\), got \(1,\)"),
        ([1, 2], [0, -1], {}, "labels must be 0 or 1, got the value -1"),
        ([1, 2], [0, 1], {"threshold": np.nan}, "threshold must be finite"),
        ([1, 2], [0, 1], {"bins": 0}, "bins"),
    ],
)
def test_score_histogram_refuses(scores, labels, arguments, message):
    try:
        with pytest.raises(ValueError, match=message):
            plots.score_histogram(scores, labels, **arguments)
    finally:
        plt.close("all")


@pytest.mark.parametrize("digits", [12, 1])  # one decimal makes many ties
def test_roc_curve_is_that_of_scikit_learn(ax, digits):
    labels = RNG.integers(0, 2, 200)
    scores = np.round(RNG.normal(labels, 1.0), digits)
    plots.roc_curve(labels, torch.tensor(scores), name="mine", ax=ax)
    false, true, _ = reference_roc(labels, scores, drop_intermediate=False)
    chance, curve = ax.lines
    np.testing.assert_allclose(curve.get_xydata(), np.stack([false, true], 1), atol=1e-12)
    np.testing.assert_array_equal(chance.get_xydata(), [[0, 0], [1, 1]])
    area = np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2)
    assert ax.get_legend().get_texts()[1].get_text() == f"mine AUROC {area:.3f}"


def test_roc_curves_share_the_line_of_chance_and_mark_a_point(ax):
    plots.roc_curve([0, 1], [0, 1], ax=ax)
    plots.roc_curve([0, 1], [1, 0], point=(0.2, 0.7), ax=ax)
    assert len(ax.lines) == 4  # chance, two curves, the point
    np.testing.assert_array_equal(ax.lines[-1].get_xydata(), [[0.2, 0.7]])
    assert isinstance(plots.roc_curve([0, 1], [0, 1]), Figure)


def test_roc_curve_refuses():
    with pytest.raises(ValueError, match="labels must contain both 0 and 1"):
        plots.roc_curve([0, 0], [1, 2])
    with pytest.raises(ValueError, match="scores must be finite"):
        plots.roc_curve([0, 1], [1, np.nan])


# --- functions of two variables ---------------------------------------------------------------------------------------


def test_plane_and_decision_map_find_the_unit_circle(ax):
    xs, ys, grid = plots.plane(torch.tensor([[-1.0, -1.0], [1.0, 0.5]]), margin=0.25, steps=81)
    assert (xs[0], xs[-1]) == pytest.approx((-1.5, 1.5))
    assert (ys[0], ys[-1]) == pytest.approx((-1.5, 1.0))
    values = (grid**2).sum(1).reshape(len(ys), len(xs)) - 1
    assert values[10, 3] == pytest.approx(xs[3] ** 2 + ys[10] ** 2 - 1), "rows must be ys, columns xs"
    plots.decision_map(ax, xs, ys, values, levels=(-0.5, 0, 99))
    lines = ax.collections[-1]
    np.testing.assert_array_equal(lines.levels, [-0.5, 0])  # 99 is never reached
    for path, radius in zip(lines.get_paths(), (np.sqrt(0.5), 1), strict=True):
        np.testing.assert_allclose(np.linalg.norm(path.vertices, axis=1), radius, atol=5e-3)


@pytest.mark.parametrize(("higher", "above"), [("anomalous", "red"), ("normal", "blue")])
def test_decision_map_tints_by_sign(ax, higher, above):
    xs = np.linspace(-1, 1, 41)
    plots.decision_map(ax, xs, xs, np.tile(xs, (41, 1)), higher=higher)
    ax.axis("off")
    ax.set_position([0, 0, 1, 1])
    file = io.BytesIO()
    ax.figure.savefig(file)
    pixels = np.asarray(Image.open(file).convert("RGB")).astype(int)
    middle = pixels[pixels.shape[0] // 2]
    left, right = middle[len(middle) // 20], middle[-len(middle) // 20]
    redder = right[0] > right[2]
    assert redder == (above == "red")
    assert (left[0] > left[2]) != redder


def test_decision_map_takes_a_constant(ax):
    plots.decision_map(ax, [0, 1], [0, 1], np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("xs", "values", "arguments", "message"),
    [
        ([0, 1, 2], np.zeros((3, 2)), {}, r"values must have shape \(len\(ys\), len\(xs\)\) = \(2, 3\), got \(3, 2\)"),
        ([0, 1, 1], np.zeros((2, 3)), {}, "xs must hold two or more values in ascending order"),
        ([0, 1, 2], np.full((2, 3), np.nan), {}, "values must be finite"),
        ([0, 1, 2], np.zeros((2, 3)), {"higher": "up"}, "higher must be"),
        ([0, 1, 2], np.zeros((2, 3)), {"levels": ["a"]}, "levels must hold real numbers"),
    ],
)
def test_decision_map_refuses(ax, xs, values, arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.decision_map(ax, xs, [0, 1], values, **arguments)


def test_plane_refuses():
    with pytest.raises(ValueError, match=r"points must have shape \(n, 2\), got \(2, 3\)"):
        plots.plane(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="steps must be a whole number, 2 or more, got 1"):
        plots.plane(np.zeros((2, 2)), steps=1)
    xs, _, _ = plots.plane([[5, 5]])
    assert (np.diff(xs) > 0).all(), "one point has a rectangle, too"


def test_points_by_label_with_rings(ax):
    places = RNG.normal(size=(4, 2))
    plots.points(ax, places, [0, 1, 0, 1], ring=[0, 0, 0, 1], names=("in", "out"))
    normal, anomalous, ringed = ax.collections
    np.testing.assert_array_equal(normal.get_offsets(), places[[0, 2]])
    np.testing.assert_array_equal(anomalous.get_offsets(), places[[1, 3]])
    np.testing.assert_array_equal(ringed.get_offsets(), places[[3]])
    assert (normal.get_label(), anomalous.get_label()) == ("in", "out")
    assert len(normal.get_paths()[0]) != len(anomalous.get_paths()[0]), "colour must not be the only difference"


def test_points_refuses(ax):
    with pytest.raises(ValueError, match=r"places must have shape \(n, 2\)"):
        plots.points(ax, np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"labels must have shape \(2,\)"):
        plots.points(ax, np.zeros((2, 2)), [1])
    with pytest.raises(ValueError, match="ring must be 0 or 1"):
        plots.points(ax, np.zeros((2, 2)), ring=[3, 4])


# --- slider -----------------------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def bar(figure, value):
    ax = figure.subplots()
    ax.bar([0], [value])
    ax.set_ylim(0, 1)


def test_slider_has_a_picture_and_words_for_each_value():
    values = [0.1, 0.25, 1]
    shown = plots.slider(bar, values, label="ν", alt='a bar & a "b"', figsize=(3, 2), start=1)
    elements = Elements(shown.data)
    (control,), pictures = elements.all("input"), elements.all("img")
    assert control["type"] == "range"
    assert (control["min"], control["max"], control["step"], control["value"]) == ("0", "2", "1", "1")
    assert control["aria-label"] == "ν"
    assert control["aria-valuetext"] == "ν = 0.25"
    assert "<output>ν = 0.25</output>" in shown.data
    assert [p["alt"] for p in pictures] == [f'a bar & a "b", ν = {value:g}' for value in values]
    assert ["display:block" in p["style"] for p in pictures] == [False, True, False]
    decoded = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(p["src"].split(",")[1]))).convert("L")) for p in pictures
    ]
    assert {picture.shape for picture in decoded} == {(288, 432)}, "all of one size, or the page jumps"
    ink = [(picture < 128).sum() for picture in decoded]
    assert ink[0] < ink[1] < ink[2]


def test_slider_needs_nothing_from_elsewhere():
    shown = plots.slider(bar, [0.1, 0.2], label="C", alt="a bar").data
    assert not re.search(r"https?:|//[a-z]|<script|<link|\bid=", re.sub(r"base64,[^\"]*", "", shown))
    assert shown == plots.slider(bar, [0.1, 0.2], label="C", alt="a bar").data, "must be the same on every build"


def test_slider_leaves_the_style_of_the_notebook_alone():
    before = dict(plt.rcParams)
    with plt.rc_context({"savefig.bbox": "tight"}):
        pictures = Elements(plots.slider(bar, [0.1, 0.9], label="C", alt="a bar", figsize=(3, 2)).data).all("img")
    sizes = {Image.open(io.BytesIO(base64.b64decode(p["src"].split(",")[1]))).size for p in pictures}
    assert sizes == {(432, 288)}
    assert dict(plt.rcParams) == before


def test_slider_takes_texts_and_an_alt_for_each():
    elements = Elements(
        plots.slider(
            lambda figure, value: figure.subplots(), ["<a>", "b"], label="map", alt=lambda v: f"of {v}", start=0
        ).data
    )
    assert [p["alt"] for p in elements.all("img")] == ["of <a>", "of b"]
    assert elements.all("input")[0]["aria-valuetext"] == "map = <a>"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [1]}, "values must hold two or more, got 1"),
        ({"label": " "}, "label must be a text"),
        ({"alt": ""}, "alt must be a text or a function"),
        ({"start": 2}, "start must be an index of values, 0 to 1, got 2"),
        ({"draw": lambda figure, value: None}, "draw must draw into the figure .* left it empty for 1"),
    ],
)
def test_slider_refuses(arguments, message):
    given = {"draw": bar, "values": [1, 2], "label": "C", "alt": "a bar"} | arguments
    with pytest.raises(ValueError, match=message):
        plots.slider(given.pop("draw"), given.pop("values"), **given)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_slider_moves_by_key_and_only_its_own_picture(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    page_file = tmp_path / "page.html"
    shown = plots.slider(bar, [0.1, 0.5, 0.9], label="C", alt="a bar", figsize=(3, 2)).data
    page_file.write_text(f"<meta charset=utf-8>{shown}{shown}", encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        page.locator("input").nth(1).focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("output").all_inner_texts() == ["C = 0.5", "C = 0.9"]
        visible = [picture.get_attribute("alt") for picture in page.locator("img:visible").all()]
        assert visible == ["a bar, C = 0.5", "a bar, C = 0.9"]
        assert page.locator("input").nth(1).get_attribute("aria-valuetext") == "C = 0.9"
        browser.close()


# --- table ------------------------------------------------------------------------------------------------------------


def test_table_sets_numbers_flush_right():
    rows = [["zero", np.float32(0.98765), 1, torch.tensor(0.5)], ["a|b", None, 2, 1.0]]
    lines = plots.table(["class", "AUROC", "n", "x"], rows, digits=2).data.split("\n")
    assert lines == [
        "| class | AUROC | n | x |",
        "| :--- | ---: | ---: | ---: |",
        "| zero | 0.99 | 1 | 0.50 |",
        "| a\\|b | – | 2 | 1.00 |",
    ]


def test_table_without_rows_and_refusals():
    assert plots.table(["a"], []).data == "| a |\n| :--- |"
    with pytest.raises(ValueError, match="header must name one or more columns"):
        plots.table([], [])
    with pytest.raises(ValueError, match="rows must have 2 cells each, like header; row 1 has 1"):
        plots.table(["a", "b"], [[1, 2], [3]])

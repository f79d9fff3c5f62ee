"""The player is tested by what it holds, and by using it in a browser."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from adlib import plots

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
RNG = np.random.default_rng(0)
LABELS = [0, 1, 1, 0, 0, 1]
SCORES = [0.0, 0.25, 1.0, 0.5, 0.5, 0.75]


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def ramp(count: int = 6, height: int = 4, width: int = 8) -> np.ndarray:
    """Frames of one grey each, brighter and brighter."""
    return np.broadcast_to(np.linspace(0, 1, count)[:, None, None], (count, height, width))


def decoded(element: dict[str, str | None]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(element["src"].split(",")[1]))))


def noise(count: int = 3, height: int = 48, width: int = 64) -> np.ndarray:
    return RNG.random((count, height, width))


def test_every_frame_is_there_with_words():
    shown = plots.player(ramp(), labels=LABELS, scores=SCORES, alt='a street & a "cart"')
    elements = Elements(shown.data)
    pictures = elements.all("img")
    texts = [
        f"frame {i + 1} of 6, {'anomalous' if odd else 'normal'}, score {score:.3g}"
        for i, (odd, score) in enumerate(zip(LABELS, SCORES, strict=True))
    ]
    assert [p["alt"] for p in pictures] == [f'a street & a "cart", {text}' for text in texts]
    assert [decoded(p).mean() for p in pictures] == pytest.approx(np.linspace(0, 255, 6), abs=1)
    frames = [attributes for attributes in elements.all("div") if "data-text" in attributes]
    assert [frame["data-text"] for frame in frames] == texts
    assert ["display:block" in frame["style"] for frame in frames] == [True] + [False] * 5
    (control,), (button,) = elements.all("input"), elements.all("button")
    assert (control["type"], control["min"], control["max"], control["step"], control["value"]) == ("range", *"0510")
    assert control["aria-label"] == "frame" and control["aria-valuetext"] == texts[0]
    assert button["type"] == "button" and ">Play</button>" in shown.data
    assert elements.all("div")[0]["aria-label"] == 'video: a street & a "cart"'
    assert f">{texts[0]}</output>" in shown.data
    assert elements.all("output")[0]["aria-live"] == "off", "or a screen reader speaks at every frame"


def test_the_strip_shows_labels_and_scores():
    elements = Elements(plots.player(ramp(), labels=LABELS, scores=torch.tensor(SCORES), alt="a street").data)
    (strip,) = elements.all("svg")
    assert strip["aria-label"] == "scores from 0 to 1; anomalous frames: 2 to 3, 6 to 6"
    ground, *bars = elements.all("rect")
    assert (ground["fill"], ground["x"], ground["width"]) == (plots.NORMAL, "0", "6")
    assert [(bar["fill"], bar["x"], bar["width"]) for bar in bars] == [
        (plots.ANOMALOUS, "1", "2"),
        (plots.ANOMALOUS, "5", "1"),
    ]
    assert float(bars[0]["height"]) > float(ground["height"]), "colour must not be the only difference"
    places = np.array([place.split(",") for place in elements.all("polyline")[0]["points"].split()], float)
    np.testing.assert_array_equal(places[:, 0], np.arange(6) + 0.5)
    up = places[:, 1].max() - places[:, 1]
    np.testing.assert_allclose(up / up.max(), SCORES, atol=0.01)
    height = float(strip["viewbox"].split()[3])
    assert places[:, 1].min() > 0 and places[:, 1].max() < float(bars[0]["y"]) < height
    (line,) = elements.all("line")
    assert line["x1"] == line["x2"] == "0.5"


def test_the_strip_without_one_or_both():
    neither = Elements(plots.player(ramp(), alt="a street").data)
    assert not neither.all("svg") and not neither.all("line")
    assert neither.all("input")[0]["aria-valuetext"] == "frame 1 of 6"
    labels = Elements(plots.player(ramp(), labels=[0] * 6, alt="a street").data)
    assert labels.all("svg")[0]["aria-label"] == "anomalous frames: none" and len(labels.all("rect")) == 1
    scores = Elements(plots.player(ramp(), scores=[2] * 6, alt="a street").data)  # all alike: a line in the middle
    assert not scores.all("rect") and "NaN" not in scores.all("polyline")[0]["points"]
    assert scores.all("svg")[0]["aria-label"] == "scores from 2 to 2"


def test_masks_are_drawn_along_their_pixels():
    masks = np.zeros((6, 4, 8), int)
    masks[2, 1:3, 2:5] = 1  # a rectangle
    masks[4, 0, 7] = masks[4, 3, 0] = 1  # two corners of the picture
    elements = Elements(plots.player(ramp(), masks=masks, alt="a street").data)
    paths = [path["d"] for path in elements.all("path")]
    assert paths == ["M2 1h3M2 3h3M2 1v2M5 1v2", "M7 0h1M7 1h1M0 3h1M0 4h1M0 3v1M1 3v1M7 0v1M8 0v1"]
    assert [svg["viewbox"] for svg in elements.all("svg")] == ["0 0 8 4"] * 2
    assert {path["stroke"] for path in elements.all("path")} == {plots.ANOMALOUS}


def test_the_border_of_any_mask_is_that_of_its_pixels():
    """Every edge between a pixel inside and one outside, and no other."""
    mask = RNG.random((6, 8)) < 0.5
    masks = np.stack([mask, mask])
    path = Elements(plots.player(RNG.random((2, 6, 8)), masks=masks, alt="noise").data).all("path")[0]["d"]
    drawn = set()
    for x, y, way, length in re.findall(r"M(\d+) (\d+)([hv])(\d+)", path):
        for step in range(int(length)):
            drawn.add((int(x) + step * (way == "h"), int(y) + step * (way == "v"), way))
    inside = {(x, y) for y, x in np.argwhere(mask)}
    expected = {(x, y, "h") for y in range(7) for x in range(8) if ((x, y) in inside) != ((x, y - 1) in inside)}
    expected |= {(x, y, "v") for y in range(6) for x in range(9) if ((x, y) in inside) != ((x - 1, y) in inside)}
    assert drawn == expected


@pytest.mark.parametrize(("make", "kind"), [(noise, "jpeg"), (ramp, "png")])
def test_frames_are_packed_as_whatever_is_smaller(make, kind):
    frames = make()
    pictures = Elements(plots.player(frames, alt="a street").data).all("img")
    assert all(picture["src"].startswith(f"data:image/{kind};base64,") for picture in pictures)
    for picture, frame in zip(pictures, frames, strict=True):
        np.testing.assert_allclose(decoded(picture) / 255, frame, atol=0.15 if kind == "jpeg" else 0.002)


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_grey_and_colour(channels):
    shape = (3, 10, 12) if channels is None else (3, channels, 10, 12)
    frames = torch.zeros(shape)
    frames[..., :6] = 1
    if channels == 3:
        frames[:, 1:] = 0
    first = decoded(Elements(plots.player(frames, alt="halves").data).all("img")[0])
    expected = np.zeros((10, 12, 3) if channels == 3 else (10, 12))
    expected[:, :6] = [255, 0, 0] if channels == 3 else 255
    np.testing.assert_allclose(first, expected, atol=8)


def test_player_needs_nothing_from_elsewhere():
    arguments = {"labels": LABELS, "scores": SCORES, "masks": np.ones((6, 4, 8)), "alt": "a street"}
    shown = plots.player(ramp(), **arguments).data
    assert not re.search(r"https?:|//[a-z]|<script|<link|\bid=|autoplay", re.sub(r"base64,[^\"]*", "", shown))
    assert shown == plots.player(ramp(), **arguments).data, "must be the same on every build"


def test_size_on_the_screen_and_speed():
    shown = plots.player(ramp(), alt="a street", width=300, fps=8).data
    assert "width:300px;max-width:100%" in shown and "},125)" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": np.zeros((6, 2, 4, 8))}, "frames must have shape"),
        ({"frames": np.zeros((6, 4, 8)) + 2}, "frames must lie in"),
        ({"frames": np.zeros((1, 4, 8))}, "frames must hold two or more, got 1"),
        ({"labels": [0, 1]}, r"labels must have shape \(6,\), got \(2,\)"),
        ({"labels": [0, 1, 2, 0, 0, 0]}, "labels must be 0 or 1, got the value 2"),
        ({"scores": [1, 2]}, "scores must hold one value for each of the 6 frames, got 2"),
        ({"scores": [1, 2, 3, 4, 5, np.nan]}, "scores must be finite"),
        ({"masks": np.zeros((6, 8, 4))}, r"masks must have shape \(6, 4, 8\), got \(6, 8, 4\)"),
        ({"masks": np.full((6, 4, 8), 0.5)}, "masks must be 0 or 1"),
        ({"fps": 0}, "fps must be a number above 0, got 0"),
        ({"width": 0}, "width must be an integer of at least 1, got 0"),
        ({"alt": " "}, "alt must be a text, got ' '"),
    ],
)
def test_player_refuses(arguments, message):
    given = {"frames": ramp(), "alt": "a street"} | arguments
    with pytest.raises(ValueError, match=message):
        plots.player(given.pop("frames"), **given)


# in a browser


@pytest.fixture
def page(tmp_path):
    """A page with the same player twice."""
    playwright = pytest.importorskip("playwright.sync_api")
    masks = np.zeros((6, 4, 8))
    masks[:, 1:3, 2:4] = 1
    shown = plots.player(ramp(), labels=LABELS, scores=SCORES, masks=masks, alt="a street", fps=50).data
    (tmp_path / "page.html").write_text(f"<meta charset=utf-8>{shown}{shown}", encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        yield page
        assert not page.errors
        browser.close()


def shown_frames(page) -> list[str]:
    return [picture.get_attribute("alt").split(",")[1].strip() for picture in page.locator("img:visible").all()]


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


@needs_browser
def test_it_waits_then_plays_to_the_end_then_from_the_start(page):
    page.wait_for_timeout(200)
    assert shown_frames(page) == ["frame 1 of 6"] * 2, "nothing moves by itself"
    first = page.locator(".adlib-player").first
    for _ in range(2):  # at the end, it starts anew
        first.locator("button").click()
        page.wait_for_function("document.querySelector('input').value === '5'")
        assert shown_frames(page) == ["frame 6 of 6", "frame 1 of 6"], "the other player stays"
        assert first.locator("button").inner_text() == "Play"
    assert first.locator("output").inner_text() == "frame 6 of 6, anomalous, score 0.75"
    assert first.locator("line").get_attribute("x1") == "5.5"
    assert first.locator("input").get_attribute("aria-valuetext") == "frame 6 of 6, anomalous, score 0.75"


@needs_browser
def test_it_pauses_by_the_button_and_by_the_slider(page):
    page.evaluate("document.body.innerHTML = document.body.innerHTML.replaceAll('},20)', '},150)')")  # slow motion
    first = page.locator(".adlib-player").first
    button, bar = first.locator("button"), first.locator("input")
    for stop in (button.click, lambda: bar.press("ArrowRight")):
        bar.evaluate("bar => { bar.value = 0 }")
        button.click()
        assert button.inner_text() == "Pause"
        page.wait_for_function("Number(document.querySelector('input').value) > 0")
        stop()
        assert button.inner_text() == "Play"
        at = bar.input_value()
        page.wait_for_timeout(400)
        assert bar.input_value() == at != "5"


@needs_browser
def test_it_is_used_by_keys(page):
    page.locator("input").nth(1).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert shown_frames(page) == ["frame 1 of 6", "frame 3 of 6"]
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelectorAll('input')[1].value === '5'")
    assert shown_frames(page) == ["frame 1 of 6", "frame 6 of 6"]


@needs_browser
def test_borders_lie_on_their_frames_whatever_the_theme_does_to_pictures(page):
    page.add_style_tag(content="img { padding: 8px; margin: 5px; border-radius: 4px }")
    picture, border = (page.locator(tag).first.bounding_box() for tag in ("img", "img + svg"))
    assert border == pytest.approx(picture, abs=0.5)
    assert picture["width"] / picture["height"] == pytest.approx(2, abs=0.01)


@needs_browser
def test_it_fits_a_narrow_screen_and_does_not_jump(page):
    page.set_viewport_size({"width": 320, "height": 600})
    before = page.locator(".adlib-player").first.bounding_box()
    assert before["width"] <= 320
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.locator("input").first.press("End")
    assert page.locator(".adlib-player").first.bounding_box() == before

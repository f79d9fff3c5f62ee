"""The built book as a reader meets it: every page in a headless Chromium that can reach no other host.

The pages come from ``make book``. Without a built book or without Chromium the browser tests are skipped; with
REQUIRE_BROWSER=1, which ``.ci/run`` sets, they fail instead. CHROMIUM names a browser that is not on the path.
"""

from __future__ import annotations

import os
import pkgutil
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
import yaml
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as PlaywrightError

import adlib

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every name but our own address fails to resolve: the book is read as if there were no network.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
RAW_MATHS = r"\$|\\[(\[]"  # what MathJax would have replaced
CONTRAST = 4.5  # to 1: WCAG 2.2, level AA, for text of ordinary size
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}  # px: a laptop and a telephone


def skip_or_fail(reason: str) -> None:
    """Skip, or fail where the browser test is required."""
    if os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(f"REQUIRE_BROWSER is set, but {reason}", pytrace=False)
    pytest.skip(reason)


# --- What needs no browser --------------------------------------------------------------------------------------------


def test_every_public_module_is_on_the_api_page() -> None:
    """A module whose name starts with an underscore is private; ``adlib.cli`` is not for importing."""
    api = (ROOT / "book" / "reference" / "api.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^\.\. (?:automodule|module):: (\S+)$", api, flags=re.M))
    modules = {module.name for module in pkgutil.walk_packages(adlib.__path__, "adlib.") if not module.ispkg}
    public = {name for name in modules if not any(part.startswith("_") for part in name.split("."))} - {"adlib.cli"}
    assert public <= shown, f"missing from book/reference/api.md: {sorted(public - shown)}"


class Links(HTMLParser):
    """The addresses a page refers to, and the ids that others may refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one tag."""
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.targets.add(value)
            if value and name in ("id", "name"):
                self.ids.add(value)


def test_no_link_inside_the_book_is_dead() -> None:
    """Addresses of other hosts are not visited: the test needs no network."""
    if not (HTML / "search.html").exists():
        skip_or_fail("the book is not built: make book")
    parsed = {}
    for page in [*HTML.glob("*.html"), *(HTML / "book").rglob("*.html")]:
        parsed[page] = Links()
        parsed[page].feed(page.read_text(encoding="utf-8"))
    dead = []
    for page, links in parsed.items():
        for target in links.targets:
            address = urlsplit(target)
            if address.scheme or address.netloc:
                continue
            path = (page.parent / unquote(address.path)).resolve() if address.path else page
            if not path.exists():
                dead.append(f"{page.relative_to(HTML)}: {target}")
            elif path in parsed and address.fragment and unquote(address.fragment) not in parsed[path].ids:
                dead.append(f"{page.relative_to(HTML)}: {target} (no such place on that page)")
    assert not dead, "\n".join(dead)


# --- The browser ------------------------------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    """A file server that does not write every request to the test's output."""

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of the built book."""
    if not (HTML / "search.html").exists():
        skip_or_fail("the book is not built: make book")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        skip_or_fail("no Chromium was found")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """One open page, and everything that went wrong on it."""

    def __init__(self, browser: Browser, site: str, name: str) -> None:
        self.name = name
        self.problems: list[str] = []
        self.page = browser.new_page(viewport=WIDE)
        host = urlsplit(site).netloc
        self.page.on("console", lambda m: self.problems.append(f"console: {m.text}") if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(f"error on the page: {error}"))
        self.page.on("requestfailed", lambda r: self.problems.append(f"request failed: {r.url}"))
        self.page.on("response", lambda r: self.problems.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        self.page.on("request", lambda request: self.note_foreign(request.url, host))
        self.page.goto(f"{site}/{name}.html", wait_until="load")
        self.await_maths()
        if self.page.locator(".bd-article .Quiz").count():
            self.page.wait_for_timeout(700)  # the quiz asks for its own maths half a second after the page

    def await_maths(self) -> None:
        """Wait until MathJax has typeset the page; a MathJax that never arrives is one more problem."""
        ready = "() => !window.MathJax || window.MathJax.startup?.promise"
        try:
            self.page.wait_for_function(ready, timeout=5000)
            self.page.evaluate("() => window.MathJax?.startup.promise")
        except PlaywrightError as error:
            self.problems.append(f"MathJax did not load: {error}")

    def note_foreign(self, address: str, host: str) -> None:
        """Note a request that leaves this machine."""
        parts = urlsplit(address)
        if parts.scheme not in ("data", "blob") and parts.netloc != host:
            self.problems.append(f"request to another host: {address[:200]}")

    def scheme(self, name: str) -> None:
        """Switch to "light" or "dark", as the theme's own button does."""
        self.page.evaluate(
            "name => Object.assign(document.documentElement.dataset, {theme: name, mode: name})",
            name,
        )

    def unfold(self) -> None:
        """Open every fold: dropdowns, hidden code, solutions."""
        self.page.evaluate(
            """() => {
                document.querySelectorAll('details').forEach(fold => { fold.open = true; });
                document.querySelectorAll('.toggle-hidden').forEach(fold => fold.classList.remove('toggle-hidden'));
            }"""
        )


# A module-scoped parameter keeps one page open through all the tests below, then moves to the next page.
@pytest.fixture(scope="module", params=PAGES)
def visit(request: pytest.FixtureRequest, browser: Browser, site: str) -> Iterator[Visit]:
    """Each page of the book in turn."""
    opened = Visit(browser, site, request.param)
    yield opened
    opened.page.close()


def test_maths_is_typeset(visit: Visit) -> None:
    """Every formula became MathJax's output, and none is an error message."""
    found = visit.page.evaluate(
        """() => {
            const formulas = [...document.querySelectorAll('.bd-article .math')];
            return {
                raw: formulas.filter(f => !f.querySelector('mjx-container')).map(f => f.textContent.slice(0, 80)),
                wrong: [...document.querySelectorAll(
                    '.bd-article mjx-merror, .bd-article [data-mjx-error], .bd-article mjx-mtext[style*="red"]'
                )].map(e => e.closest('mjx-container').textContent.slice(0, 80)),
            };
        }"""
    )
    assert found == {"raw": [], "wrong": []}


def test_every_picture_loads_and_says_what_it_shows(visit: Visit) -> None:
    """myst-nb fills a missing alternative text with the path of the file, so a path does not count."""
    visit.unfold()
    pictures = visit.page.evaluate(
        """async () => Promise.all([...document.querySelectorAll('.bd-article img')].map(async picture => {
            picture.loading = 'eager';
            await picture.decode().catch(() => null);
            return {alt: picture.alt, src: picture.src.slice(0, 100), width: picture.naturalWidth};
        }))"""
    )
    unnamed = [p["src"] for p in pictures if not p["alt"].strip() or re.search(r"\.(png|svg|jpe?g|gif)$", p["alt"])]
    empty = [p["src"] for p in pictures if p["width"] == 0]
    assert not unnamed, f"without alternative text: {unnamed}"
    assert not empty, f"without pixels: {empty}"


READABLE = """contrast => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    const cache = {};
    const rgba = colour => cache[colour] ??= (() => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    })();
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
    const background = element => {
        const layers = [];
        for (let e = element; e; e = e.parentElement) {
            const layer = rgba(getComputedStyle(e).backgroundColor);
            if (layer[3] > 0) layers.push(layer);
            if (layer[3] === 1) break;
        }
        return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const luminance = colour => {
        const [r, g, b] = colour.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faint = [];
    for (const element of document.querySelectorAll('.bd-article, .bd-article *')) {
        const maths = element.tagName === 'MJX-CONTAINER';
        if (!maths && element.closest('mjx-container, script, style, svg, .sr-only, .headerlink, .copybtn')) continue;
        const text = [...element.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join('').trim();
        if (!text && !maths) continue;
        if (!element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
        if (!element.getClientRects().length) continue;
        let opacity = 1;
        for (let e = element; e; e = e.parentElement) opacity *= Number(getComputedStyle(e).opacity);
        const paper = background(element);
        const colour = rgba(getComputedStyle(element).color);
        const ink = over([...colour.slice(0, 3), colour[3] * opacity], paper);
        const [light, dark] = [luminance(ink), luminance(paper)].sort((a, b) => b - a);
        const ratio = (light + 0.05) / (dark + 0.05);
        if (ratio < contrast) {
            const name = element.tagName.toLowerCase() + [...element.classList].map(c => '.' + c).join('');
            faint.push(`${ratio.toFixed(2)} ${name} "${text.slice(0, 40)}" ink ${ink.map(Math.round)} on ${paper}`);
        }
    }
    return [...new Set(faint)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(visit: Visit, scheme: str) -> None:
    """Prose, tables, code, admonitions, quizzes and maths, folded ones included."""
    visit.unfold()
    visit.scheme(scheme)
    visit.page.wait_for_timeout(300)  # colours fade over
    faint = visit.page.evaluate(READABLE, CONTRAST)
    visit.scheme("light")
    assert not faint, "\n".join(faint)


def test_pictures_keep_white_paper_and_their_colours_in_the_dark(visit: Visit) -> None:
    """A figure with a transparent background and black axes would vanish; a filter would falsify a heat map."""
    visit.scheme("dark")
    styles = visit.page.evaluate(
        """() => [...document.querySelectorAll('.bd-article img:not(.only-light, .only-dark, .dark-light)')].map(p =>
            [getComputedStyle(p).backgroundColor, getComputedStyle(p).filter])"""
    )
    visit.scheme("light")
    assert all(style == ["rgb(255, 255, 255)", "none"] for style in styles), styles


def test_nothing_is_wider_than_a_telephone(visit: Visit) -> None:
    """What is wider, such as a long equation, scrolls inside itself."""
    visit.unfold()
    visit.page.set_viewport_size(NARROW)
    visit.page.wait_for_timeout(200)
    width, wide = visit.page.evaluate(
        """() => {
            const scrolls = e => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX);
            const inside = e => { for (; e; e = e.parentElement) if (scrolls(e)) return true; return false; };
            const wide = [...document.querySelectorAll('.bd-article *')].filter(e =>
                e.getBoundingClientRect().right > innerWidth + 1 && e.getBoundingClientRect().width > 1
                && !e.closest('mjx-assistive-mml, .sr-only, .copybtn') && !inside(e.parentElement) && !scrolls(e));
            return [document.documentElement.scrollWidth, wide.map(e => e.outerHTML.slice(0, 120))];
        }"""
    )
    visit.page.set_viewport_size(WIDE)
    assert width <= NARROW["width"], f"the page is {width} px wide on a screen of {NARROW['width']} px; {wide[:5]}"
    assert not wide, "\n".join(wide[:10])


def test_every_answer_of_a_quiz_gives_feedback(visit: Visit) -> None:
    """Each choice is clicked, each field filled in; afterwards the quiz is still readable in both schemes."""
    quizzes = visit.page.locator(".bd-article .Quiz")
    for quiz in quizzes.all():
        feedback = quiz.locator(".Feedback")
        for answer in quiz.locator(".MCButton").all():
            feedback.evaluate("f => { f.textContent = ''; }")
            answer.click()
            said = feedback.inner_text().strip()
            assert said, f"no feedback: {quiz.inner_text()!r}, {answer.inner_text()!r}"
            assert not re.search(RAW_MATHS, said), f"maths is not typeset: {said!r}"
        for field in quiz.locator("input.Input-text").all():
            field.fill("-987654")
            field.press("Enter")
            assert feedback.inner_text().strip(), f"no feedback: {quiz.inner_text()!r}"
        assert not re.search(RAW_MATHS, quiz.inner_text()), f"maths is not typeset: {quiz.inner_text()!r}"
    if quizzes.count():
        visit.page.wait_for_timeout(1000)  # the answers' colours are animated
        for scheme in ("dark", "light"):
            visit.scheme(scheme)
            visit.page.wait_for_timeout(300)
            assert not visit.page.evaluate(READABLE, CONTRAST)


def test_every_slider_changes_its_picture(visit: Visit) -> None:
    """Moved with the keyboard, as someone without a mouse does. The slider must say what it moves."""
    visit.unfold()
    shown = """slider => [...(slider.closest('.cell_output') ?? slider.parentElement.parentElement)
        .querySelectorAll('img, svg, canvas')].filter(e => e.checkVisibility())
        .map(e => e.tagName === 'IMG' ? e.src : e.tagName === 'CANVAS' ? e.toDataURL() : e.innerHTML)"""
    for slider in visit.page.locator(".bd-article input[type=range]").all():
        assert slider.evaluate("s => s.labels.length > 0 || !!s.ariaLabel || !!s.getAttribute('aria-labelledby')")
        pictures = []
        for key in ("Home", "End"):
            slider.press(key)
            visit.page.wait_for_timeout(100)
            pictures.append(slider.evaluate(shown))
        assert pictures[0] and pictures[0] != pictures[1], "the slider shows the same picture at both of its ends"


def test_the_colab_button_opens_a_notebook_that_exists(visit: Visit) -> None:
    """The address comes from _config.yml. A page without code has no button."""
    links = visit.page.locator('a[href^="https://colab.research.google.com"]')
    buttons = {link.get_attribute("href") for link in links.all() if link.evaluate("a => !a.closest('.bd-article')")}
    source = (ROOT / f"{visit.name}.md").read_text(encoding="utf-8")
    if not re.match(r"---\n.*?^kernelspec:.*?\n---\n", source, flags=re.S | re.M):
        assert not buttons
        return
    repository = CONFIG["repository"]
    path = urlsplit(repository["url"]).path.strip("/")
    notebook = f"{visit.name}.ipynb"
    assert buttons == {f"https://colab.research.google.com/github/{path}/blob/{repository['branch']}/{notebook}"}
    assert (ROOT / notebook).stat().st_size > 0


def test_search_finds_the_page(visit: Visit, browser: Browser, site: str) -> None:
    """Searching for a page's title lists that page."""
    title = visit.page.locator(".bd-article h1").first.evaluate("h => h.firstChild.textContent")
    page = browser.new_page()
    page.goto(f"{site}/search.html?q={quote(title)}")
    page.locator("#search-results ul.search li a").first.wait_for(timeout=10_000)
    page.wait_for_function("() => /finished|found/i.test(document.querySelector('#search-results p')?.textContent)")
    found = page.locator("#search-results ul.search li a").evaluate_all("links => links.map(link => link.pathname)")
    page.close()
    assert f"/{visit.name}.html" in found, f"search for {title!r} found {found}"


# The last of a page's tests, so that it also sees what the quizzes and sliders set off.
def test_no_error_and_no_request_to_another_host(visit: Visit) -> None:
    """Nothing on the console, nothing missing, and all of it from this machine."""
    assert not visit.problems, "\n".join(visit.problems)


def test_the_search_field_works(browser: Browser, site: str) -> None:
    """A word typed into the search field of a page leads to results, without an error."""
    visit = Visit(browser, site, TOC["root"])
    visit.page.keyboard.press("Control+k")
    field = visit.page.locator("input[type=search]:visible").first
    field.fill("anomaly")
    field.press("Enter")
    visit.page.wait_for_url("**/search.html?q=anomaly*")
    visit.page.locator("#search-results ul.search li a").first.wait_for(timeout=10_000)
    visit.page.close()
    assert not visit.problems, "\n".join(visit.problems)


def test_the_front_page_leads_to_the_book(browser: Browser, site: str) -> None:
    """The address of the site itself opens the introduction."""
    page = browser.new_page()
    page.goto(site)
    page.wait_for_url(f"**/{TOC['root']}.html")
    page.close()

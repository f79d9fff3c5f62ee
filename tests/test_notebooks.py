"""The export of the pages: constructs, what is refused, numbers against a real build, and every notebook there is."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urljoin

import jupytext
import nbformat
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import export_notebooks as exporter  # noqa: E402
from book_index import Book  # noqa: E402
from myst_blocks import PageError  # noqa: E402
from myst_to_markdown import Cell, convert  # noqa: E402

SITE = "https://someone.github.io/some.where/"
RAW = "https://raw.githubusercontent.com/someone/some.where/trunk/"
FRONT = """\
---
jupytext:
  formats: md:myst,py:percent
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""
CONFIG = {
    "title": "T",
    "author": "A",
    "only_build_toc_files": True,
    "exclude_patterns": ["**.ipynb"],
    "execute": {"execute_notebooks": "off"},
    "repository": {"url": "https://github.com/someone/some.where", "branch": "trunk"},
    "bibtex_bibfiles": ["book/references.bib"],
    "parse": {"myst_enable_extensions": ["amsmath", "colon_fence", "dollarmath"]},
    "sphinx": {
        "extra_extensions": ["sphinx_exercise"],
        "config": {"exercise_style": "solution_follow_exercise", "bibtex_reference_style": "author_year"},
    },
}
BIBLIOGRAPHY = r"""
@article{tax, author={Tax, David M. J. and Duin, Robert P. W.}, title={A}, journal={J}, year=2004}
@article{ruff, author={Ruff, Lukas and G{\"o}rnitz, Nico and Kloft, Marius}, title={B}, journal={J}, year=2018}
@article{scho, author={Sch{\"o}lkopf, Bernhard}, title={C}, journal={J}, year=2001}
@article{maat, author={van der Maaten, Laurens and Hinton, Geoffrey}, title={D}, journal={J}, year=2008}
"""
GLOSSARY = """\
# Glossary

```{glossary}
anomaly
  What does not belong.

One-class classification
  Learning from one class.

F1 score
AUC
  Figures.

높이
  Height.
```
"""
FIRST = """\
(first)=
# The *first* page

$$ a $$ (eq-first)

```{figure} dot.png
:name: fig-first
:alt: A dot

Far figure
```

```{exercise} Far
:label: ex-first

Do.
```
"""
# Labels for the pages under test to refer to; the lines under test come after it.
HOME = """\
# Home

(sec-home)=
## The dual of $f_1$

$$
a = b
$$ (eq_one)

:::{figure} dot.png
:name: fig-one
:alt: One dot

A caption
:::

```{exercise} Slack
:label: ex-one

Do it.
```

```{list-table} Sizes
:name: tab-one
:header-rows: 1

* - a
* - b
```

(loose)=
A paragraph.

"""


def make_book(root: Path, toc: object = None) -> Path:
    (root / "book" / "reference").mkdir(parents=True)
    toc = toc or {
        "format": "jb-book",
        "root": "book/intro",
        "chapters": [{"file": f"book/{name}"} for name in ("first", "page", "reference/glossary", "reference/works")],
    }
    files = {
        "_config.yml": yaml.safe_dump(CONFIG),
        "_toc.yml": yaml.safe_dump(toc),
        "book/references.bib": BIBLIOGRAPHY,
        "book/intro.md": "# Intro\n\n$$ i $$ (eq-intro)\n",
        "book/first.md": FRONT + FIRST,
        "book/page.md": FRONT + HOME,
        "book/reference/glossary.md": GLOSSARY,
        "book/reference/works.md": "# Works\n\n```{bibliography}\n```\n",
    }
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    (root / "book" / "dot.png").write_bytes(
        bytes.fromhex(
            "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
            "3a7e9b550000000a49444154789c63600000000200014898ab000000000049454e44ae426082"
        )
    )
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_book(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return Book(make_book(tmp_path_factory.mktemp("home")))


def cells(root: Path, text: str) -> list[Cell]:
    """The cells of a page that starts with HOME, without what HOME gives."""
    page = root / "book" / "page.md"
    page.write_text(FRONT + HOME + "+++\n\n" + text, encoding="utf-8")
    return convert(page.read_text(encoding="utf-8"), "book/page", Book(root))[1:]


def markdown(root: Path, text: str) -> str:
    """The Markdown of a text that holds no code cell."""
    (cell,) = cells(root, text)
    assert cell.kind == "markdown"
    return cell.source


INLINE = [
    ("{cite:t}`tax`", "Tax and Duin (2004)"),
    ("{cite:p}`tax`", "(Tax and Duin, 2004)"),
    ("{cite}`tax`", "(Tax and Duin, 2004)"),
    ("{cite:t}`ruff,maat`", "Ruff et al. (2018), van der Maaten and Hinton (2008)"),
    ("{cite:p}`scho, ruff`", "(Schölkopf, 2001; Ruff et al., 2018)"),
    ("{eq}`eq_one`", "(3)"),
    ("{eq}`eq-first`", f"[(2)]({SITE}book/first.html#equation-eq-first)"),
    ("{ref}`sec-home`", "The dual of $f_1$"),
    ("{ref}`words <sec-home>`", "words"),
    ("{ref}`words <loose>`", "words"),
    ("{ref}`first`", f"[The *first* page]({SITE}book/first.html#first)"),
    ("{ref}`words\nin two lines <first>`", f"[words in two lines]({SITE}book/first.html#first)"),
    ("{ref}`ex-one`", "Exercise 2"),
    ("{ref}`ex-first`", f"[Exercise 1]({SITE}book/first.html#ex-first)"),
    ("{numref}`fig-one`", "Fig. 2"),
    ("{numref}`Figure %s <fig-one>`", "Figure 2"),
    ("{numref}`{name} ({number}) <fig-one>`", "A caption (2)"),
    ("{numref}`tab-one`", "Table 1"),
    ("{ref}`tab-one`", "Sizes"),
    ("{doc}`first`", f"[The *first* page]({SITE}book/first.html)"),
    ("{doc}`/book/first`", f"[The *first* page]({SITE}book/first.html)"),
    ("{doc}`that page <reference/glossary>`", f"[that page]({SITE}book/reference/glossary.html)"),
    ("{term}`anomaly`", f"[anomaly]({SITE}book/reference/glossary.html#term-anomaly)"),
    ("{term}`Anomalies <anomaly>`", f"[Anomalies]({SITE}book/reference/glossary.html#term-anomaly)"),
    ("{term}`AUC`", f"[AUC]({SITE}book/reference/glossary.html#term-AUC)"),
    (
        "{term}`one-class classification`",
        f"[one-class classification]({SITE}book/reference/glossary.html#term-One-class-classification)",
    ),
    ("{class}`adlib.SVDD`", f"[`adlib.SVDD`]({SITE}book/reference/api.html#adlib.SVDD)"),
    ("{py:class}`~adlib.SVDD`", f"[`SVDD`]({SITE}book/reference/api.html#adlib.SVDD)"),
    ("{meth}`~adlib.SVDD.fit`", f"[`fit()`]({SITE}book/reference/api.html#adlib.SVDD.fit)"),
    ("{func}`the area <adlib.metrics.auroc>`", f"[the area]({SITE}book/reference/api.html#adlib.metrics.auroc)"),
    ("{mod}`adlib.metrics`", f"[`adlib.metrics`]({SITE}book/reference/api.html#module-adlib.metrics)"),
    ("{class}`torch.nn.Module`", "`torch.nn.Module`"),
    ("{abbr}`AUC (area under the curve)`", "AUC (area under the curve)"),
    ("{math}`x_1`", "$x_1$"),
]


@pytest.mark.parametrize(("role", "expected"), INLINE, ids=[role for role, _ in INLINE])
def test_a_role_becomes_text_or_a_link(root: Path, role: str, expected: str) -> None:
    assert markdown(root, f"Before {role}, after.") == f"Before {expected}, after."


BLOCKS = {
    "note": ("```{note}\nBody {eq}`eq_one`.\n```", "> **Note**\n>\n> Body (3)."),
    "words on the first line": ("```{tip} Body\nmore\n```", "> **Tip**\n>\n> Body\n> more"),
    "see also": (":::{seealso}\n{doc}`first`\n:::", f"> **See also**\n>\n> [The *first* page]({SITE}book/first.html)"),
    "titled": ("```{admonition} The *idea*\n:class: tip\n\nBody\n```", "> **The *idea***\n>\n> Body"),
    "class dropdown": (
        "```{note}\n:class: dropdown\n\nBody\n```",
        "<details>\n<summary><b>Note</b></summary>\n\nBody\n\n</details>",
    ),
    "dropdown": (
        ":::{dropdown} Why *this* $x_1 < y_1$?\nBody\n:::",
        "<details>\n<summary><b>Why <em>this</em> $x_1 &lt; y_1$?</b></summary>\n\nBody\n\n</details>",
    ),
    "epigraph": ("```{epigraph}\nWords.\n\n-- Someone\n```", "> Words.\n>\n> — Someone"),
    "nested": (
        "::::{note}\nOuter\n\n:::{warning}\nInner\n:::\n::::",
        "> **Note**\n>\n> Outer\n>\n> > **Warning**\n> >\n> > Inner",
    ),
    "code within": (
        "````{note}\n```python\nx = {y}  # {eq}`z`\n\n\n(a)=\n```\n````",
        "> **Note**\n>\n> ```python\n> x = {y}  # {eq}`z`\n>\n>\n> (a)=\n> ```",
    ),
    "two quotes stay two": (
        "```{note}\na\n```\n```{tip}\nb\n```",
        "> **Note**\n>\n> a\n\n<!-- -->\n\n> **Tip**\n>\n> b",
    ),
    "a quote before a box": ("> Words\n\n```{note}\na\n```", "> Words\n\n<!-- -->\n\n> **Note**\n>\n> a"),
    "a quote after a box": ("```{note}\na\n```\n\n> Words", "> **Note**\n>\n> a\n\n<!-- -->\n\n> Words"),
    "in a list": (
        "- one\n\n  ```{note}\n  a\n  ```\n\n- two {eq}`eq_one`",
        "- one\n\n  > **Note**\n  >\n  > a\n\n- two (3)",
    ),
    "at the head of a list item": ("- ```{note}\n  a\n  ```", "- > **Note**\n  >\n  > a"),
    "label": ("(here)=\n## Title\n\nText", "## Title\n\nText"),
    "comment": ("One.\n\n% gone {eq}`x`\n\nTwo.", "One.\n\nTwo."),
    "comment between lines": ("One.\n% gone\nTwo.", "One.\n\nTwo."),
    "labelled equation": ("$$\nx_1 = \\{y\\}\n$$ (eq-new)", "$$\nx_1 = \\{y\\}\n\\tag{4}\n$$"),
    "equation on one line": ("$$ x $$ (eq-new)", "$$\nx\n\\tag{4}\n$$"),
    "equation without a label": ("Text:\n\n$$\nx\n$$\nmore", "Text:\n\n$$\nx\n$$\n\nmore"),
    "math directive": ("```{math}\n:label: eq-new\nx\n```", "$$\nx\n\\tag{4}\n$$"),
    "lines of an equation": ("$$\na \\\\\nb\n$$", "$$\n\\begin{split}\na \\\\\nb\n\\end{split}\n$$"),
    "aligned equation": (
        "$$\n\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}\n$$ (eq-new)",
        "$$\n\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}\n\\tag{4}\n$$",
    ),
    "equation in a box": ("```{note}\n$$\na\n= b\n$$ (eq-new)\n```", "> **Note**\n>\n> $$ a = b \\tag{4} $$"),
    "inline mathematics over two lines in a box": (
        "```{note}\nSo $a\n\\le b$.\n```",
        "> **Note**\n>\n> So $a \\le b$.",
    ),
    "equation in a list": ("- so\n\n  $$\n  a\n  $$", "- so\n\n  $$\n  a\n  $$"),
    "figure": (
        "```{figure} dot.png\n:alt: A [dot]\n\nA caption, {eq}`eq_one`.\n\nA legend.\n```",
        f"![A \\[dot\\]]({RAW}book/dot.png)\n\n**Fig. 3.** A caption, (3).\n\nA legend.",
    ),
    "figure without caption": ("```{figure} /book/dot.png\n:alt: A dot\n```", f"![A dot]({RAW}book/dot.png)"),
    "image of a width": (
        '```{image} dot.png\n:alt: A "dot"\n:width: 400px\n```',
        f'<img src="{RAW}book/dot.png" alt="A &quot;dot&quot;" width="400">',
    ),
    "exercise": (
        "```{exercise} The *slack*\n:label: ex-new\n\nDo it.\n```",
        "> **Exercise 3 (The *slack*)**\n>\n> Do it.",
    ),
    "exercise without a title": ("```{exercise}\n:label: ex-new\nDo it.\n```", "> **Exercise 3**\n>\n> Do it."),
    "solution": (
        "````{solution} ex-one\n:class: dropdown\n\nSo:\n\n```python\n1\n```\n````",
        "<details>\n<summary><b>Solution to Exercise 2</b></summary>\n\nSo:\n\n```python\n1\n```\n\n</details>",
    ),
    "list-table": (
        "```{list-table} New $|x|$\n:header-rows: 1\n:name: tab-new\n\n"
        "* - A\n  - $\\|w\\|$\n* - {eq}`eq_one`\n  - `a|b`\n    and more\n```",
        "**Table 2.** New $|x|$\n\n| A | $\\Vert w\\Vert $ |\n| --- | --- |\n| (3) | `a\\|b` and more |",
    ),
    "list-table without a header": (
        "```{list-table}\n* - A\n  - B\n```",
        "|  |  |\n| --- | --- |\n| A | B |",
    ),
    "pipe table": (
        "| a | {eq}`eq_one` |\n|:--|--:|\n| {term}`anomaly` | $\\|x\\|$ |",
        f"| a | (3) |\n|:--|--:|\n| [anomaly]({SITE}book/reference/glossary.html#term-anomaly) | $\\vert x\\vert $ |",
    ),
    "heading": ("### After {eq}`eq_one`", "### After (3)"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_becomes_markdown(root: Path, name: str) -> None:
    text, expected = BLOCKS[name]
    assert markdown(root, text) == expected


ALONE = [
    "`{x}`, `{eq}` and ``{ref}`x` ``",
    "Set $\\{x_i\\}$, $a_1 * b_1 * c$, \\$5, and $\\text{`}$.",
    "```python\nf'{x}'  # (a)=\n% no comment\n{note}\n```",
    "````\n```{note}\n```\n````",
    "~~~\n:::{note}\n~~~",
    "    {eq}`in an indented block`\n    ```{note}",
    "Braces {x} in prose, a [link](https://example.org/a_b), <https://example.org>.",
    "1. one\n2. two\n   - three\n\n---\n\n> quoted $x$",
]


@pytest.mark.parametrize("text", ALONE)
def test_code_and_mathematics_are_left_alone(root: Path, text: str) -> None:
    assert markdown(root, f"Text.\n\n{text}\n\nEnd.") == f"Text.\n\n{text}\n\nEnd."


REFUSED = {
    "an unknown directive": ("```{mermaid}\na\n```", r"\{mermaid\}", 1),
    "an unknown directive in a box": ("Text.\n\n::::{note}\nA\n\n:::{tab-set}\n:::\n::::", r"\{tab-set\}", 6),
    "an unknown role": ("a\nb {kbd}`x`", r"\{kbd\}`x`", 2),
    "an unknown role in a title": ("```{admonition} A {kbd}:x:\n```\n{sub}`x`", r"\{sub\}`x`", 3),
    "an unknown option": ("```{note}\n:colour: red\na\n```", ":colour:", 1),
    "an unknown tag": ("```{code-cell}\n:tags: [remove-cell]\n1\n```", "remove-cell", 1),
    "an unknown mystnb option": ("```{code-cell}\n---\nmystnb:\n  figure: {}\n---\n1\n```", "figure", 1),
    "an unknown label": ("{ref}`nowhere`", r"\{ref\}`nowhere`", 1),
    "an unknown equation": ("{eq}`nowhere`", "nowhere", 1),
    "an unknown page": ("{doc}`nowhere`", "nowhere", 1),
    "an unknown term": ("{term}`nothing`", "nothing", 1),
    "an unknown work": ("{cite:t}`nobody`", "nobody", 1),
    "an unknown exercise": ("```{solution} ex-none\na\n```", "ex-none", 1),
    "a reference without words": ("{ref}`loose`", "no title", 1),
    "a number that is not there": ("{numref}`sec-home`", "no title or number", 1),
    "a label given twice": ("\n(sec-home)=\n## Again", "sec-home is given twice", 2),
    "a picture without alt text": ("```{image} dot.png\n```", "alt text", 1),
    "a picture that is not there": ("```{image} no.png\n:alt: a\n```", r"no\.png", 1),
    "a picture in Markdown": ("![a](dot.png)", r"dot\.png", 1),
    "a link to a page": ("[a](first.md)", r"first\.md", 1),
    "a footnote": ("a[^1]", "footnote", 1),
    "a definition list": ("a\n: b", "definition list", 1),
    "attributes": ("`a`{.python}", "attributes", 1),
    "HTML": ("<div>\na\n</div>", "HTML", 1),
    "HTML in a line": ("a <b>c</b>", "HTML", 1),
    "a backtick in the title of a fence of backticks": ("```{note} {eq}`eq_one`\n```", "never closed", 2),
    "a fence that is never closed": ("\n```{note}\na", "never closed", 2),
    "a colon fence without a name": (":::\na\n:::", "without a name", 1),
    "LaTeX outside of dollars": ("\\begin{align}\na\n\\end{align}", "between", 1),
    "align within dollars": ("$$\n\\begin{align}\na\n\\end{align}\n$$", "aligned", 1),
    "$$ within a paragraph": ("Text\n$$\nx\n$$", "blank lines", 2),
    "a LaTeX label": ("$$\na \\label{b}\n$$", "label", 1),
    "a LaTeX comment in a box": ("```{note}\n$$\na % b\n$$\n```", "comment", 2),
    "a dropdown without a title": ("```{dropdown}\na\n```", "without a title", 1),
    "a table that is not one": ("```{list-table}\n* - a\n  - b\n* - c\n```", "different length", 1),
    "a list in a cell": ("```{list-table}\n* - a\n\n    b\n```", "one paragraph", 1),
    "an end without a start": ("```{solution-end}\n```", "pair", 1),
    "a start within a start": (
        "```{solution-start} ex-one\n```\n\n```{exercise-start}\n```\n", "pair", 4,
    ),
    "a start without an end": ("```{exercise-start}\n:label: e\n```\n", "without", 4),
    "text in a start": ("```{solution-start} ex-one\nText\n```", "between", 1),
    "a code cell in a box": ("````{note}\n```{code-cell}\n1\n```\n````", "within another", 2),
    "another language": ("```{code-cell} julia\n1\n```", "julia", 1),
    "a checked cell that hides its output": (
        "```{code-cell}\n:tags: [nbval-check-output]\n\n1\n2;\n```", "';'", 5,
    ),
    "a magic in a folded cell": ("```{code-cell}\n:tags: [hide-input]\n%%time\n1\n```", "magic", 1),
    "options that are no YAML": ("```{code-cell}\n---\na: [\n---\n1\n```", "YAML", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_by_page_and_line(root: Path, name: str) -> None:
    text, words, line = REFUSED[name]
    at = (FRONT + HOME + "+++\n\n").count("\n") + line
    with pytest.raises(PageError, match=rf"^book/page\.md:{at}: .*{words}"):
        cells(root, text)


def test_code_cells_and_gates(root: Path) -> None:
    got = cells(
        root,
        """\
```{code-cell} ipython3
:tags: [nbval-check-output]

x = {1: "{eq}`no role`"}
```

```{exercise-start} Count
:label: ex-gate
```

Do it.

```{code-cell} ipython3
1
```

```{exercise-end}
```

```{solution-start} ex-gate
:class: dropdown
```

```{code-cell} ipython3
2
```

So it is.

```{code-cell} ipython3
:tags: [nbval-check-output]
3
```

```{solution-end}
```

```{code-cell} ipython3
:tags: [hide-input]
from jupyterquiz import display_quiz
```

```{code-cell} ipython3
---
tags: [hide-input]
mystnb:
  image:
    alt: A picture
---
plot()
```

```{code-cell} ipython3
:tags: [hide-input]
# Draw the margin
plot()
```
""",
    )
    assert [(cell.source, cell.title) for cell in got] == [
        ('x = {1: "{eq}`no role`"}', ""),
        ("> **Exercise 3 (Count)**\n>\n> Do it.", ""),
        ("1", ""),
        ("**Solution to Exercise 3** (unfold the cell)", ""),
        ("#@title Solution to Exercise 3\n2", "Solution to Exercise 3"),
        (
            "<details>\n<summary><b>Solution to Exercise 3, continued</b></summary>\n\nSo it is.\n\n</details>",
            "",
        ),
        ("#@title Solution to Exercise 3\n3", "Solution to Exercise 3"),
        ("#@title Quiz: run this cell\nfrom jupyterquiz import display_quiz", "Quiz: run this cell"),
        ("#@title Picture\nplot()", "Picture"),
        ("#@title Draw the margin\n# Draw the margin\nplot()", "Draw the margin"),
    ]
    assert [cell.tags for cell in got if cell.tags] == [["nbval-check-output"]] * 2 + [["hide-input"]] * 3


def test_numbers_run_on_from_page_to_page(root: Path) -> None:
    assert [Book(root).equations[label].number for label in ("eq-intro", "eq-first", "eq_one")] == ["1", "2", "3"]


# Pieces of which pages are put together at random. All of them may stand in a box.
PIECES = [
    "Words with {eq}`eq_one`, {cite:t}`tax`, $a_1\n\\le b$ and `{code}`.",
    "$$\na \\\\\n= b\n$$",
    "- item {ref}`first`\n- item\n\n  deeper",
    "```python\n{x}\n\n\ny\n```",
    "> quoted {term}`anomaly`",
    "| a | b |\n|---|---|\n| $\\|x\\|$ | `c` |",
    "% comment",
    "### Heading $x$",
    "```{list-table}\n* - a\n  - b\n```",
]
_PAGES = st.recursive(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("\n\n".join),
    lambda inner: st.lists(
        st.one_of(st.sampled_from(PIECES), st.builds(lambda name, body: (name, body), st.sampled_from(
            ["{note}", "{admonition} Title", "{epigraph}", "{dropdown} More"]), inner)),
        min_size=1, max_size=4,
    ).map(lambda parts: "\n\n".join(part if isinstance(part, str) else _box(*part) for part in parts)),
    max_leaves=6,
)  # fmt: skip


def _box(name: str, body: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+|:+", body)), default=0)
    fence = ":" * max(3, longest + 1)
    return f"{fence}{name}\n\n{body}\n{fence}"


@settings(max_examples=60, deadline=None, print_blob=False)
@given(text=_PAGES)
def test_any_page_leaves_nothing_raw_and_comes_out_the_same_twice(home: Book, text: str) -> None:
    def convert_text(text: str) -> str:
        return "\n\n".join(cell.source for cell in convert(text, "book/page", home))

    once = convert_text(text)
    assert once == convert_text(text)
    assert leftovers(once) == []
    words = len(re.findall("Tax and Duin", once))
    assert words == text.count("{cite:t}`tax`")
    if "{dropdown}" not in text:  # what has been converted is plain Markdown, which a second conversion does not change
        assert convert_text(once) == once


def leftovers(text: str) -> list[str]:
    """MyST that Markdown does not know, outside of code; found without the parser of the export."""
    text = re.sub(r"^[ >]*(`{3,}|~{3,})(?!.*\{).*\n(?:.*\n)*?[ >]*\1[ ]*$", "", text + "\n", flags=re.MULTILINE)
    raw = re.findall(r"^[ >]*(?:`{3,}|:{3,}).*$", text, re.MULTILINE)
    text = re.sub(r"(?<![`}])(`+)(?!`).+?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)
    raw += re.findall(r"\{[\w:+-]+\}`[^`]*`?", text)
    raw += re.findall(r"^[ >]*\([\w:. -]+\)=[ ]*$|^[ >]*%.*$|^\+\+\+.*$|\$\$[ ]*\([\w:-]+\)", text, re.MULTILINE)
    return raw


@pytest.mark.parametrize(
    "text",
    [
        "{eq}`a`",
        "Text {cite:t}`b`.",
        "(a)=",
        "> ```{note}\n> a\n> ```",
        ":::{tip}\n:::",
        "% b",
        "+++",
        "$$ a $$ (eq-a)",
    ],
)
def test_the_search_for_leftovers_finds_them(text: str) -> None:
    assert leftovers(f"Text\n\n{text}\n\n```python\n1\n```\n")
    assert not leftovers(f"````\n{text}\n````\n")


# The export of a page

RUNS = """\
```{code-cell} ipython3
:tags: [nbval-check-output]

import sys
print("one")
print("two")
```

```{code-cell} ipython3
print("not kept")
```

```{code-cell} ipython3
:tags: [nbval-check-output]
(6 * 7, "google.colab" in sys.modules)
```

```{code-cell} ipython3
1
```

```{code-cell} ipython3
1
```
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_book(tmp_path_factory.mktemp("exported"))
    (root / "book" / "page.md").write_text(FRONT + HOME + RUNS, encoding="utf-8")
    assert exporter.main([], root=root) == 0
    return root


def read(root: Path) -> nbformat.NotebookNode:
    return nbformat.read(root / "book" / "page.ipynb", as_version=nbformat.NO_CONVERT)


def test_an_exported_notebook(exported: Path) -> None:
    notebook = read(exported)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert f"[Home]({SITE}book/page.html)" in notebook.cells[0].source
    install = notebook.cells[1].source
    assert 'if "google.colab" in sys.modules' in install
    assert not re.search(r"-U|--upgrade|==|--force", install)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [None, 2, None, 4, None, None]
    assert code[1].outputs == [{"name": "stdout", "output_type": "stream", "text": "one\ntwo\n"}]
    assert code[3].outputs[0].data == {"text/plain": "(42, False)"}
    assert [cell.outputs for cell in code if "tags" not in cell.metadata] == [[]] * 4
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert code[-1].id == f"{code[-2].id}-2"
    text = (exported / "book" / "page.ipynb").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert text == exporter.notebook_text(notebook)


@pytest.mark.parametrize("on_colab", [False, True])
def test_adlib_is_installed_on_colab_only(exported: Path, monkeypatch: pytest.MonkeyPatch, on_colab: bool) -> None:
    magics: list[tuple[str, str]] = []
    shell = SimpleNamespace(run_line_magic=lambda name, line: magics.append((name, line)))
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    exec(TransformerManager().transform_cell(read(exported).cells[1].source), {"get_ipython": lambda: shell})
    command = "install --quiet git+https://github.com/someone/some.where@trunk jupyterquiz"
    assert magics == ([("pip", command)] if on_colab else [])


def test_a_page_of_solutions_is_folded_on_colab_and_in_jupyterlab(root: Path) -> None:
    cells(root, "```{code-cell}\n:tags: [hide-input]\n\nplot()\n```")
    notebook = exporter.build_notebook(root / "book" / "page.md", Book(root))
    assert notebook.cells[-1].metadata == {
        "cellView": "form",
        "jupyter": {"source_hidden": True},
        "tags": ["hide-input"],
    }


def test_the_script_is_the_pair_of_the_page(exported: Path) -> None:
    page, script = exported / "book" / "page.md", exported / "book" / "page.py"
    assert "jupytext_version" not in script.read_text(encoding="utf-8")
    pair = [jupytext.read(path, fmt=fmt) for path, fmt in ((page, "md:myst"), (script, "py:percent"))]
    first, second = [[(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells] for notebook in pair]
    assert first == second
    assert compile(script.read_text(encoding="utf-8"), "page.py", "exec")


def test_nbval_accepts_the_export_and_catches_a_change(exported: Path, tmp_path: Path) -> None:
    def nbval(path: Path) -> int:
        command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q", "-p", "no:cacheprovider"]
        return subprocess.run([*command, str(path)], cwd=tmp_path, capture_output=True, timeout=120).returncode

    good, bad = tmp_path / "good.ipynb", tmp_path / "bad.ipynb"
    shutil.copy(exported / "book" / "page.ipynb", good)
    bad.write_text(good.read_text(encoding="utf-8").replace("(42, False)", "(43, False)"), encoding="utf-8")
    assert (nbval(good), nbval(bad)) == (0, 1)


def test_check_names_what_is_stale(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "copy"
    shutil.copytree(exported, root)
    page, script, notebook = (root / "book" / f"page.{end}" for end in ("md", "py", "ipynb"))
    before = {path: path.read_bytes() for path in (page, script, notebook)}

    def check(*problems: str) -> None:
        assert exporter.main(["--check"], root=root) == (1 if problems else 0)
        errors = capsys.readouterr().err
        for problem in problems:
            assert problem in errors
        for path, text in before.items():
            path.write_bytes(text)

    check()
    page.write_text(page.read_text() + "\nMore.\n")
    check("book/page.py is stale", "book/page.ipynb is stale")
    page.write_text(page.read_text().replace('"one"', '"eins"'))
    check("book/page.py is stale", "book/page.ipynb is stale")
    script.unlink()
    check("book/page.py is stale")
    notebook.unlink()
    check("book/page.ipynb is stale")
    notebook.write_text("no notebook")
    check("book/page.ipynb is stale")
    stored = json.loads(notebook.read_text())
    stored["cells"][3]["outputs"], stored["cells"][3]["execution_count"] = [], None
    notebook.write_text(json.dumps(stored, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    check("book/page.ipynb: no output of the checked cells")
    notebook.write_text(notebook.read_text().replace("one\\n", "\\u001b[1mone\\n"))
    check("book/page.ipynb: ")
    page.write_text(page.read_text() + "\n{kbd}`x`\n")
    check("{kbd}`x`")


def test_no_run_keeps_the_outputs_of_cells_that_did_not_change(exported: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(exported, root)
    page = root / "book" / "page.md"
    page.write_text(page.read_text().replace("6 * 7", "6 * 8") + "\nMore.\n")
    assert exporter.main([str(page), "--no-run"], root=root) == 0
    kept = [cell.outputs for _, cell in exporter.checked_cells(read(root))]
    assert [len(outputs) for outputs in kept] == [1, 0]
    assert exporter.main(["--check"], root=root) == 1
    assert exporter.main([str(page)], root=root) == 0
    assert exporter.main(["--check"], root=root) == 0
    text = (root / "book" / "page.ipynb").read_bytes()
    assert b"(48, False)" in text
    assert exporter.main([str(page)], root=root) == 0
    assert (root / "book" / "page.ipynb").read_bytes() == text


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"output_type": "stream", "name": "stderr", "text": "x"}, "stderr"),
        ({"output_type": "stream", "name": "stdout", "text": "\x1b[31mx"}, "differs on another machine"),
        ({"output_type": "stream", "name": "stdout", "text": "<object at 0x7f3a>"}, "differs on another machine"),
        ({"output_type": "stream", "name": "stdout", "text": "in /home/me/data"}, "differs on another machine"),
        ({"output_type": "stream", "name": "stdout", "text": sys.prefix}, "differs on another machine"),
        ({"output_type": "display_data", "data": {"image/png": "x", "text/plain": "x"}, "metadata": {}}, "image/png"),
        ({"output_type": "execute_result", "data": {"text/html": "x"}, "metadata": {}}, "text/html"),
    ],
)
def test_an_output_that_cannot_be_compared_elsewhere_is_refused(
    exported: Path, output: dict[str, object], words: str
) -> None:
    book = Book(exported)
    notebook = exporter.build_notebook(exported / "book" / "page.md", book)
    _, cell = exporter.checked_cells(notebook)[0]
    with pytest.raises(ValueError, match=rf"page\.md: the checked cell that starts with 'import sys' .*{words}"):
        exporter.store_outputs(notebook, {cell.id: [nbformat.from_dict(output)]}, exported, "page.md")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("```{code-cell}\n:tags: [nbval-check-output]\nx = 1\n```\n", "print nothing"),
        ("```{code-cell}\n:tags: [nbval-check-output]\n1 / 0\n```\n", "ZeroDivisionError"),
        ("{kbd}`x`\n", "{kbd}"),
    ],
)
def test_a_page_that_cannot_be_exported_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    page = make_book(tmp_path / "root") / "book" / "page.md"
    page.write_text(FRONT + HOME + text, encoding="utf-8")
    assert exporter.main([str(page)], root=tmp_path / "root") == 1
    errors = capsys.readouterr().err
    assert "page.md" in errors
    assert words in errors
    assert "\x1b" not in errors
    assert not page.with_suffix(".ipynb").exists()


def test_what_is_no_page_and_no_address_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_book(tmp_path / "root")
    assert exporter.main([str(root / "book" / "intro.md")], root=root) == 1
    assert "intro.md: not a page of the book with jupytext:" in capsys.readouterr().err
    (root / "book" / "extra.md").write_text(FRONT + "# Extra\n", encoding="utf-8")
    assert exporter.main(["--check"], root=root) == 1
    assert "book/extra.md:1: the page is not in _toc.yml" in capsys.readouterr().err
    (root / "_config.yml").write_text("repository: {url: https://example.org/a}", encoding="utf-8")
    assert exporter.main(["--check"], root=root) == 1
    assert "'https://example.org/a', expected https://github.com/OWNER/NAME" in capsys.readouterr().err


def test_the_address_is_carried_into_the_readme(exported: Path) -> None:
    def lines(owner: str, name: str, branch: str) -> str:
        return f"""<!-- address:begin -->
[![Open](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{owner}/{name}/blob/{branch}/book/a.ipynb)
[Read](https://{owner}.github.io/{name}/book/a.html), or see https://github.com/{owner}/{name}.
![a](https://raw.githubusercontent.com/{owner}/{name}/{branch}/a.png)
pip install "adlib @ git+https://github.com/{owner}/{name}.git"
<!-- address:end -->
Thanks to https://github.com/third/party.
"""

    book = Book(exported)
    text = lines("old", "na-me.x", "main") * 2
    assert exporter.readme_text(text, book) == lines("someone", "some.where", "trunk") * 2
    readme = exported / "README.md"
    readme.write_text(text, encoding="utf-8")
    assert exporter.main(["--check"], root=exported) == 1
    assert exporter.main(["--no-run"], root=exported) == 0
    assert readme.read_text(encoding="utf-8") == exporter.readme_text(text, book)
    assert exporter.main(["--check"], root=exported) == 0


# The numbers and the anchors, against what Sphinx makes of the same book

REFERENCES = [
    *("{eq}`eq-intro`", "{eq}`eq-first`", "{eq}`eq_one`", "{eq}`eq-deep`", "{eq}`eq-last`", "{ref}`first`"),
    *("{ref}`sec-home`", "{ref}`ex-one`", "{ref}`ex-deep`", "{ref}`ex-first`", "{ref}`fig-one`", "{numref}`fig-one`"),
    *("{numref}`fig-first`", "{numref}`{name}: {number} <fig-deep>`", "{numref}`tab-one`", "{ref}`tab-one`"),
    *("{doc}`first`", "{doc}`/book/page`", "{ref}`words <loose>`", "{term}`anomaly`", "{term}`F1 score`"),
    *("{term}`one-class classification`", "{term}`words <AUC>`", "{ref}`Box_A`", "{ref}`sol-deep`"),
    *("{cite:t}`tax`", "{cite:t}`ruff`", "{cite:t}`scho`", "{cite:t}`maat`"),
]
DEEP = """\
# Deep

::::{note}
$$ d $$ (eq-deep)
::::

```{figure} dot.png
:alt: a

A figure that no label names
```

(Box_A)=
(Box_B)=
## A *section* with `code`

```{figure} dot.png
:name: fig-deep
:alt: a

Deep figure
```

````{exercise}
:label: ex-deep

```{math}
:label: eq-last
x
```
````

```{solution} ex-deep
:label: sol-deep
:class: dropdown

So.
```
"""


@pytest.mark.parametrize("numbered", [False, True])
def test_numbers_and_anchors_are_those_of_the_rendered_book(tmp_path: Path, numbered: bool) -> None:
    names = ("first", "page", "reference/glossary", "reference/works")
    first, page, *rest = ({"file": f"book/{name}"} for name in names)
    parts = [
        {"caption": "A", "numbered": numbered, "chapters": [{**first, "sections": [{"file": "book/deep"}]}]},
        {"caption": "B", "numbered": numbered, "chapters": [page, {"file": "book/refs"}, *rest]},
    ]
    root = make_book(tmp_path / "root", {"format": "jb-book", "root": "book/intro", "parts": parts})
    (root / "book" / "deep.md").write_text(DEEP, encoding="utf-8")
    text = FRONT + "# References\n\n" + "".join(f"Here {role} ends.\n\n" for role in REFERENCES)
    (root / "book" / "refs.md").write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "-W", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    rendered = (root / "_build" / "html" / "book" / "refs.html").read_text(encoding="utf-8")
    theirs = [
        (
            _words(inner),
            urljoin(f"{SITE}book/refs.html", href[1]) if (href := re.search(r'href="([^"]*)"', inner)) else "",
        )
        for inner in re.findall(r"<p>Here (.*?) ends\.</p>", rendered, re.DOTALL)
    ]
    (cell,) = convert(text, "book/refs", Book(root))
    ours = []
    for line in re.findall(r"Here (.*) ends\.", cell.source):
        link = re.fullmatch(r"\[(.*)\]\((.*)\)", line)
        words = re.sub(r"[$*`]", "", link[1] if link else line)
        ours.append((words, link[2]) if link else (re.sub(r" \((\d+)\)$", r" [\1]", words), "cited"))
    theirs = [(words, "cited" if "/works.html" in href else href) for words, href in theirs]
    assert len(theirs) == len(ours) == len(REFERENCES)
    assert ours == theirs


def _words(inner: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>|\\[()]", "", inner)).replace("\xa0", " ")


# Every notebook of the repository

PAGES = exporter.notebook_pages(ROOT)
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
each_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


@pytest.fixture(scope="module")
def course() -> Book:
    return Book(ROOT)


@pytest.fixture
def notebook(page: Path) -> nbformat.NotebookNode:
    path = page.with_suffix(".ipynb")
    assert path.exists(), f"{path.name} is missing: run make notebooks"
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def test_there_are_notebook_pages() -> None:
    assert PAGES


@each_page
def test_the_export_is_not_stale(page: Path, course: Book) -> None:
    assert exporter.stale_files(page, course) == []


@each_page
def test_nothing_raw_is_left(notebook: nbformat.NotebookNode) -> None:
    assert [raw for cell in notebook.cells if cell.cell_type == "markdown" for raw in leftovers(cell.source)] == []


@each_page
def test_the_code_is_the_code_of_the_page(page: Path, notebook: nbformat.NotebookNode) -> None:
    source = [cell.source for cell in jupytext.read(page, fmt="md:myst").cells if cell.cell_type == "code"]
    exported = [cell for cell in notebook.cells if cell.cell_type == "code"][1:]
    titles = [cell.source.partition("\n")[0] + "\n" if "cellView" in cell.metadata else "" for cell in exported]
    assert all(title.startswith("#@title ") for title in titles if title)
    assert [cell.source.removeprefix(title) for cell, title in zip(exported, titles, strict=True)] == source


@each_page
def test_the_notebook_is_fit_for_any_machine(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    installs = [cell for cell in notebook.cells if cell.cell_type == "code" and "pip install" in cell.source]
    assert installs == [notebook.cells[1]]
    text = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    for forbidden in ("image/", "text/html", "\\u001b", str(ROOT), sys.prefix, str(Path.home()) + "/"):
        assert forbidden not in text


def test_every_launch_link_leads_to_a_file(course: Book) -> None:
    notebooks = {name.removesuffix(".md") for name in NAMES}
    assert notebooks <= set(course.chapters)
    for docname in notebooks:
        for end in (".md", ".py", ".ipynb"):
            assert (ROOT / f"{docname}{end}").is_file(), f"{docname}{end} is missing: run make notebooks"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"colab\.research\.google\.com/github/[\w.-]+/[\w.-]+/blob/([\w.-]+)/([^)\s\"#]+)", readme)
    assert links
    for branch, path in links:
        assert branch == course.branch
        assert (ROOT / path).is_file(), f"README.md opens {path} on Colab, which does not exist"


def test_the_address_stands_in_one_place(course: Book) -> None:
    command = ["git", "ls-files"]  # what is not tracked may be anything, an environment of another name too
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no git, or no checkout")
    addresses = re.compile(
        rf"\bgithub(?:\.com)?/{re.escape(course.owner)}/{re.escape(course.repository)}\b"
        rf"|\b{re.escape(course.owner)}\.github\.io\b|githubusercontent\.com/{re.escape(course.owner)}/"
    )
    found = []
    for name in listed.splitlines():
        path = ROOT / name
        if name == "_config.yml" or path.suffix == ".ipynb" or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if name == "README.md":
            assert exporter.readme_text(text, course) == text, "run make notebooks"
            text = re.sub(r"<!-- address:begin -->.*?<!-- address:end -->", "", text, flags=re.DOTALL)
        found += [f"{name}: {match[0]}" for match in addresses.finditer(text)]
    assert found == []

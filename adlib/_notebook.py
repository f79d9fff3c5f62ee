"""What a notebook shows beside figures: a slider and a table. Public as names of :mod:`adlib.plots`."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from adlib._style import WIDTH, style

if TYPE_CHECKING:  # IPython is there wherever a page runs, but is no part of what the package needs
    from IPython.display import HTML, Markdown


def slider(
    draw: Callable[[Figure, Any], object],
    values: Sequence[Any],
    *,
    label: str,
    alt: str | Callable[[Any], str],
    figsize: tuple[float, float] = (WIDTH, 3.8),
    start: int | None = None,
) -> HTML:
    """One picture for each value, and a slider to step through them: no server, no library, no network.

    draw: called as ``draw(figure, value)`` with an empty figure of figsize inches; keep the axes' limits fixed, or the
    picture will jump. values: two or more numbers or texts. label: what the slider changes, shown as "label = value".
    alt: what the picture shows, for those who cannot see it, a text (the value is added to it) or a function of the
    value. start: index of the value shown first, the middle one by default.

    Returns IPython HTML, the same for the same pictures. Raises ValueError on anything else, and where draw leaves the
    figure empty.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    from IPython.display import HTML

    if len(values) < 2:
        raise ValueError(f"values must hold two or more, got {len(values)}")
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"label must be a text, got {label!r}")
    if not callable(alt) and not (isinstance(alt, str) and alt.strip()):
        raise ValueError(f"alt must be a text or a function that returns one, got {alt!r}")
    first = len(values) // 2 if start is None else start
    if not isinstance(first, Integral) or not 0 <= first < len(values):
        raise ValueError(f"start must be an index of values, 0 to {len(values) - 1}, got {start!r}")
    pictures, texts = [], []
    for i, value in enumerate(values):
        text = f"{label} = {value:.4g}" if isinstance(value, Real) else f"{label} = {value}"
        texts.append(html.escape(text))
        said = alt(value) if callable(alt) else f"{alt}, {text}"
        pictures.append(
            f'<img src="data:image/png;base64,{_png(draw, value, figsize)}" alt="{html.escape(said)}" '
            f'data-text="{texts[-1]}" style="display:{"block" if i == first else "none"};'
            f'width:{100 * figsize[0]:.0f}px;max-width:100%;height:auto">'
        )
    # Everything is found from the input itself: no ids that could clash, no script that could run too early.
    step = (
        "const box=this.closest('div');box.querySelectorAll('img').forEach((picture,i)=>{"
        "const on=i===Number(this.value);picture.style.display=on?'block':'none';"
        "if(on){box.querySelector('output').textContent=picture.dataset.text;"
        "this.setAttribute('aria-valuetext',picture.dataset.text)}})"
    )
    control = (
        f'<input type="range" min="0" max="{len(values) - 1}" step="1" value="{first}" '
        f'aria-label="{html.escape(label)}" aria-valuetext="{texts[first]}" autocomplete="off" oninput="{step}" '
        'style="width:22em;max-width:100%;vertical-align:middle">'
    )
    return HTML(
        f'<div class="adlib-slider" style="max-width:100%;color:inherit"><p>{control} '
        f"<output>{texts[first]}</output></p>{''.join(pictures)}</div>"
    )


def _png(draw: Callable[[Figure, Any], object], value: Any, figsize: tuple[float, float]) -> str:
    """What draw makes of the value, as base64."""
    with style():
        figure = plt.figure(figsize=figsize)
        try:
            draw(figure, value)
            if not figure.axes:
                raise ValueError(f"draw must draw into the figure it is given, it left it empty for {value!r}")
            file = io.BytesIO()
            figure.savefig(file, format="png", metadata={"Software": None})
        finally:
            plt.close(figure)
    small = io.BytesIO()  # 256 colours: a third of the bytes, no difference to the eye
    Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], *, digits: int = 3) -> Markdown:
    """A table in Markdown. Columns of numbers are set flush right, floats with ``digits`` decimals, None as a dash.

    header: names of the columns. rows: as long as header each; texts may hold Markdown. Returns IPython Markdown.
    Raises ValueError for no columns or a row of another length.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    from IPython.display import Markdown

    body = [[cell.item() if hasattr(cell, "item") else cell for cell in row] for row in rows]  # numpy's and torch's
    if not header:
        raise ValueError("header must name one or more columns, got none")
    for i, row in enumerate(body):
        if len(row) != len(header):
            raise ValueError(f"rows must have {len(header)} cells each, like header; row {i} has {len(row)}")
    numeric = [all(cell is None or isinstance(cell, Real) for cell in column) for column in zip(*body, strict=True)]
    lines = [list(header), ["---:" if right else ":---" for right in numeric or [False] * len(header)]]
    lines += [[_number(cell, digits) for cell in row] for row in body]
    return Markdown("\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines))


def _number(value: Any, digits: int) -> str:
    if value is None:
        return "–"
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{value:.{digits}f}"
    return str(value)

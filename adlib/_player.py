"""A player for short videos in a notebook, with labels, scores and masks. Public as a name of :mod:`adlib.plots`."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from adlib import _checks
from adlib._arrays import finite, pictures, zero_one
from adlib._style import ANOMALOUS, NORMAL

if TYPE_CHECKING:  # IPython is there wherever a page runs, but is no part of what the package needs
    from IPython.display import HTML

_BAND, _CURVE = 16, 56  # heights in the strip, in pixels

# Everything is found from the element that was used: no ids that could clash, no script that could run too early.
_SHOW = (  # of the slider
    "const box=this.closest('.adlib-player'),now=Number(this.value);"
    "if(event.isTrusted){const b=box.querySelector('button');clearInterval(b.timer);b.timer=0;b.textContent='Play'}"
    "box.querySelectorAll('[data-text]').forEach((frame,i)=>{frame.style.display=i===now?'block':'none';"
    "if(i===now){const text=frame.dataset.text;box.querySelector('output').textContent=text;"
    "this.setAttribute('aria-valuetext',text)}});"
    "const line=box.querySelector('line');if(line){line.setAttribute('x1',now+.5);line.setAttribute('x2',now+.5)}"
)
_PLAY = (  # of the button; INTERVAL stands for milliseconds
    "const button=this,bar=this.closest('.adlib-player').querySelector('input'),last=Number(bar.max);"
    "const stop=()=>{clearInterval(button.timer);button.timer=0;button.textContent='Play'};"
    "const show=(i)=>{bar.value=i;bar.dispatchEvent(new Event('input'))};"
    "if(button.timer){stop();return}"
    "if(Number(bar.value)===last)show(0);"
    "button.textContent='Pause';"
    "button.timer=setInterval(()=>{if(!button.isConnected){stop();return}"
    "show(Number(bar.value)+1);if(Number(bar.value)===last)stop()},INTERVAL)"
)


def player(
    frames: Any,
    *,
    labels: Any = None,
    scores: Any = None,
    masks: Any = None,
    fps: float = 12,
    alt: str,
    width: int = 480,
) -> HTML:
    """A short video with a button and a slider, and under it which frames are anomalous: no server, no network.

    frames: (T, H, W), (T, 1, H, W) or (T, 3, H, W) in [0, 1], two or more. labels: (T,) of 0 or 1; anomalous frames are
    high vermilion bars, normal ones low blue bars. scores: (T,), drawn as a curve from the smallest to the largest.
    masks: (T, H, W) of 0 or 1; their border is drawn over the frames. fps: frames a second. alt: what the video shows,
    for those who cannot see it. width: on the screen, in pixels, less where there is less room.

    It never starts by itself and stops at the end; moving the slider, with the mouse or the arrow keys, stops it, too.
    Every frame is part of the page, as JPEG, or as PNG where that is smaller: 60 frames of 128 x 96 take about 0.3 MB,
    so show tens of frames, not thousands.

    Returns IPython HTML, the same for the same frames. Raises ValueError on anything else.

    Taught in :doc:`/book/datasets/real_world`.
    """
    from IPython.display import HTML

    shown = pictures(frames, "frames")
    count, height, across = shown.shape[:3]
    if count < 2:
        raise ValueError(f"frames must hold two or more, got {count}")
    anomalous = None if labels is None else zero_one(labels, "labels", (count,))
    values = None if scores is None else finite(scores, "scores", 1)
    if values is not None and len(values) != count:
        raise ValueError(f"scores must hold one value for each of the {count} frames, got {len(values)}")
    marked = None if masks is None else zero_one(masks, "masks", (count, height, across))
    _checks.positive(fps=fps)
    width = _checks.integer("width", width, 1)
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must be a text, got {alt!r}")

    texts = [f"frame {i + 1} of {count}" for i in range(count)]
    if anomalous is not None:
        texts = [f"{text}, {'anomalous' if odd else 'normal'}" for text, odd in zip(texts, anomalous, strict=True)]
    if values is not None:
        texts = [f"{text}, score {value:.3g}" for text, value in zip(texts, values, strict=True)]
    said = html.escape(alt)
    parts = []
    for i, source in enumerate(_encoded(shown)):
        border = "" if marked is None or not marked[i].any() else _border(marked[i])
        parts.append(
            f'<div data-text="{texts[i]}" style="display:{"none" if i else "block"};position:relative">'
            f'<img src="{source}" alt="{said}, {texts[i]}" decoding="sync" width="{across}" height="{height}" '
            # A theme may put pictures on white paper, and their borders would not lie on them any more.
            f'style="display:block;width:100%;height:auto;margin:0;padding:0;border-radius:0">{border}</div>'
        )
    return HTML(
        f'<div class="adlib-player" role="group" aria-label="video: {said}" '
        f'style="width:{width}px;max-width:100%;color:inherit">{"".join(parts)}'
        f'<input type="range" min="0" max="{count - 1}" step="1" value="0" aria-label="frame" '
        f'aria-valuetext="{texts[0]}" autocomplete="off" oninput="{_SHOW}" '
        f'style="display:block;width:100%;margin:.4em 0">'
        f"{_strip(count, anomalous, values)}"
        '<p style="display:flex;align-items:center;min-height:3.2em;margin:0">'  # two lines, so that nothing jumps
        f'<button type="button" onclick="{_PLAY.replace("INTERVAL", f"{1000 / fps:.0f}")}" '
        'style="font:inherit;color:inherit;background:transparent;border:1px solid currentColor;border-radius:4px;'
        'flex:none;width:5em;padding:.15em .6em;margin-right:.8em;cursor:pointer">Play</button>'
        f'<output aria-live="off">{texts[0]}</output></p></div>'
    )


def _encoded(shown: np.ndarray) -> list[str]:
    """Every frame as a data address, all in the format that takes fewer bytes: PNG for small drawn frames."""
    images = [Image.fromarray((frame * 255).round().astype(np.uint8)) for frame in shown]
    kinds: dict[str, list[bytes]] = {}
    for kind, how in (("jpeg", {"quality": 80, "subsampling": 0, "optimize": True}), ("png", {"optimize": True})):
        kinds[kind] = []
        for image in images:
            file = io.BytesIO()
            image.save(file, kind, **how)
            kinds[kind].append(file.getvalue())
    kind = min(kinds, key=lambda kind: sum(map(len, kinds[kind])))
    return [f"data:image/{kind};base64,{base64.b64encode(content).decode()}" for content in kinds[kind]]


def _runs(flags: np.ndarray) -> np.ndarray:
    """(n, 3): row, start and end (not included) of every stretch of True in the rows of a table, row by row."""
    steps = np.diff(np.pad(flags.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    return np.concatenate([starts, ends[:, 1:]], axis=1)


def _border(mask: np.ndarray) -> str:
    """The border of a mask along the edges of its pixels, as a drawing that lies over the frame."""
    padded = np.pad(mask, 1)
    across = _runs(padded[1:, 1:-1] != padded[:-1, 1:-1])  # between each row and the one above
    down = _runs((padded[1:-1, 1:] != padded[1:-1, :-1]).T)
    path = "".join(f"M{x} {y}h{end - x}" for y, x, end in across) + "".join(f"M{x} {y}v{end - y}" for x, y, end in down)
    return (
        f'<svg viewBox="0 0 {mask.shape[1]} {mask.shape[0]}" preserveAspectRatio="none" aria-hidden="true" '
        'style="position:absolute;left:0;top:0;width:100%;height:100%;filter:drop-shadow(0 0 1px #fff)">'
        f'<path d="{path}" fill="none" stroke="{ANOMALOUS}" stroke-width="2" stroke-linecap="square" '
        'vector-effect="non-scaling-stroke"/></svg>'
    )


def _strip(count: int, anomalous: np.ndarray | None, values: np.ndarray | None) -> str:
    """The curve of the scores, under it a bar a frame, and a line at the frame that is shown; then what is what."""
    if anomalous is None and values is None:
        return ""
    height = (_CURVE if values is not None else 0) + (_BAND if anomalous is not None else 0)
    drawn, said, legend = "", [], []
    if values is not None:
        low, high = float(values.min()), float(values.max())
        heights = _CURVE - 4 - (_CURVE - 8) * ((values - low) / (high - low) if high > low else np.full(count, 0.5))
        places = " ".join(f"{i + 0.5:g},{y:.1f}" for i, y in enumerate(heights))
        drawn += (
            f'<polyline points="{places}" fill="none" stroke="currentColor" stroke-width="1.5" '
            'vector-effect="non-scaling-stroke"/>'
        )
        said.append(f"scores from {low:.3g} to {high:.3g}")
        legend.append(f"curve: score, {low:.3g} to {high:.3g}")
    if anomalous is not None:
        odd = _runs(anomalous[None])[:, 1:]
        drawn += f'<rect x="0" y="{height - 6}" width="{count}" height="6" fill="{NORMAL}"/>'
        for start, end in odd:
            drawn += f'<rect x="{start}" y="{height - 14}" width="{end - start}" height="14" fill="{ANOMALOUS}"/>'
        ranges = ", ".join(f"{start + 1} to {end}" for start, end in odd)
        said.append(f"anomalous frames: {ranges or 'none'}")
        legend += [_square(NORMAL, "low") + "normal", _square(ANOMALOUS, "high") + "anomalous"]
    return (
        f'<svg viewBox="0 0 {count} {height}" preserveAspectRatio="none" role="img" aria-label="{"; ".join(said)}" '
        f'style="display:block;width:100%;height:{height}px">{drawn}<line x1="0.5" x2="0.5" y1="0" y2="{height}" '
        'stroke="currentColor" stroke-width="2" vector-effect="non-scaling-stroke"/></svg>'
        f'<p style="margin:.2em 0;font-size:85%">{" &ensp; ".join(legend)}</p>'
    )


def _square(colour: str, size: str) -> str:
    tall = "1em" if size == "high" else ".4em"
    return f'<span style="display:inline-block;width:.8em;height:{tall};background:{colour};margin-right:.3em"></span>'

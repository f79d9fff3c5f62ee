"""Every picture the pages share. Takes arrays, knows no method and no data set.

One look: blue circles are normal, vermilion triangles anomalous (two of the colours that Okabe and Ito chose to be told
apart by colour-blind readers), on white paper. A function that makes a figure returns it, closed, so that a notebook
shows it once, as the value of a cell; a function that is given ``ax`` draws there and returns nothing.

Arrays are numpy arrays, lists or torch tensors on any device. Taught in :doc:`/book/foundations/what_is_an_anomaly`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from adlib import metrics
from adlib._arrays import finite, pictures, zero_one
from adlib._notebook import slider, table
from adlib._player import player
from adlib._style import ANOMALOUS, COLOURS, NORMAL, WIDTH, style, use_style

__all__ = [
    "ANOMALOUS",
    "COLOURS",
    "NORMAL",
    "WIDTH",
    "decision_map",
    "heat_map",
    "picture_grid",
    "plane",
    "player",
    "points",
    "roc_curve",
    "score_histogram",
    "slider",
    "style",
    "table",
    "use_style",
]

_SIDES = LinearSegmentedColormap.from_list("sides", ["#5AA9D6", "#FFFFFF", "#F0A06A"])


def _bare(ax: Axes, title: str = "") -> None:
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(False)


# pictures and maps


def picture_grid(
    images: Any, *, columns: int = 8, titles: Sequence[Any] | None = None, frame: Any = None, width: float = WIDTH
) -> Figure:
    """Pictures in rows, read like text.

    images: (N, H, W), (N, 1, H, W) or (N, 3, H, W) in [0, 1]. columns: pictures a row. titles: N short texts.
    frame: (N,) of 0 or 1; puts a blue frame around normal pictures, a vermilion dashed one around anomalous ones.
    width: of the figure, in inches. Returns a closed Figure. Raises ValueError on anything else.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    shown = pictures(images, "images")
    count = len(shown)
    if not isinstance(columns, Integral) or columns < 1:
        raise ValueError(f"columns must be a whole number, 1 or more, got {columns!r}")
    if titles is not None and len(titles) != count:
        raise ValueError(f"titles must hold one text for each of the {count} images, got {len(titles)}")
    framed = None if frame is None else zero_one(frame, "frame", (count,))
    rows = math.ceil(count / columns)
    height = width / columns * shown.shape[1] / shown.shape[2] + (0.25 if titles is not None else 0)
    with style():
        figure, axes = plt.subplots(rows, columns, figsize=(width, rows * height), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for i, (ax, picture) in enumerate(zip(axes.flat, shown, strict=False)):
        ax.axis("on")
        ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        _bare(ax, "" if titles is None else str(titles[i]))
        if framed is not None:
            look = (ANOMALOUS, (0, (3, 1.5))) if framed[i] else (NORMAL, "-")
            ax.spines[:].set(visible=True, color=look[0], linestyle=look[1], linewidth=3)
    plt.close(figure)
    return figure


def heat_map(
    image: Any,
    anomaly_map: Any,
    *,
    mask: Any = None,
    titles: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """A picture, and beside it one or more anomaly maps laid over it, with the outline of the true region.

    image: (H, W), (1, H, W) or (3, H, W) in [0, 1]. anomaly_map: (H, W), or (K, H, W) for K maps on one colour scale.
    mask: (H, W) of 0 or 1; its border is drawn in white. titles: K texts. limits: the values of the darkest and the
    brightest colour, by default the smallest and the largest of all maps. Returns a closed Figure.
    Raises ValueError on anything else.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    picture = pictures(finite(image, "image")[None], "image")[0]
    maps = finite(anomaly_map, "anomaly_map")
    maps = maps[None] if maps.ndim == 2 else maps
    if maps.ndim != 3 or maps.shape[1:] != picture.shape[:2]:
        raise ValueError(
            f"anomaly_map must have shape (H, W) or (K, H, W) with H, W = {picture.shape[:2]}, got "
            f"{np.shape(anomaly_map)}"
        )
    marked = None if mask is None else zero_one(mask, "mask", picture.shape[:2])
    if titles is not None and len(titles) != len(maps):
        raise ValueError(f"titles must hold one text for each of the {len(maps)} maps, got {len(titles)}")
    low, high = finite(limits, "limits", 1) if limits is not None else (maps.min(), maps.max())
    panels = 1 + len(maps)
    with style():
        height = WIDTH / (panels + 0.25) * picture.shape[0] / picture.shape[1] + 0.3
        figure, axes = plt.subplots(1, panels, figsize=(WIDTH, height))
    axes[0].imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    _bare(axes[0], "picture")
    grey = picture if picture.ndim == 2 else picture.mean(2)
    for ax, values, title in zip(axes[1:], maps, titles or ["anomaly map"] * len(maps), strict=True):
        ax.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        shown = ax.imshow(values, cmap="inferno", vmin=low, vmax=high, alpha=0.85, interpolation="nearest")
        _bare(ax, title)
        if marked is not None and marked.any():
            # Eight points a pixel, so that the outline follows the edges; one more around closes it at the border.
            border = np.pad(np.kron(marked, np.ones((8, 8))), 1)
            places = [(np.arange(n) - 0.5) / 8 - 0.5 for n in border.shape]
            ax.contour(places[1], places[0], border, levels=[0.5], colors="white", linewidths=1.5)
    figure.colorbar(shown, ax=axes[1:], shrink=0.8, aspect=15)
    plt.close(figure)
    return figure


# scores


def score_histogram(
    scores: Any, labels: Any, *, threshold: float | None = None, bins: int = 30, ax: Axes | None = None
) -> Figure | None:
    """How the scores of normal and of anomalous pictures spread, each class as shares of its own number.

    scores: (N,). labels: (N,) of 0 or 1, one class is enough. threshold: drawn as a line. bins: over the range of all
    scores. Returns a closed Figure, or None where ``ax`` is given. Raises ValueError on anything else.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    values = finite(scores, "scores", 1)
    anomalous = zero_one(labels, "labels", values.shape)
    if ax is None:
        with style():
            figure, ax = plt.subplots()
            score_histogram(values, anomalous, threshold=threshold, bins=bins, ax=ax)
        plt.close(figure)
        return figure
    edges = np.histogram_bin_edges(values, bins)
    for chosen, name, colour, hatch in ((~anomalous, "normal", NORMAL, ""), (anomalous, "anomalous", ANOMALOUS, "//")):
        if chosen.any():
            share = np.full(chosen.sum(), 1 / chosen.sum())
            look: dict[str, Any] = {"facecolor": colour + "66", "edgecolor": colour, "hatch": hatch}
            text = f"{name} ({chosen.sum()})"
            ax.hist(values[chosen], edges.tolist(), weights=share, histtype="stepfilled", label=text, **look)
    if threshold is not None:
        ax.axvline(float(finite(threshold, "threshold", 0)), color="black", linestyle="--", label="threshold")
    ax.set(xlabel="anomaly score", ylabel="share of the class")
    ax.legend()
    return None


def roc_curve(
    labels: Any, scores: Any, *, name: str = "", point: tuple[float, float] | None = None, ax: Axes | None = None
) -> Figure | None:
    """The ROC curve with its area, and the diagonal of chance. Call it again with the same ``ax`` to compare.

    labels: (N,) of 0 or 1, both present. scores: (N,), higher = more anomalous. name: for the legend.
    point: (false-positive rate, true-positive rate) to mark. Returns a closed Figure, or None where ``ax`` is given.
    Raises ValueError on anything else.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    area = metrics.auroc(labels, scores)  # it checks both arguments, too
    if ax is None:
        with style():
            figure, ax = plt.subplots(figsize=(4.5, 4.2))
            roc_curve(labels, scores, name=name, point=point, ax=ax)
        plt.close(figure)
        return figure
    values, anomalous = finite(scores, "scores"), finite(labels, "labels").astype(bool)
    order = np.argsort(-values, kind="stable")
    last = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)  # equal scores are raised together
    true, false = (np.append(0, np.cumsum(chosen[order])[last] / chosen.sum()) for chosen in (anomalous, ~anomalous))
    if not ax.lines:
        ax.plot([0, 1], [0, 1], color="#767676", linestyle=":", label="chance")
    ax.plot(false, true, label=f"{name} AUROC {area:.3f}".strip())
    if point is not None:
        ax.plot(*point, "o", color="black", markersize=8, clip_on=False, zorder=5)
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set_aspect("equal")
    ax.legend(loc="lower right")
    return None


# functions of two variables


def plane(points: Any, *, margin: float = 0.15, steps: int = 150) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid over the rectangle that holds the points, to evaluate a function on.

    points: (n, 2). margin: added on each side, as a share of the rectangle's longer side. steps: grid lines each way.
    Returns xs (steps,), ys (steps,) and the grid's points (steps * steps, 2), row by row:
    ``decision_map(ax, xs, ys, f(grid).reshape(len(ys), len(xs)))``. Raises ValueError on anything else.

    Taught in :doc:`/book/classification/svm`.
    """
    array = finite(points, "points", 2)
    if array.shape[1] != 2:
        raise ValueError(f"points must have shape (n, 2), got {array.shape}")
    if not isinstance(steps, Integral) or steps < 2:
        raise ValueError(f"steps must be a whole number, 2 or more, got {steps!r}")
    low, high = array.min(0), array.max(0)
    pad = margin * (float((high - low).max()) or 1.0)
    xs, ys = (np.linspace(low[i] - pad, high[i] + pad, int(steps)) for i in (0, 1))
    return xs, ys, np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)


def decision_map(
    ax: Axes, xs: Any, ys: Any, values: Any, *, levels: Iterable[float] = (0.0,), higher: str = "anomalous"
) -> None:
    """A function of two variables: tinted by sign and size, with lines where it takes the given values.

    xs: (w,) and ys: (h,) ascending. values: (h, w). levels: 0 is drawn solid, every other one dashed; a value the
    function does not take is left out. higher: ``"anomalous"`` tints values above 0 vermilion and those below blue, as
    a score needs it; ``"normal"`` the other way round, as scikit-learn's outlier detectors do.
    Raises ValueError on anything else.

    Taught in :doc:`/book/classification/svm`.
    """
    across, up, height = finite(xs, "xs", 1), finite(ys, "ys", 1), finite(values, "values", 2)
    if height.shape != (len(up), len(across)):
        raise ValueError(f"values must have shape (len(ys), len(xs)) = {(len(up), len(across))}, got {height.shape}")
    for places, name in ((across, "xs"), (up, "ys")):
        if len(places) < 2 or (np.diff(places) <= 0).any():
            raise ValueError(f"{name} must hold two or more values in ascending order")
    if higher not in ("anomalous", "normal"):
        raise ValueError(f'higher must be "anomalous" or "normal", got {higher!r}')
    shade = np.tanh(height / max(float(np.quantile(np.abs(height), 0.7)), 1e-12))  # so that no far corner dims the rest
    colours = _SIDES if higher == "anomalous" else _SIDES.reversed()
    ax.contourf(across, up, shade, levels=np.linspace(-1, 1, 23), cmap=colours, zorder=0)
    lines = sorted(level for level in finite(list(levels), "levels", 1) if height.min() < level < height.max())
    if lines:
        solid = ["-" if level == 0 else "--" for level in lines]
        ax.contour(across, up, height, levels=lines, colors="black", linewidths=1.5, linestyles=solid, zorder=1)


def points(ax: Axes, places: Any, labels: Any = None, *, ring: Any = None, names: Sequence[str] = ()) -> None:
    """Points of the plane: blue circles are normal, vermilion triangles anomalous.

    places: (n, 2). labels: (n,) of 0 or 1, without it all are normal. ring: (n,) of 0 or 1, the points to be ringed,
    such as support vectors. names: for the legend, of label 0 and label 1. Raises ValueError on anything else.

    Taught in :doc:`/book/classification/svm`.
    """
    array = finite(places, "places", 2)
    if array.shape[1] != 2:
        raise ValueError(f"places must have shape (n, 2), got {array.shape}")
    anomalous = np.zeros(len(array), bool) if labels is None else zero_one(labels, "labels", (len(array),))
    for label, colour, marker in ((0, NORMAL, "o"), (1, ANOMALOUS, "^")):
        chosen = array[anomalous == label]
        look: dict[str, Any] = {"c": colour, "marker": marker, "s": 34, "edgecolors": "white", "linewidths": 0.7}
        if len(chosen):
            ax.scatter(*chosen.T, zorder=3, label=names[label] if label < len(names) else None, **look)
    if ring is not None:
        chosen = array[zero_one(ring, "ring", (len(array),))]
        ax.scatter(chosen[:, 0], chosen[:, 1], s=110, facecolors="none", edgecolors="black", linewidths=1.2, zorder=4)

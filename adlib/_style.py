"""The look of every figure of the course. Public as names of :mod:`adlib.plots`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt

NORMAL, ANOMALOUS = "#0072B2", "#D55E00"
COLOURS = (NORMAL, ANOMALOUS, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
WIDTH = 7.0  # inches, the text width of a page: 700 px on the screen, where 11 points are 15 px
_STYLE: dict[Any, Any] = {
    "figure.figsize": (WIDTH, 3.6),
    "figure.dpi": 144,  # sharp on fine screens too: a page scales a figure down to the width of its text
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.bbox": None,  # cut to its content, each picture of a slider had another size
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "lines.linewidth": 1.8,
}


def use_style() -> None:
    """Give every figure from here on the look of the course. Call it once, at the top of a notebook."""
    plt.rcParams.update(_STYLE)


@contextmanager
def style() -> Iterator[None]:
    """The look of the course for the figures made within a ``with`` block, and for no others."""
    # Not rc_context, which restores every parameter: a notebook switches "interactive" on when its first figure is
    # made, and if that happens in here, none of the later figures would be shown.
    before = {name: plt.rcParams[name] for name in _STYLE}
    plt.rcParams.update(_STYLE)
    try:
        yield
    finally:
        plt.rcParams.update(before)

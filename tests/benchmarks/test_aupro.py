"""AUPRO against the plain way to compute it, in one run: sort every pixel, draw the whole curve, integrate.

Run by ``make bench``. As large as a MVTec AD category: 100 maps of 256 x 256, 3 to 5 % of the pixels anomalous.
"""

import time

import numpy as np
import pytest
from scipy import ndimage

from adlib.metrics import aupro


def plain_aupro(masks, maps, max_fpr=0.3):
    """Exact as well: one sort of all pixels, ties as one step, the curve cut at max_fpr."""
    share = np.zeros(masks.shape)
    regions = 0
    for k, mask in enumerate(masks):
        labelled, count = ndimage.label(mask, structure=np.ones((3, 3)))
        for region in range(1, count + 1):
            inside = labelled == region
            share[k][inside] = 1 / inside.sum()
        regions += count
    order = np.argsort(maps, axis=None)[::-1]
    values = maps.ravel()[order]
    last = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    fpr = np.append(0, np.cumsum(masks.ravel()[order] == 0)[last] / (masks == 0).sum())
    pro = np.append(0, np.cumsum(share.ravel()[order])[last] / regions)
    inside = fpr < max_fpr
    x, y = np.append(fpr[inside], max_fpr), np.append(pro[inside], np.interp(max_fpr, fpr, pro))
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / max_fpr)


def pictures(ties):
    """Rectangles on smooth noise that overlaps them. ties: maps rounded to three digits, so that most pixels tie."""
    rng = np.random.default_rng(0)
    masks = np.zeros((100, 256, 256), np.uint8)
    for mask in masks:
        for _ in range(rng.integers(1, 4)):
            (row, column), (height, width) = rng.integers(0, 196, 2), rng.integers(10, 60, 2)
            mask[row : row + height, column : column + width] = 1
    noise = ndimage.gaussian_filter(rng.standard_normal(masks.shape), (0, 4, 4)) * 10
    maps = (noise + masks).astype(np.float32)
    return masks, maps.round(3) if ties else maps


def best_of(repeats, function, *arguments):
    seconds, value = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        value = function(*arguments)
        seconds.append(time.perf_counter() - start)
    return min(seconds), value


@pytest.mark.parametrize("ties", [False, True], ids=["all values differ", "most values tie"])
def test_100_maps_of_256_px(ties):
    masks, maps = pictures(ties)
    plain_seconds, expected = best_of(2, plain_aupro, masks, maps)
    seconds, value = best_of(3, aupro, masks, maps)
    print(
        f"\nAUPRO, 100 maps of 256 px, ties={ties}: {seconds:.2f} s, plain {plain_seconds:.2f} s, "
        f"{plain_seconds / seconds:.1f} times faster; values {value:.9f} and {expected:.9f}"
    )
    assert value == pytest.approx(expected, abs=1e-6)
    assert 0.1 < value < 0.95  # the maps are neither trivial nor hopeless
    assert seconds <= 2
    assert plain_seconds / seconds >= 2.5

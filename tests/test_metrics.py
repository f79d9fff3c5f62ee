"""Each metric against a slow reference written from its definition, cases worked out by hand, and its invariances."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from adlib.metrics import (
    F1Max,
    aupro,
    auroc,
    average_precision,
    f1_max,
    micro_macro_auroc,
    min_max,
    psnr,
    regularity_score,
)

# references


def pair_count(labels, scores):
    """AUROC from its definition: every pair of an anomalous and a normal score, ties count half."""
    won = [(a > n) + (a == n) / 2 for a in scores[labels == 1] for n in scores[labels == 0]]
    return sum(won) / len(won)


def slow_average_precision(labels, scores):
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        alarm = scores >= threshold
        recall = (alarm & (labels == 1)).sum() / (labels == 1).sum()
        total += (recall - recall_before) * (labels[alarm] == 1).mean()
        recall_before = recall
    return total


def slow_f1_max(labels, scores):
    best = F1Max(-1.0, 0.0, 0.0, 0.0)
    for threshold in sorted(set(scores.tolist()), reverse=True):
        alarm = scores >= threshold
        hits = (alarm & (labels == 1)).sum()
        precision, recall = hits / alarm.sum(), hits / (labels == 1).sum()
        f1 = 0.0 if hits == 0 else 2 * precision * recall / (precision + recall)
        if f1 > best.f1 + 1e-12:
            best = F1Max(f1, threshold, precision, recall)
    return best


def flood_regions(mask):
    """The 8-connected regions of one mask, each a list of (row, column), by flood fill."""
    left, regions = {(int(r), int(c)) for r, c in zip(*np.nonzero(mask), strict=True)}, []
    while left:
        region, edge = [], [left.pop()]
        while edge:
            r, c = edge.pop()
            region.append((r, c))
            near = {(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            edge.extend(near)
        regions.append(region)
    return regions


def slow_aupro(masks, maps, max_fpr):
    """One point of the curve for every distinct threshold, then trapezia up to max_fpr."""
    regions = [
        [values[r, c] for r, c in region]
        for mask, values in zip(masks, maps, strict=True)
        for region in flood_regions(mask)
    ]
    normal = maps[masks == 0]
    curve = [(0.0, 0.0)]
    for threshold in sorted(set(maps.ravel().tolist()), reverse=True):
        overlap = [sum(v >= threshold for v in region) / len(region) for region in regions]
        curve.append(((normal >= threshold).mean(), sum(overlap) / len(overlap)))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x0 >= max_fpr:
            break
        if x1 > max_fpr:
            x1, y1 = max_fpr, y0 + (y1 - y0) * (max_fpr - x0) / (x1 - x0)
        area += (x1 - x0) * (y0 + y1) / 2
    return area / max_fpr


# what hypothesis draws


@st.composite
def labelled_scores(draw):
    """Both classes present; few distinct values, so that ties are common."""
    labels = draw(
        st.lists(st.integers(0, 1), min_size=2, max_size=30).filter(lambda drawn: 0 < sum(drawn) < len(drawn))
    )
    values = st.integers(-4, 4) | st.floats(-100, 100, allow_subnormal=False)
    scores = draw(st.lists(values, min_size=len(labels), max_size=len(labels)))
    return np.array(labels), np.array(scores, dtype=np.float64)


@st.composite
def masked_maps(draw):
    """Small pictures with at least one anomalous and one normal pixel; values on a coarse grid, so ties are common."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(2, 6)))
    masks = draw(arrays(np.uint8, shape, elements=st.integers(0, 1)))
    masks.flat[0], masks.flat[-1] = draw(st.sampled_from([(0, 1), (1, 0)]))
    maps = draw(arrays(np.float64, shape, elements=st.integers(0, draw(st.integers(0, 40)))))
    max_fpr = draw(st.sampled_from([0.05, 0.3, 0.5, 1.0]) | st.floats(0.01, 1))
    return masks, maps, max_fpr


def increasing(values):
    """A strictly increasing transform that keeps values apart which are apart on the grids above."""
    return np.exp(values / 50) * 3 - 7


# AUROC, average precision


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([0, 1], [0.0, 1.0], 1.0),
        ([0, 1], [1.0, 0.0], 0.0),
        ([0, 1], [5.0, 5.0], 0.5),
        ([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75),  # 3 of the 4 pairs
        ([0, 1, 1], [2, 2, 3], 0.75),  # one tie, one win
    ],
)
def test_auroc_by_hand(labels, scores, expected):
    assert auroc(labels, scores) == pytest.approx(expected, abs=1e-12)


@given(labelled_scores())
def test_auroc_is_the_share_of_pairs(drawn):
    labels, scores = drawn
    assert auroc(labels, scores) == pytest.approx(pair_count(labels, scores), abs=1e-12)
    assert auroc(1 - labels, scores) == pytest.approx(1 - auroc(labels, scores), abs=1e-12)
    assert 0 <= auroc(labels, scores) <= 1


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([0, 1], [0.0, 1.0], 1.0),
        ([0, 0, 0, 1], [1, 1, 1, 1], 0.25),  # one threshold: the share of anomalies
        ([1, 0, 1, 0], [4, 3, 2, 1], 0.5 * 1 + 0.5 * 2 / 3),
    ],
)
def test_average_precision_by_hand(labels, scores, expected):
    assert average_precision(labels, scores) == pytest.approx(expected, abs=1e-12)


@given(labelled_scores())
def test_average_precision_is_the_step_sum(drawn):
    labels, scores = drawn
    assert average_precision(labels, scores) == pytest.approx(slow_average_precision(labels, scores), abs=1e-12)
    assert 0 < average_precision(labels, scores) <= 1


@pytest.mark.parametrize("metric", [auroc, average_precision, lambda labels, scores: f1_max(labels, scores).f1])
@given(drawn=labelled_scores())
def test_only_the_ranking_counts(metric, drawn):
    labels, scores = drawn
    ranks = np.unique(scores, return_inverse=True)[1]
    assert metric(labels, ranks**3 - 5) == pytest.approx(metric(labels, scores), abs=1e-12)


# F1


def test_f1_max_by_hand():
    # 4: P = 1, R = 1/2, F1 = 2/3.  3: 1/2, 1/2, 1/2.  2: 2/3, 1, 4/5.  1: 1/2, 1, 2/3.
    assert f1_max([1, 0, 1, 0], [4, 3, 2, 1]) == pytest.approx((0.8, 2.0, 2 / 3, 1.0))
    assert f1_max([0, 1, 0, 1], [7.0, 7.0, 7.0, 7.0]) == pytest.approx((2 / 3, 7.0, 0.5, 1.0))
    assert f1_max([0, 1], [-1.0, 3.5]) == F1Max(f1=1.0, threshold=3.5, precision=1.0, recall=1.0)


def test_f1_max_prefers_the_highest_of_tied_thresholds():
    # At 4: TP 1, FP 0, FN 2, F1 = 1/2.  At 1: TP 3, FP 6, F1 = 1/2.  Between them less.
    labels, scores = [1, 0, 0, 0, 0, 0, 0, 1, 1], [4, 3, 3, 3, 3, 3, 3, 1, 1]
    assert f1_max(labels, scores) == pytest.approx((0.5, 4.0, 1.0, 1 / 3))


@given(labelled_scores())
def test_f1_max_tries_every_threshold(drawn):
    labels, scores = drawn
    best = f1_max(labels, scores)
    assert best == pytest.approx(slow_f1_max(labels, scores), abs=1e-12)
    alarm = scores >= best.threshold  # the returned threshold does what it says
    assert (alarm & (labels == 1)).sum() / alarm.sum() == pytest.approx(best.precision)
    assert 0 < best.f1 <= 1


def test_a_float32_threshold_reproduces_the_alarms():
    scores = torch.tensor([0.1, 0.2, 0.3, 0.4])
    best = f1_max(torch.tensor([0, 0, 1, 1]), scores)
    assert (scores >= best.threshold).tolist() == [False, False, True, True]


# AUPRO


def test_a_perfect_map_gives_one():
    masks = np.zeros((2, 5, 5), int)
    masks[0, 1:3, 1:3] = masks[1, 4, 4] = 1
    assert aupro(masks, masks) == 1.0
    assert aupro(masks, masks, max_fpr=1.0) == 1.0


def test_the_worst_map_gives_zero():
    masks = np.zeros((1, 4, 4))
    masks[0, 0, 0] = 1
    assert aupro(masks, 1 - masks) == 0.0
    assert aupro(masks, 1 - masks, max_fpr=1.0) == 0.0


@pytest.mark.parametrize("max_fpr", [0.1, 0.3, 1.0])
def test_a_constant_map_gives_half_the_limit(max_fpr):
    # One threshold: the curve is the diagonal, its area up to f is f^2 / 2, and that over f is f / 2.
    masks = np.zeros((1, 4, 4))
    masks[0, :2, :2] = 1
    assert aupro(masks, np.full((1, 4, 4), 7.0), max_fpr) == pytest.approx(max_fpr / 2, abs=1e-12)


def test_one_region_by_hand():
    # Descending: anomalous, normal, anomalous, then 9 normal. PRO is 1/2 up to a rate of 0.1, 1 after it.
    masks = np.array([[[1, 0, 1] + [0] * 9]])
    masks[0, 0, 2], masks[0, 0, 1] = 0, 1  # the two anomalous pixels touch: one region
    maps = np.array([[[12, 10, 11, 9, 8, 7, 6, 5, 4, 3, 2, 1]]])
    assert aupro(masks, maps, 0.3) == pytest.approx((0.1 * 0.5 + 0.2 * 1) / 0.3, abs=1e-12)
    assert aupro(masks, maps, 1.0) == pytest.approx(0.1 * 0.5 + 0.9 * 1, abs=1e-12)
    assert aupro(masks, maps, 0.05) == pytest.approx(0.5, abs=1e-12)


def test_regions_weigh_the_same_whatever_their_size():
    # Nine pixels found at once, one pixel never: the pixel AUROC would say 0.9, the region average says 1/2.
    masks = np.zeros((1, 8, 8), int)
    masks[0, :3, :3] = masks[0, 7, 7] = 1
    maps = np.where(masks, 2.0, 1.0)
    maps[0, 7, 7] = 0.0
    assert aupro(masks, maps, 0.3) == pytest.approx(0.5, abs=1e-12)
    assert auroc(masks.flatten(), maps.flatten()) == pytest.approx(0.9, abs=1e-12)


def test_diagonal_neighbours_are_one_region():
    masks = np.array([[[1, 0, 0, 0, 1], [0, 1, 0, 0, 0]]])  # a diagonal pair, and one pixel alone
    maps = np.where(masks, 2.0, 1.0)
    maps[0, 0, 4] = 0.0
    assert aupro(masks, maps, 0.3) == pytest.approx(1 / 2, abs=1e-12)  # three regions would give 2/3


def test_regions_end_at_the_border_of_a_picture():
    masks = np.zeros((2, 1, 3), int)
    masks[0, 0, 2] = 1  # last pixel of one picture,
    masks[1, 0, :2] = 1  # first ones of the next: two regions
    maps = np.array([[[1, 1, 2]], [[0, 0, 1]]])
    assert aupro(masks, maps, 0.3) == pytest.approx(0.5, abs=1e-12)


def test_a_picture_may_be_anomalous_all_over():
    masks = np.stack([np.ones((3, 3)), np.zeros((3, 3))])
    maps = np.stack([np.full((3, 3), 2.0), np.ones((3, 3))])
    assert aupro(masks, maps) == 1.0


def test_the_limit_cuts_a_tied_step():
    # 1 of 2 anomalous pixels above all; then 1 anomalous tied with 4 of 8 normal: straight from (0, 1/2) to (1/2, 1).
    masks = np.array([[[1, 1] + [0] * 8]])
    maps = np.array([[[3, 2, 2, 2, 2, 2, 1, 1, 1, 1]]])
    height = 0.5 + 0.5 * 0.3 / 0.5
    assert aupro(masks, maps, 0.3) == pytest.approx((0.5 + height) / 2, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(masked_maps())
def test_aupro_equals_the_slow_reference(drawn):
    masks, maps, max_fpr = drawn
    value = aupro(masks, maps, max_fpr)
    assert value == pytest.approx(slow_aupro(masks, maps, max_fpr), abs=1e-9)
    assert 0 <= value <= 1


@pytest.mark.parametrize("digits", [1, 2, 7])
def test_aupro_equals_the_slow_reference_on_larger_maps(digits):
    rng = np.random.default_rng(digits)
    masks = (rng.random((4, 24, 20)) < 0.1).astype(np.uint8)
    maps = (rng.standard_normal(masks.shape) + 1.5 * masks).round(digits)
    assert aupro(masks, maps) == pytest.approx(slow_aupro(masks, maps, 0.3), abs=1e-9)
    single = maps.astype(np.float32)
    assert aupro(masks, single) == pytest.approx(slow_aupro(masks, single, 0.3), abs=1e-9)


@settings(deadline=None)
@given(masked_maps(), st.randoms(use_true_random=False))
def test_aupro_sees_ranking_only_and_no_order(drawn, random):
    masks, maps, max_fpr = drawn
    value = aupro(masks, maps, max_fpr)
    assert aupro(masks, increasing(maps), max_fpr) == pytest.approx(value, abs=1e-12)
    order = random.sample(range(len(masks)), len(masks))
    assert aupro(masks[order], maps[order], max_fpr) == pytest.approx(value, abs=1e-12)
    assert aupro(masks[:, ::-1], maps[:, ::-1], max_fpr) == pytest.approx(value, abs=1e-12)


def test_aupro_tells_neighbouring_doubles_apart():
    # As 32-bit floats the two would tie and give 0.15.
    masks = np.array([[[1, 0]]])
    assert aupro(masks, np.array([[[np.nextafter(1.0, 2.0), 1.0]]])) == 1.0


def test_whole_numbers_beyond_32_bit_floats_stay_apart():
    assert auroc([0, 1], [2**24, 2**24 + 1]) == 1.0


# kinds of input


@pytest.mark.parametrize(
    "convert",
    [
        list,
        np.array,
        lambda v: np.array(v, dtype=np.float16),
        torch.tensor,
        lambda v: torch.tensor(v, dtype=torch.bfloat16),
        lambda v: torch.tensor(v, dtype=torch.float32, requires_grad=True),
    ],
)
def test_lists_arrays_and_tensors_give_the_same(convert):
    labels, scores = [0, 1, 1, 0], [1.0, 3.0, 2.0, 2.5]
    assert auroc(convert(labels), convert(scores)) == 0.75
    assert average_precision(convert(labels), convert(scores)) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert f1_max(convert(labels), convert(scores)) == pytest.approx((0.8, 2.0, 2 / 3, 1.0))
    assert aupro(convert([[labels]]), convert([[scores]])) == pytest.approx(0.5)
    assert psnr(convert([labels]), convert([labels])).tolist() == [math.inf]
    assert regularity_score(convert(scores), "range").tolist() == [1.0, 0.0, 0.5, 0.25]


def test_inputs_are_left_as_they_are():
    labels, scores = np.array([0, 1, 0]), np.array([3.0, 1.0, 2.0])
    masks, maps = torch.eye(3)[None], torch.rand(1, 3, 3)
    before = maps.clone()
    auroc(labels, scores), average_precision(labels, scores), f1_max(labels, scores), aupro(masks, maps)
    assert labels.tolist() == [0, 1, 0] and scores.tolist() == [3.0, 1.0, 2.0]
    torch.testing.assert_close(masks, torch.eye(3)[None], rtol=0, atol=0)
    torch.testing.assert_close(maps, before, rtol=0, atol=0)


# bad input


@pytest.mark.parametrize("metric", [auroc, average_precision, f1_max])
@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1, 1], [1.0, 2.0], "labels and scores must have the same length, got 3 and 2"),
        ([0, 1], [1.0, math.nan], "scores must be finite, got 1 NaN or infinite of 2"),
        ([0, 1], [-math.inf, math.inf], "scores must be finite, got 2"),
        ([0, 2], [1.0, 2.0], "labels must be 0 .* got the value 2"),
        ([-1, 1], [1.0, 2.0], "labels must be 0 .* got the value -1"),
        ([0.5, 1], [1.0, 2.0], "labels must be 0 .* got the value 0.5"),
        ([math.nan, 1], [1.0, 2.0], "labels must be 0 .* got the value nan"),
        ([0, 0], [1.0, 2.0], "labels must contain both 0 and 1, got only 0"),
        ([1, 1], [1.0, 2.0], "labels must contain both 0 and 1, got only 1"),
        ([], [1.0], "labels must not be empty"),
        ([0, 1], [], "scores must not be empty"),
        ([[0, 1]], [[1.0, 2.0]], r"labels must have one dimension .* got shape \(1, 2\)"),
        ([0, 1], [[1.0], [2.0]], r"scores must have one dimension .* got shape \(2, 1\)"),
        (1, 1.0, r"labels must have one dimension"),
        (["a", "b"], [1.0, 2.0], "labels must hold real numbers"),
        ([0, 1], [1j, 2.0], "scores must hold real numbers, got dtype complex128"),
        ([0, 1], None, "scores must hold real numbers"),
        ([0, 1], [[1.0], [1.0, 2.0]], "scores must be a rectangular array"),
    ],
)
def test_scores_that_cannot_be_judged(metric, labels, scores, message):
    with pytest.raises(ValueError, match=message):
        metric(labels, scores)


GOOD_MASK, GOOD_MAP = np.eye(2)[None], np.ones((1, 2, 2))


@pytest.mark.parametrize(
    ("masks", "maps", "max_fpr", "message"),
    [
        (np.eye(2), np.eye(2), 0.3, r"masks must have shape \(N, H, W\), got \(2, 2\)"),
        (GOOD_MASK[:, None], GOOD_MAP[:, None], 0.3, r"masks must have shape \(N, H, W\), got \(1, 1, 2, 2\)"),
        (GOOD_MASK, np.ones((1, 2, 3)), 0.3, r"maps must have the shape of masks, \(1, 2, 2\), got \(1, 2, 3\)"),
        (GOOD_MASK * 255, GOOD_MAP, 0.3, "masks must be 0 .* got the value 255"),
        (GOOD_MASK, GOOD_MAP * math.nan, 0.3, "maps must be finite, got 4"),
        (np.zeros((1, 2, 2)), GOOD_MAP, 0.3, "masks must mark at least one anomalous region"),
        (np.ones((1, 2, 2)), GOOD_MAP, 0.3, "masks must leave at least one normal pixel"),
        (np.ones((0, 2, 2)), np.ones((0, 2, 2)), 0.3, "masks must not be empty"),
        (GOOD_MASK, GOOD_MAP, 0, r"max_fpr must be a number in \(0, 1\], got 0"),
        (GOOD_MASK, GOOD_MAP, 1.01, r"max_fpr must be a number in \(0, 1\], got 1.01"),
        (GOOD_MASK, GOOD_MAP, -0.3, r"max_fpr must be a number in \(0, 1\], got -0.3"),
        (GOOD_MASK, GOOD_MAP, math.nan, r"max_fpr must be a number in \(0, 1\], got nan"),
        (GOOD_MASK, GOOD_MAP, "0.3", r"max_fpr must be a number in \(0, 1\], got '0.3'"),
    ],
)
def test_maps_that_cannot_be_judged(masks, maps, max_fpr, message):
    with pytest.raises(ValueError, match=message):
        aupro(masks, maps, max_fpr)


# PSNR


def test_psnr_by_hand():
    target = torch.zeros(3, 1, 4, 4)
    prediction = torch.stack([torch.full((1, 4, 4), v) for v in (0.1, 1.0, 0.0)])
    np.testing.assert_allclose(psnr(prediction, target), [20.0, 0.0, math.inf], atol=1e-5)
    assert psnr(prediction, target).dtype == np.float64 and psnr(prediction, target).shape == (3,)
    assert psnr([[0.5, 0.3]], [[0.5, 0.1]]) == pytest.approx([10 * math.log10(1 / 0.02)])


def test_psnr_does_not_depend_on_the_unit():
    rng = np.random.default_rng(0)
    a, b = rng.random((5, 3, 8, 8)), rng.random((5, 3, 8, 8))
    np.testing.assert_allclose(psnr(a * 2 - 1, b * 2 - 1, data_range=2), psnr(a, b))
    np.testing.assert_allclose(psnr(a * 255, b * 255, data_range=255.0), psnr(a, b))
    np.testing.assert_allclose(psnr(b, a), psnr(a, b))


def test_psnr_of_bytes_does_not_wrap_around():
    low, high = np.zeros((1, 2, 2), np.uint8), np.full((1, 2, 2), 255, np.uint8)
    assert psnr(low, high, data_range=255) == pytest.approx([0.0])


@pytest.mark.parametrize(
    ("prediction", "target", "data_range", "message"),
    [
        ([0.0, 1.0], [0.0, 1.0], 1, r"prediction must have shape \(N, ...\).* got \(2,\)"),
        ([[0.0]], [[0.0, 1.0]], 1, r"target must have the shape of prediction, \(1, 1\), got \(1, 2\)"),
        ([[math.nan]], [[0.0]], 1, "prediction must be finite"),
        ([[0.0]], [[math.inf]], 1, "target must be finite"),
        (np.ones((0, 2)), np.ones((0, 2)), 1, "prediction must not be empty"),
        ([[0.0]], [[0.0]], 0, "data_range must be a number above 0, got 0"),
        ([[0.0]], [[0.0]], math.inf, "data_range must be a number above 0, got inf"),
        ([[0.0]], [[0.0]], math.nan, "data_range must be a number above 0, got nan"),
    ],
)
def test_psnr_refuses(prediction, target, data_range, message):
    with pytest.raises(ValueError, match=message):
        psnr(prediction, target, data_range)


# regularity


def test_regularity_by_hand():
    assert regularity_score([2.0, 4.0, 3.0]).tolist() == [1.0, 0.5, 0.75]
    assert regularity_score([2.0, 4.0, 3.0], "range").tolist() == [1.0, 0.0, 0.5]


@pytest.mark.parametrize("denominator", ["max", "range"])
@pytest.mark.parametrize("errors", [[3.0, 3.0, 3.0], [0.0, 0.0], [5.0]])
def test_constant_errors_are_regular_everywhere(denominator, errors):
    assert regularity_score(errors, denominator).tolist() == [1.0] * len(errors)


@given(st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=20))
def test_regularity_falls_as_the_error_rises(errors):
    order = np.argsort(errors)
    for denominator in ("max", "range"):
        score = regularity_score(errors, denominator)
        assert np.isfinite(score).all() and (score >= 0).all() and score.max() == 1
        assert (np.diff(score[order]) <= 0).all()


def test_range_accepts_errors_below_zero():
    """The negative of a PSNR, for one."""
    assert regularity_score([-30.0, -10.0, -20.0], "range").tolist() == [1.0, 0.0, 0.5]


@pytest.mark.parametrize(
    ("errors", "denominator", "message"),
    [
        ([], "max", "errors must not be empty"),
        ([[1.0, 2.0]], "max", r"errors must have one dimension \(T,\), got shape \(1, 2\)"),
        ([1.0, math.inf], "range", "errors must be finite"),
        ([-1.0, 1.0], "max", 'errors must not be below 0 with denominator="max", got -1.0'),
        ([1.0, 2.0], "mean", 'denominator must be "max" or "range", got \'mean\''),
    ],
)
def test_regularity_refuses(errors, denominator, message):
    with pytest.raises(ValueError, match=message):
        regularity_score(errors, denominator)


# several videos


def test_min_max_by_hand():
    assert min_max([2.0, 4.0, 3.0]).tolist() == [0.0, 1.0, 0.5]
    assert min_max(torch.tensor([-30.0, -10.0])).tolist() == [0.0, 1.0]
    for constant in ([3.0, 3.0], [0.0], np.full(5, -1e300)):
        assert min_max(constant).tolist() == [0.0] * len(constant)  # never NaN
    for bad in ([], [[1.0, 2.0]], [1.0, math.nan]):
        with pytest.raises(ValueError, match="scores must"):
            min_max(bad)


def test_micro_and_macro_by_hand():
    # Each video is ranked without a fault, but the normal frames of the second lie above the anomalies of the first.
    labels, scores = [[0, 1], [0, 1]], [[0.0, 1.0], [2.0, 3.0]]
    assert micro_macro_auroc(labels, scores) == (0.75, 1.0, 0)
    assert micro_macro_auroc(labels, scores, normalise="per_video") == (1.0, 1.0, 0)


def test_per_video_normalisation_puts_a_false_alarm_into_a_video_without_anomalies():
    labels, scores = [[0, 0, 1], [0, 0]], [[0.0, 0.0, 1.0], [0.0, 0.1]]
    assert micro_macro_auroc(labels, scores) == (1.0, 1.0, 1)
    assert micro_macro_auroc(labels, scores, normalise="per_video").micro == pytest.approx(3.5 / 4)


def test_videos_of_one_label_are_skipped_in_macro_and_counted():
    labels = [np.zeros(4), np.ones(3), np.array([0, 1, 1])]
    scores = [np.arange(4.0), np.full(3, 7.0), np.array([1.0, 0.0, 2.0])]  # constant scores, too
    for normalise in ("none", "per_video"):
        result = micro_macro_auroc(labels, scores, normalise=normalise)
        assert result.macro == 0.5 and result.skipped == 2 and math.isfinite(result.micro)


@given(st.integers(0, 10**6), st.lists(st.integers(2, 12), min_size=1, max_size=5))
@settings(deadline=None, max_examples=20)
def test_micro_and_macro_equal_scikit_learn(seed, lengths):
    rng = np.random.default_rng(seed)
    labels = [rng.permutation(np.arange(n) < rng.integers(1, n)).astype(int) for n in lengths]
    scores = [rng.integers(0, 5, n) * rng.uniform(0.5, 2) for n in lengths]
    plain, stretched = (micro_macro_auroc(labels, scores, normalise=how) for how in ("none", "per_video"))
    macro = np.mean([roc_auc_score(y, s) for y, s in zip(labels, scores, strict=True)])
    assert plain.macro == pytest.approx(macro) and stretched.macro == pytest.approx(macro)
    assert plain.micro == pytest.approx(roc_auc_score(np.concatenate(labels), np.concatenate(scores)))
    each = [(s - s.min()) / ((s.max() - s.min()) or 1) for s in scores]
    assert stretched.micro == pytest.approx(roc_auc_score(np.concatenate(labels), np.concatenate(each)))
    tensors = micro_macro_auroc([torch.tensor(y) for y in labels], [torch.tensor(s) for s in scores])
    assert tensors == plain


@pytest.mark.parametrize(
    ("labels", "scores", "normalise", "message"),
    [
        ([[0, 1]], [[1.0, 2.0]], "global", 'normalise must be "none" or "per_video", got \'global\''),
        ([[0, 1]], [[1.0, 2.0]] * 2, "none", "labels and scores must have one array a video, got 1 and 2"),
        ([[0, 1], [0, 1]], [[1.0, 2.0], [1.0]], "none", r"labels\[1\] must have the shape of scores\[1\], \(1,\), got"),
        ([[0, 1], [0, 2]], [[1.0, 2.0]] * 2, "none", r"labels\[1\] must be 0 or 1, got the value 2"),
        ([[0, 1]], [[1.0, math.nan]], "none", r"scores\[0\] must be finite"),
        ([0, 1], [1.0, 2.0], "none", r"scores\[0\] must have 1 dimension"),
        ([[0, 0], [1, 1]], [[1.0, 2.0]] * 2, "none", r"got 2 video\(s\) without: macro AUROC is not defined"),
        ([], [], "none", r"got 0 video\(s\) without"),
    ],
)
def test_micro_macro_refuses(labels, scores, normalise, message):
    with pytest.raises(ValueError, match=message):
        micro_macro_auroc(labels, scores, normalise=normalise)


def test_integers_that_floats_would_tie_are_refused():
    with pytest.raises(ValueError, match=r"scores must hold integers below 2\*\*53"):
        auroc([0, 1], np.array([2**53, 2**53 + 1]))
    assert auroc([0, 1], np.array([2**53 - 2, 2**53 - 1])) == 1


@pytest.mark.parametrize("odd", [np.ma.masked_array([0.1, 0.2], [0, 1]), torch.tensor([0.1, 0.2]).to_sparse()])
def test_odd_arrays_are_named(odd):
    with pytest.raises(ValueError, match="scores must be a plain"):
        auroc([0, 1], odd)

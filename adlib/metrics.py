r"""How well do anomaly scores separate, and how well do anomaly maps localise?

Everywhere: label 1 = anomalous, 0 = normal, and a higher score = more anomalous. Every function takes numpy arrays,
lists or torch tensors (any device), and refuses what it cannot read with a ``ValueError`` that names the argument.
Scores are compared in the precision they come in, so rounding never makes a tie.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from adlib import _checks
from adlib._arrays import Values, finite, zero_one


class F1Max(NamedTuple):
    """The best F1 over all thresholds, and where it lies. ``scores >= threshold`` counts as anomalous.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """

    #: Harmonic mean of precision and recall, in (0, 1].
    f1: float
    #: One of the scores.
    threshold: float
    #: Share of the alarms that are right, in (0, 1].
    precision: float
    #: Share of the anomalies that raise an alarm, in (0, 1].
    recall: float


class VideoAUROC(NamedTuple):
    """AUROC of the frames of several videos, taken both ways.

    Taught in :doc:`/book/video/autoencoder`.
    """

    #: Of the frames of all videos together, in [0, 1].
    micro: float
    #: Mean over the videos that have both normal and anomalous frames, in [0, 1].
    macro: float
    #: Number of the videos that have not, and are left out of the macro AUROC.
    skipped: int


# helpers


def _labels_and_scores(labels: Values, scores: Values) -> tuple[np.ndarray, np.ndarray]:
    truth, ranking = zero_one(labels, "labels"), finite(scores, "scores")
    for array, name in ((truth, "labels"), (ranking, "scores")):
        if array.ndim != 1:
            raise ValueError(f"{name} must have one dimension (N,), got shape {array.shape}; flatten maps first")
    if len(truth) != len(ranking):
        raise ValueError(f"labels and scores must have the same length, got {len(truth)} and {len(ranking)}")
    if truth.all() or not truth.any():
        raise ValueError(f"labels must contain both 0 and 1, got only {int(truth[0])}: the figure is not defined")
    return truth, ranking


# scores: one number a picture (or a pixel)


def auroc(labels: Values, scores: Values) -> float:
    r"""Area under the ROC curve: how often an anomalous picture scores above a normal one.

    .. math:: \mathrm{AUROC} = P(s_1 > s_0) + \tfrac12 P(s_1 = s_0)

    with :math:`s_1` the score of a random anomalous picture and :math:`s_0` that of a random normal one. 0.5 is chance.
    For the pixel AUROC pass flattened arrays: ``auroc(masks.flatten(), maps.flatten())``; large regions then count more
    than small ones, which :func:`aupro` avoids.

    labels: (N,) of 0 or 1, both present. scores: (N,) finite. Returns a value in [0, 1].
    Raises ValueError on anything else. Source: Hanley and McNeil, 1982; computed by scikit-learn.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    truth, ranking = _labels_and_scores(labels, scores)
    return float(roc_auc_score(truth, ranking))


def average_precision(labels: Values, scores: Values) -> float:
    r"""Average precision, the step-wise area under the precision-recall curve.

    .. math:: \mathrm{AP} = \sum_k (R_k - R_{k-1}) P_k

    over the distinct thresholds from the highest down, with precision :math:`P_k` and recall :math:`R_k` at threshold
    :math:`k`. Chance is the share of anomalies, so a figure means little without that share.

    labels: (N,) of 0 or 1, both present. scores: (N,) finite. Returns a value in (0, 1].
    Raises ValueError on anything else. Computed by scikit-learn.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    truth, ranking = _labels_and_scores(labels, scores)
    return float(average_precision_score(truth, ranking))


def f1_max(labels: Values, scores: Values) -> F1Max:
    r"""The highest F1 that any threshold reaches: an oracle, because it has seen the labels.

    .. math:: F_1 = \frac{2 P R}{P + R} = \frac{2\,\mathrm{TP}}{2\,\mathrm{TP} + \mathrm{FP} + \mathrm{FN}}

    Exact: every distinct score is tried as a threshold. In use nobody has this threshold, since it is fitted on the
    very pictures it is judged by; a threshold for use comes from normal pictures alone. Print the figure as
    "oracle F1". Where several thresholds tie, the highest is returned (the fewest alarms).

    labels: (N,) of 0 or 1, both present. scores: (N,) finite. Returns :class:`F1Max`, with ``f1``, ``precision`` and
    ``recall`` in (0, 1] and ``threshold`` one of the scores. Raises ValueError on anything else.

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    truth, ranking = _labels_and_scores(labels, scores)
    order = np.argsort(ranking)[::-1]
    ranking = ranking[order]
    alarms = np.flatnonzero(np.append(ranking[1:] != ranking[:-1], True)) + 1  # equal scores are raised together
    hits = np.cumsum(truth[order])[alarms - 1]
    anomalies = int(truth.sum())
    f1 = 2 * hits / (alarms + anomalies)  # TP + FP = alarms, TP + FN = anomalies
    best = int(f1.argmax())
    return F1Max(
        f1=float(f1[best]),
        threshold=float(ranking[alarms[best] - 1]),
        precision=float(hits[best] / alarms[best]),
        recall=float(hits[best] / anomalies),
    )


# maps: one number a pixel


def aupro(masks: Values, maps: Values, max_fpr: float = 0.3) -> float:
    r"""Area under the per-region overlap curve up to a false-positive rate, as a share of the best possible.

    .. math::
        \mathrm{PRO}(\tau) = \frac1J \sum_{j=1}^{J} \frac{|\{p \in M_j : A_p \ge \tau\}|}{|M_j|},
        \qquad
        \mathrm{AUPRO} = \frac{1}{q} \int_0^{q} \mathrm{PRO}\, \mathrm{d}\,\mathrm{FPR}

    with :math:`M_j` the 8-connected anomalous regions of all pictures, :math:`A_p` the map's value at pixel :math:`p`,
    FPR the share of all normal pixels with :math:`A_p \ge \tau`, and :math:`q` = ``max_fpr``. Every region weighs the
    same, a scratch of ten pixels as much as a hole of ten thousand.

    Exact: all distinct thresholds count, pixels of equal value are raised together (the curve is straight between two
    thresholds), and the last step is cut at ``max_fpr``. A constant map gives ``max_fpr / 2``, a perfect one 1.

    masks: (N, H, W) of 0 or 1, at least one of each. maps: (N, H, W) finite. max_fpr: in (0, 1].
    Returns a value in [0, 1]. Raises ValueError on anything else. Source: Bergmann et al., 2021 (MVTec AD).

    Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """
    anomalous, values = zero_one(masks, "masks"), finite(maps, "maps")
    if anomalous.ndim != 3:
        raise ValueError(f"masks must have shape (N, H, W), got {anomalous.shape}")
    if values.shape != anomalous.shape:
        raise ValueError(f"maps must have the shape of masks, {anomalous.shape}, got {values.shape}")
    max_fpr = _checks.number("max_fpr", max_fpr, "a number in (0, 1]", 0, 1, ends=False)
    if not anomalous.any():
        raise ValueError("masks must mark at least one anomalous region, got only zeros")
    if anomalous.all():
        raise ValueError("masks must leave at least one normal pixel, got only ones: no false-positive rate without")

    region_sizes, regions = [], 0  # for every anomalous pixel, the size of the region it lies in
    for mask in anomalous:
        labelled, count = ndimage.label(mask, structure=np.ones((3, 3)))
        region = labelled[mask]
        region_sizes.append(np.bincount(region)[region])
        regions += count
    weight = 1 / np.concatenate(region_sizes)
    found, normal = values[anomalous], values[~anomalous]

    # Only the normal pixels that are raised before the rate passes max_fpr matter, so most need no sorting.
    needed = math.ceil(max_fpr * normal.size)
    lowest = np.partition(normal, normal.size - needed)[normal.size - needed]
    alarms = np.sort(normal[normal >= lowest])
    reached = found >= lowest
    found, weight = found[reached], weight[reached]
    order = np.argsort(found)  # a search for sorted values walks through memory instead of jumping
    found, weight = found[order], weight[order]

    # Seen from one anomalous pixel: it adds its weight to the curve once the rate passes `before`. Where normal pixels
    # share its value the rate runs on to `after`, and the curve climbs in a straight line from one to the other.
    before = (alarms.size - np.searchsorted(alarms, found, side="right")) / normal.size
    after = (alarms.size - np.searchsorted(alarms, found, side="left")) / normal.size
    end = np.minimum(after, max_fpr)
    climbed = np.divide(end - before, after - before, out=np.ones_like(before), where=after > before)
    area = climbed * (end - before) / 2 + (max_fpr - end)
    return min(1.0, float(weight @ area) / (regions * max_fpr))  # the sum of the weights may round above one


# video: one number a frame


def psnr(prediction: Values, target: Values, data_range: float = 1.0) -> np.ndarray:
    r"""Peak signal-to-noise ratio of each picture, in dB; high means well predicted, so normal.

    .. math:: \mathrm{PSNR} = 10 \log_{10} \frac{\mathrm{range}^2}{\mathrm{MSE}}

    with the mean squared error (MSE) over all dimensions but the first. In [0, 1] an MSE of 0.01 gives 20 dB; identical
    pictures give infinity.

    prediction, target: (N, ...) of the same shape, finite, two or more dimensions. data_range: largest value minus
    smallest that a picture may take, above 0: 1 for [0, 1], 2 for [-1, 1], 255 for bytes. Returns (N,) float64.
    Raises ValueError on anything else. Source: Liu et al., 2018.
    Taught in :doc:`/book/video/future_frame`.
    """
    predicted, true = finite(prediction, "prediction"), finite(target, "target")
    if predicted.ndim < 2:
        raise ValueError(f"prediction must have shape (N, ...) with two or more dimensions, got {predicted.shape}")
    if predicted.shape != true.shape:
        raise ValueError(f"target must have the shape of prediction, {predicted.shape}, got {true.shape}")
    _checks.positive(data_range=data_range)
    difference = predicted.astype(np.float64) - true
    error = (difference**2).reshape(len(difference), -1).mean(1)
    with np.errstate(divide="ignore"):  # log 0 is meant: no error, infinite ratio
        return 20 * np.log10(data_range) - 10 * np.log10(error)


def regularity_score(errors: Values, denominator: str = "max") -> np.ndarray:
    r"""Regularity of every frame of one video: 1 at the frame that is reconstructed best, lower elsewhere.

    .. math:: s(t) = 1 - \frac{e(t) - \min e}{\max e}
        \qquad\text{or}\qquad
        s(t) = 1 - \frac{e(t) - \min e}{\max e - \min e}

    The first is Hasan's; the second fills [0, 1]. Within a video both give the same ranking, across videos they do not.
    Frames with one and the same error are equally regular: all ones, never NaN. ``1 - regularity_score(...)`` is an
    anomaly score.

    errors: (T,) finite, of one video. denominator: ``"max"`` (errors then not below 0) or ``"range"``.
    Returns (T,) float64 in [0, 1]. Raises ValueError on anything else. Source: Hasan et al., 2016.
    Taught in :doc:`/book/video/autoencoder`.
    """
    error = finite(errors, "errors").astype(np.float64)
    if error.ndim != 1:
        raise ValueError(f"errors must have one dimension (T,), got shape {error.shape}")
    if denominator not in ("max", "range"):
        raise ValueError(f'denominator must be "max" or "range", got {denominator!r}')
    if denominator == "max" and error.min() < 0:
        raise ValueError(f'errors must not be below 0 with denominator="max", got {error.min()}')
    above = error - error.min()
    scale = error.max() if denominator == "max" else above.max()
    return 1 - above / scale if above.any() else np.ones_like(error)


def min_max(scores: Values) -> np.ndarray:
    r"""The scores of one video, stretched to [0, 1].

    .. math:: \tilde s(t) = \frac{s(t) - \min s}{\max s - \min s}

    Scores that are all the same become zeros, never NaN. It takes the whole video, so no frame can be judged before the
    last has come; and the worst frame of every video gets 1, of one without any anomaly too.

    scores: (T,) finite. Returns (T,) float64. Raises ValueError on anything else. Source: Liu et al., 2018.
    Taught in :doc:`/book/video/future_frame`.
    """
    score = finite(scores, "scores", 1).astype(np.float64)
    above = score - score.min()
    return above / above.max() if above.any() else above


def micro_macro_auroc(labels: Sequence[Values], scores: Sequence[Values], *, normalise: str = "none") -> VideoAUROC:
    r"""AUROC over the frames of several videos: all frames together, and video by video.

    .. math:: \mathrm{micro} = \mathrm{AUROC}\Big(\bigcup_v (y_v, s_v)\Big), \qquad
              \mathrm{macro} = \frac{1}{|B|} \sum_{v \in B} \mathrm{AUROC}(y_v, s_v)

    with B the videos that have both labels. Micro asks for one threshold for all videos, macro for one a video, so the
    two are not to be compared. ``normalise="per_video"`` applies :func:`min_max` to each video first, as many papers
    do: it changes micro, not macro. One stretch for all videos together would change neither.

    labels: for each video (T,) of 0 or 1. scores: for each video (T,) finite, as long as its labels. normalise:
    ``"none"`` or ``"per_video"``. Returns :class:`VideoAUROC`. Raises ValueError on anything else, and where no video
    has both labels: macro is then not defined, and :func:`auroc` of the joined arrays gives micro alone.
    Taught in :doc:`/book/video/autoencoder`.
    """
    if normalise not in ("none", "per_video"):
        raise ValueError(f'normalise must be "none" or "per_video", got {normalise!r}')
    if len(labels) != len(scores):
        raise ValueError(f"labels and scores must have one array a video, got {len(labels)} and {len(scores)}")
    truth = [zero_one(values, f"labels[{i}]") for i, values in enumerate(labels)]
    ranking = [finite(values, f"scores[{i}]", 1) for i, values in enumerate(scores)]
    for i, (one, other) in enumerate(zip(truth, ranking, strict=True)):
        if one.shape != other.shape:
            raise ValueError(f"labels[{i}] must have the shape of scores[{i}], {other.shape}, got {one.shape}")
    both = [i for i, one in enumerate(truth) if one.any() and not one.all()]
    if not both:
        raise ValueError(
            f"labels must hold a video with both 0 and 1, got {len(truth)} video(s) without: macro AUROC is not defined"
        )
    if normalise == "per_video":
        ranking = [min_max(one) for one in ranking]
    return VideoAUROC(
        micro=auroc(np.concatenate(truth), np.concatenate(ranking)),
        macro=float(np.mean([auroc(truth[i], ranking[i]) for i in both])),
        skipped=len(truth) - len(both),
    )

"""How steady predictions are along the frame sequences of ImageNet-P.

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

from adlib import _checks
from adlib._arrays import Values, array


def flip_probability(predictions: Values, *, noise: bool) -> float:
    r"""How often the predicted class changes from frame to frame.

    .. math:: \mathrm{FP} = \frac{1}{N (T - 1)} \sum_{i=1}^{N} \sum_{t=2}^{T} \big[\, y_{it} \ne y_{ir(t)} \,\big]

    with the class :math:`y_{it}` that is predicted for frame :math:`t` of picture :math:`i`. Frames are compared with
    the one before, :math:`r(t) = t - 1`. Noise is drawn anew for every frame, so that neighbours have no more in common
    than any two; there all frames are compared with the first, which is clean: :math:`r(t) = 1`.

    predictions: (N, T) integers or booleans, T at least 2: classes, or a detector's ``predict`` on frames. noise: True
    for the perturbations that are noise (gaussian, shot, speckle), False for all others. Returns a value in [0, 1].
    Raises ValueError on anything else.

    The paper reports the flip rate, this divided by AlexNet's flip probability on the same perturbation, and its mean
    over perturbations, mFR; both take predictions of AlexNet, which adlib has not. Its second figure, the distance of
    the top five classes, is not here either: a detector has no five classes.

    Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
    2019; ``ImageNet-P/test.py`` of hendrycks/robustness.

    Taught in :doc:`/book/datasets/corruptions`.
    """
    _checks.boolean(noise=noise)
    classes = array(predictions, "predictions")
    if classes.dtype.kind not in "biu":
        raise ValueError(f"predictions must hold classes, integers or booleans, got dtype {classes.dtype}")
    if classes.ndim != 2 or classes.shape[1] < 2:
        raise ValueError(f"predictions must have shape (N, T) with at least 2 frames, got {classes.shape}")
    before = classes[:, :1] if noise else classes[:, :-1]
    return float((classes[:, 1:] != before).mean())

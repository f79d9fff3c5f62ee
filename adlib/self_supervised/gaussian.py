"""One Gaussian over feature vectors: the density that scores pictures once a network has learnt features.

Taught in :doc:`/book/self_supervised/detector`.
"""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.linalg.lapack import dpocon
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.utils.validation import check_is_fitted, validate_data

from adlib import _checks
from adlib.storage import save_state

BLOCK = 2**20  # numbers scored at once, 8 MB: with much smaller blocks the threads of BLAS spend their time waiting


class GaussianDensity(OutlierMixin, BaseEstimator):
    r"""A normal distribution with a full covariance, fitted to the features of normal pictures.

    .. math::
        s(f) = \tfrac{1}{2} (f - \mu)^\top \Sigma^{-1} (f - \mu), \qquad
        \Sigma = (1 - \rho) S + (\rho + \lambda) \frac{\operatorname{tr} S}{D} I

    :math:`\mu` and :math:`S` are the maximum-likelihood mean and covariance of the n rows of D features, :math:`\rho`
    is the shrinkage, :math:`\lambda` the regularisation. With :math:`n \le D` rows :math:`S` has no inverse, and with a
    few more a bad one: shrinkage mends that.

    A scikit-learn outlier detector on vectors. X: (n, D) finite numbers, at least two rows, normal points only. It is
    fitted and scored in float64, whatever X comes in. Scoring takes memory for a block of rows beside X and the result,
    fitting for three copies of X in float64, four with ``normalise=True``.

    Parameters: covariance, ``"ledoit_wolf"``, the :math:`\rho` of Ledoit and Wolf, or a fixed one in [0, 1]; 0 gives
    maximum likelihood, 1 a sphere. regularisation, :math:`\lambda \ge 0`, in units of the mean variance of a feature,
    so that the scale of the features does not matter. normalise: divide every row by its Euclidean length first.
    contamination in (0, 0.5], the share of training rows that ``predict`` calls outliers.

    On unit vectors the mean variance is at most 1 / D. The ``reg_covar`` of scikit-learn's ``GaussianMixture`` is in
    absolute units: its 1e-6 on unit vectors of 512 features is a regularisation of at least 5e-4 here.

    With ``covariance=0`` and :math:`n \le D` only the regularisation makes :math:`\Sigma` invertible: a direction in
    which the training rows do not vary then weighs :math:`1/\lambda` times as much as one of mean variance. With
    ``regularisation=0`` as well ``fit`` raises ``ValueError``, as for any :math:`\Sigma` that is singular to within
    rounding.

    Learned: ``mean_`` (D,), ``covariance_`` :math:`\Sigma` and ``cholesky_`` :math:`L`, lower triangular with
    :math:`L L^\top = \Sigma`, (D, D), ``shrinkage_`` :math:`\rho`, ``offset_``, the log density below which
    ``predict`` says -1, ``n_features_in_``. With ``normalise=True`` all of them are about the unit vectors.

    Raises ``ValueError`` that names the argument for bad input; with ``normalise=True`` also for a row of zeros.

    Source: Li et al., 2021, eq. (2), where the features are not normalised. Code of the same group for one-class
    learning, google-research/deep_representation_one_class, normalises, and takes maximum likelihood with a
    ``reg_covar`` of 1e-6. Shrinkage: Ledoit and Wolf, 2004. Taught in :doc:`/book/self_supervised/detector`.
    """

    def __init__(
        self,
        *,
        covariance: str | float = "ledoit_wolf",
        regularisation: float = 1e-6,
        normalise: bool = False,
        contamination: float = 0.1,
    ):
        self.covariance = covariance
        self.regularisation = regularisation
        self.normalise = normalise
        self.contamination = contamination

    def fit(self, X: Any, y: Any = None) -> GaussianDensity:
        """Estimate mean and covariance. X: (n, D), n of at least 2, normal points only. y is ignored. Returns self."""
        fixed = None
        if not (isinstance(self.covariance, str) and self.covariance == "ledoit_wolf"):
            fixed = _checks.number("covariance", self.covariance, "'ledoit_wolf' or a number in [0, 1]", 0, 1)
        regularisation = _checks.number("regularisation", self.regularisation, "a number of at least 0", 0)
        contamination = _checks.number("contamination", self.contamination, "a number in (0, 0.5]", 0, 0.5, ends=False)
        _checks.boolean(normalise=self.normalise)
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        rows = unit_rows(X) if self.normalise else X
        mean, centred, scale = standardise(rows)
        # In units of the mean variance, tr S / D = 1: the shrinkage is the same, and its fourth powers do not overflow
        rho = float(ledoit_wolf_shrinkage(centred, assume_centered=True)) if fixed is None else fixed
        S = centred.T @ centred / len(X)
        # Σ = (1 − ρ) S + (ρ + λ) tr(S)/D I
        sigma = (1 - rho) * S + (rho + regularisation) * np.eye(len(mean))
        self.cholesky_ = np.sqrt(scale) * lower_factor(sigma, len(X))
        self.covariance_ = scale * sigma
        self.mean_ = mean
        self.shrinkage_ = rho
        self._normalise = self.normalise
        # log √((2π)ᴰ |Σ|), with |Σ| = Π L_jj²
        self._log_constant = float(len(mean) / 2 * math.log(2 * math.pi) + np.log(np.diag(self.cholesky_)).sum())
        log_density = self.score_samples(X)
        # Rounded down, so that a training row on the boundary counts as inside in other blocks of rows too
        self.offset_ = float(np.percentile(log_density, 100 * contamination)) - 1e-9 * np.abs(log_density).max()
        return self

    def anomaly_score(self, X: Any) -> np.ndarray:
        r""":math:`\frac{1}{2} (f - \mu)^\top \Sigma^{-1} (f - \mu)`, half the squared Mahalanobis distance.

        X: (m, D), float32 or float64 without a copy. Returns (m,) float64 of at least 0, the higher, the more
        anomalous.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        scores = np.empty(len(X))
        size = max(1, BLOCK // X.shape[1])
        for start in range(0, len(X), size):
            rows = X[start : start + size].astype(np.float64)
            rows = unit_rows(rows, start) if self._normalise else rows
            # ½ (f − μ)ᵀ Σ⁻¹ (f − μ) = ½ ‖L⁻¹ (f − μ)‖², and L⁻¹ (f − μ) is a solution, no inverse
            with np.errstate(over="ignore", invalid="ignore"):
                whitened = solve_triangular(
                    self.cholesky_, (rows - self.mean_).T, lower=True, overwrite_b=True, check_finite=False
                )
                scores[start : start + size] = np.einsum("ij,ij->j", whitened, whitened) / 2
        if not np.isfinite(scores).all():
            raise ValueError("X has values too large: their distance to the mean overflows in float64")
        return scores

    def score_samples(self, X: Any) -> np.ndarray:
        r"""The log density :math:`-s(f) - \frac{1}{2} \log\big((2\pi)^D |\Sigma|\big)`. X: (m, D). Returns (m,)."""
        return -self.anomaly_score(X) - self._log_constant

    def decision_function(self, X: Any) -> np.ndarray:
        """Log density minus ``offset_``: above 0 inside, below 0 for outliers. X: (m, D). Returns (m,)."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """+1 inside or on the boundary, -1 for outliers. X: (m, D). Returns (m,) of int."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def save(self, path: str | Path) -> None:
        """Write the fitted density to one file without pickle. :func:`~adlib.detector.load_detector` reads it."""
        check_is_fitted(self)
        learned = {k: v for k, v in vars(self).items() if k.startswith("_") or k.endswith("_")}
        if "feature_names_in_" in learned:
            learned["feature_names_in_"] = learned["feature_names_in_"].tolist()
        name = "adlib.self_supervised.gaussian.GaussianDensity"
        save_state(path, {"class": name, "params": self.get_params(), "learned": learned})

    @classmethod
    def _from_saved(cls, saved: dict[str, Any], device: Any) -> GaussianDensity:
        density = cls(**saved["params"])
        density.__dict__.update(saved["learned"])
        if hasattr(density, "feature_names_in_"):
            density.feature_names_in_ = np.array(density.feature_names_in_, dtype=object)
        return density


def unit_rows(X: np.ndarray, first: int = 0) -> np.ndarray:
    """The rows divided by their Euclidean length. X: (n, D). first: the number of the first row, for the message.

    Raises ``ValueError`` for a row of zeros, which has no direction.
    """
    largest = np.abs(X).max(1, keepdims=True)  # divided out first, since the squares may overflow or vanish
    if (largest == 0).any():
        row = first + int(np.flatnonzero(largest == 0)[0])
        raise ValueError(f"X must have no row of zeros where normalise is True, got one at row {row}")
    X = X / largest
    return X / np.sqrt(np.einsum("ij,ij->i", X, X))[:, None]


def standardise(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean, rows minus the mean in units of the root mean variance, and the mean variance of a feature.

    X: (n, D). Returns (D,), (n, D), a float above 0. Raises ``ValueError`` where the rows do not differ by more than
    rounding, or where their squares overflow.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = X.mean(0)
        centred = X - mean
        scale = float(np.einsum("ij,ij->", centred, centred) / X.size)
    if not math.isfinite(scale):
        raise ValueError("X has values too large: their squares overflow in float64")
    if np.abs(centred).max() <= 4 * np.finfo(float).eps * np.abs(X).max() or scale < np.finfo(float).tiny:
        raise ValueError(f"X must have at least two distinct rows, got {len(X)} that differ by rounding at most")
    centred /= math.sqrt(scale)
    return mean, centred, scale


def lower_factor(sigma: np.ndarray, n: int) -> np.ndarray:
    r"""The lower triangular :math:`L` with :math:`L L^\top = \Sigma`. sigma: (D, D). n: training rows, for the message.

    Raises ``ValueError`` where sigma is singular to within rounding.
    """
    singular = True
    with suppress(LinAlgError):
        L = cholesky(sigma, lower=True)
        # Judged on correlations, since features of unlike scale alone are no reason to refuse
        deviations = np.sqrt(np.diag(sigma))
        correlation = sigma / deviations / deviations[:, None]
        norm = np.abs(correlation).sum(0).max()
        inverse_condition, _ = dpocon(L / deviations[:, None], norm, uplo="L")
        singular = inverse_condition <= len(sigma) * np.finfo(float).eps
    if singular:
        raise ValueError(
            f"covariance: that of X, {n} rows of {len(sigma)} features, has no inverse without more shrinkage; "
            "give covariance='ledoit_wolf', or a greater covariance or regularisation"
        )
    return L

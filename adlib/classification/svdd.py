"""Support vector data description: the smallest sphere around the normal class, in a feature space.

Taught in :doc:`/book/classification/svdd`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from adlib import _checks
from adlib.classification.kernels import Kernel, KernelRows, finite_diagonal, kernel_sum, make_kernel, shift
from adlib.classification.smo import smo
from adlib.storage import save_state


class SVDD(OutlierMixin, BaseEstimator):
    r"""The smallest sphere that holds the normal points, with slack for a fraction nu of them.

    Primal, eq. :eq:`svdd-primal` of :doc:`/book/classification/svdd`:

    .. math::
        \min_{R, a, \xi} R^2 + \frac{1}{\nu n} \sum_i \xi_i
        \quad \text{s.t.} \quad \lVert \varphi(x_i) - a \rVert^2 \le R^2 + \xi_i, \; \xi_i \ge 0

    Dual, which is what is solved, with :math:`C = 1 / (\nu n)`:

    .. math::
        \max_\alpha \sum_i \alpha_i k(x_i, x_i) - \sum_{ij} \alpha_i \alpha_j k(x_i, x_j)
        \quad \text{s.t.} \quad 0 \le \alpha_i \le C, \; \sum_i \alpha_i = 1

    A scikit-learn outlier detector on vectors. X: (n, d) finite numbers, normal points only.

    Parameters: nu in (0, 1], an upper bound on the fraction of training points outside the sphere and a lower bound
    on the fraction of support vectors. kernel: ``"rbf"``, ``"linear"`` or ``"poly"``. gamma: a positive number,
    ``"scale"``, or ``"nearest"`` (:func:`~adlib.classification.kernels.nearest_gamma`), which ranks pictures better but
    in few dimensions puts nearly every training point on the sphere. degree, coef0: of the polynomial kernel. tol: how
    exact the solution is: no squared distance violates the optimality conditions by more than tol / (nu n), at most
    tol / 100, of the spread of the squared distances. max_iter: steps of the solver at most. cache_mb: memory for
    kernel rows, in megabytes.

    Learned: ``support_`` indices of the support vectors, ``support_vectors_`` (s, d), ``alpha_`` (s,) their
    multipliers, which sum to 1, ``radius_squared_`` :math:`R^2`, ``offset_`` :math:`-R^2`, ``dual_objective_``,
    ``gamma_``, ``n_iter_``.

    ``predict`` follows scikit-learn: +1 inside, -1 outside. For a threshold with a bound on false alarms give
    ``anomaly_score`` of held-out normal points to :func:`~adlib.detector.conformal_threshold`.

    Raises ``ValueError`` that names the argument for bad input. Source: Tax and Duin, 2004, with
    :math:`C = 1 / (\nu n)` after Schölkopf et al., 2001. Taught in :doc:`/book/classification/svdd`.
    """

    def __init__(
        self,
        *,
        nu: float = 0.1,
        kernel: str = "rbf",
        gamma: float | str = "scale",
        degree: int = 3,
        coef0: float = 0.0,
        tol: float = 1e-3,
        max_iter: int = 1_000_000,
        cache_mb: float = 1000,
    ):
        self.nu = nu
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.tol = tol
        self.max_iter = max_iter
        self.cache_mb = cache_mb

    def fit(self, X: Any, y: Any = None) -> SVDD:
        """Find the sphere. X: (n, d), normal points only. y is ignored. Returns self."""
        nu = _checks.number("nu", self.nu, "a number in (0, 1]", 0, 1, ends=False)
        _checks.positive(tol=self.tol, cache_mb=self.cache_mb)
        max_iter = _checks.integer("max_iter", self.max_iter, 1)
        X = validate_data(self, X, dtype=np.float64)
        n, C = len(X), 1 / (nu * len(X))
        kernel = make_kernel(X, self.kernel, self.gamma, self.degree, self.coef0)
        self._shift = shift(kernel.name != "poly", X)
        diagonal = finite_diagonal(kernel, X - self._shift)
        # Half the dual with its sign turned: min ½ αᵀKα − ½ diag(K)ᵀα
        result = smo(
            KernelRows(kernel, X - self._shift, self.cache_mb),
            diagonal,
            q=-diagonal / 2,
            lower=np.zeros(n),
            upper=np.full(n, C),
            start=far_points_first(X, C),
            tol=self.tol * min(C, 0.01),
            max_iter=max_iter,
        )
        alpha = result.beta
        self._centre_norm_squared = float(alpha @ (result.gradient + diagonal / 2))  # αᵀKα
        # ‖φ(x_i) − a‖² = K_ii − 2 (Kα)_i + αᵀKα
        distance = self._centre_norm_squared - 2 * result.gradient
        # Rounded up, so that the points on the sphere count as inside also after another order of summation
        self.radius_squared_ = radius_squared(alpha, distance, C) + 1e-10 * float(diagonal.max())
        self.offset_ = -self.radius_squared_
        self.support_ = np.flatnonzero(alpha)
        self.support_vectors_ = X[self.support_]
        self.alpha_ = alpha[self.support_]
        self.dual_objective_ = -2 * result.objective
        self.gamma_ = kernel.gamma
        self.n_iter_ = result.n_iter
        self._kernel = kernel
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        r"""Minus the squared distance to the centre. X: (m, d). Returns (m,), the greater, the more normal.

        .. math:: -\lVert \varphi(x) - a \rVert^2 = -k(x, x) + 2 \sum_i \alpha_i k(x_i, x) - \lVert a \rVert^2
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        X = X - self._shift
        projection = kernel_sum(self._kernel, X, self.support_vectors_ - self._shift, self.alpha_)
        return 2 * projection - self._kernel.diagonal(X) - self._centre_norm_squared

    def decision_function(self, X: Any) -> np.ndarray:
        r""":math:`R^2 - \lVert \varphi(x) - a \rVert^2`, positive inside the sphere. X: (m, d). Returns (m,)."""
        return self.score_samples(X) - self.offset_

    def anomaly_score(self, X: Any) -> np.ndarray:
        r""":math:`\lVert \varphi(x) - a \rVert^2 - R^2`, positive outside the sphere. X: (m, d). Returns (m,).

        The contract of the image detectors: the higher, the more anomalous.
        """
        return -self.decision_function(X)

    def predict(self, X: Any) -> np.ndarray:
        """+1 inside the sphere or on it, -1 outside. X: (m, d). Returns (m,) of int."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def save(self, path: str | Path) -> None:
        """Write the fitted sphere to one file without pickle. :func:`~adlib.detector.load_detector` reads it."""
        check_is_fitted(self)
        learned = {k: v for k, v in vars(self).items() if k.startswith("_") or k.endswith("_")}
        learned["_kernel"] = asdict(self._kernel)
        if "feature_names_in_" in learned:
            learned["feature_names_in_"] = learned["feature_names_in_"].tolist()
        save_state(path, {"class": "adlib.classification.svdd.SVDD", "params": self.get_params(), "learned": learned})

    @classmethod
    def _from_saved(cls, saved: dict[str, Any], device: Any) -> SVDD:
        svdd = cls(**saved["params"])
        svdd.__dict__.update(saved["learned"])
        svdd._kernel = Kernel(**saved["learned"]["_kernel"])
        if hasattr(svdd, "feature_names_in_"):
            svdd.feature_names_in_ = np.array(svdd.feature_names_in_, dtype=object)
        return svdd


def far_points_first(X: np.ndarray, C: float) -> np.ndarray:
    """A feasible start: all weight on the points farthest from the mean, C each, where the solution has most of it.

    X: (n, d). C: at least 1 / n. Returns (n,) in [0, C] with sum 1.
    """
    far = np.argsort(-np.square(X - X.mean(0)).sum(1), kind="stable")
    alpha = np.zeros(len(X))
    # 1/C points of weight C; one more takes what is left
    alpha[far] = np.clip(1 - C * np.arange(len(X)), 0, C)
    return alpha


def radius_squared(alpha: np.ndarray, distance: np.ndarray, C: float) -> float:
    """The squared radius that fits the multipliers: no point outside has alpha below C, none inside has alpha = C.

    alpha, distance: (n,), distance squared, to the centre. Returns R².
    """
    if (alpha >= C).all():  # nu = 1: every radius up to the nearest point is optimal
        return float(distance.min())
    inner = distance[alpha < C].max()
    outer = distance[alpha > 0].min()
    # A support vector below the bound lies on the sphere and counts in both: then outer <= inner, equal to within tol.
    # If there is none, every radius in between is optimal: the middle.
    return float(max(inner, (inner + outer) / 2))

"""The soft-margin support vector machine, solved by our own SMO.

Taught in :doc:`/book/classification/svm`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from adlib import _checks
from adlib.classification.kernels import KernelRows, finite_diagonal, kernel_sum, make_kernel, shift
from adlib.classification.smo import smo


class SoftMarginSVM(ClassifierMixin, BaseEstimator):
    r"""Two classes parted by the widest margin, with slack for the points that will not fit.

    Primal, with slack :math:`\xi_i` for each point, eq. :eq:`svm-primal` of :doc:`/book/classification/svm`:

    .. math::
        \min_{w, b, \xi} \tfrac12 \lVert w \rVert^2 + C \sum_i \xi_i
        \quad \text{s.t.} \quad y_i (w^\top \varphi(x_i) + b) \ge 1 - \xi_i, \; \xi_i \ge 0

    Dual, which is what is solved:

    .. math::
        \max_\alpha \sum_i \alpha_i - \tfrac12 \sum_{ij} \alpha_i \alpha_j y_i y_j k(x_i, x_j)
        \quad \text{s.t.} \quad 0 \le \alpha_i \le C, \; \sum_i \alpha_i y_i = 0

    A scikit-learn classifier for two classes. X: (n, d) finite numbers. y: (n,) two distinct labels; the greater one
    is :math:`y = +1`.

    Parameters: C > 0, the price of slack. kernel: ``"linear"``, ``"poly"`` or ``"rbf"``. gamma: a positive number,
    ``"scale"`` or ``"nearest"`` (:func:`~adlib.classification.kernels.nearest_gamma`). degree, coef0: of the
    polynomial kernel. tol: the largest violation of the optimality conditions left. max_iter: pairs moved at most.
    cache_mb: memory for kernel rows, in megabytes.

    Learned: ``support_`` indices of the support vectors, ``support_vectors_`` (s, d), ``dual_coef_`` (1, s) their
    :math:`\alpha_i y_i`, ``intercept_`` (1,), ``coef_`` (1, d) for the linear kernel, ``slack_`` (n,) the training
    slacks :math:`\xi_i`, ``dual_objective_``, ``gamma_``, ``n_iter_``, ``classes_``.

    Raises ``ValueError`` that names the argument for bad input. Source: Cortes and Vapnik, 1995.
    Taught in :doc:`/book/classification/svm`.
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: str = "rbf",
        gamma: float | str = "scale",
        degree: int = 3,
        coef0: float = 0.0,
        tol: float = 1e-3,
        max_iter: int = 1_000_000,
        cache_mb: float = 1000,
    ):
        self.C = C
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.tol = tol
        self.max_iter = max_iter
        self.cache_mb = cache_mb

    def fit(self, X: Any, y: Any) -> SoftMarginSVM:
        """Find the margin. X: (n, d). y: (n,) with two distinct labels. Returns self."""
        _checks.positive(C=self.C, tol=self.tol, cache_mb=self.cache_mb)
        max_iter = _checks.integer("max_iter", self.max_iter, 1)
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {type_of_target(y)}: "
                f"y must hold two distinct labels, got {len(self.classes_)}"
            )
        if len(self.classes_) < 2:
            raise ValueError(f"y must hold two distinct labels, got 1 class: {self.classes_[0]!r}")
        sign = np.where(labels == 1, 1.0, -1.0)
        kernel = make_kernel(X, self.kernel, self.gamma, self.degree, self.coef0)
        self._shift = shift(kernel.name == "rbf", X)
        diagonal = finite_diagonal(kernel, X - self._shift)

        # In β_i = α_i y_i the dual is: min ½ βᵀKβ − yᵀβ, Σβ = 0, β between 0 and C y.
        lower, upper = np.minimum(0, self.C * sign), np.maximum(0, self.C * sign)
        result = smo(
            KernelRows(kernel, X - self._shift, self.cache_mb),
            diagonal,
            q=-sign,
            lower=lower,
            upper=upper,
            start=np.zeros(len(X)),
            tol=self.tol,
            max_iter=max_iter,
        )
        beta, gradient = result.beta, result.gradient
        # The gradient is f(x_i) − b − y_i, and on the margin f(x_i) = y_i: there b = −gradient.
        alpha = np.abs(beta)
        on_margin = (alpha > 0) & (alpha < self.C)
        if on_margin.any():
            b = -gradient[on_margin].mean()
        else:  # every b between the two bounds is optimal: the middle
            b = -0.5 * (gradient[beta < upper].min() + gradient[beta > lower].max())
        self.slack_ = np.maximum(0, 1 - sign * (gradient + sign + b))
        self.support_ = np.flatnonzero(alpha)
        self.support_vectors_ = X[self.support_]
        self.dual_coef_ = beta[None, self.support_]
        self.intercept_ = np.array([b])
        self.dual_objective_ = -result.objective
        self.gamma_ = kernel.gamma
        self.n_iter_ = result.n_iter
        self._kernel = kernel
        return self

    @property
    def coef_(self) -> np.ndarray:
        """The normal vector w, (1, d), of the linear kernel; no other kernel has one in the space of X."""
        check_is_fitted(self)
        if self._kernel.name != "linear":
            raise AttributeError(f"coef_ exists for kernel='linear' alone, this one is {self._kernel.name!r}")
        return self.dual_coef_ @ self.support_vectors_

    def decision_function(self, X: Any) -> np.ndarray:
        r"""Signed value :math:`f(x) = \sum_i \alpha_i y_i k(x_i, x) + b`; positive on the side of ``classes_[1]``.

        X: (m, d). Returns (m,): ±1 on the margins, 0 on the boundary.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        support = self.support_vectors_ - self._shift
        return kernel_sum(self._kernel, X - self._shift, support, self.dual_coef_[0]) + self.intercept_[0]

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row. X: (m, d). Returns (m,)."""
        check_is_fitted(self)
        return self.classes_[(self.decision_function(X) > 0).astype(int)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

"""Kernels: inner products in a feature space, and rules for the width of the RBF kernel that see no label.

Taught in :doc:`/book/classification/svm` and :doc:`/book/classification/svdd`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from adlib import _checks

KERNELS = ("linear", "poly", "rbf")
GAMMA_RULES = ("nearest", "scale")


@dataclass(frozen=True)
class Kernel:
    r"""A kernel with its parameters fixed: ``kernel(X, Z)`` is the matrix :math:`K_{ij} = k(x_i, z_j)`.

    .. math::
        k_\text{linear}(x, z) = x^\top z, \qquad
        k_\text{poly}(x, z) = (\gamma\, x^\top z + r)^p, \qquad
        k_\text{rbf}(x, z) = e^{-\gamma \lVert x - z \rVert^2}

    gamma: :math:`\gamma > 0`, in units of one over a squared distance for the RBF kernel. degree: :math:`p \ge 1`.
    coef0: :math:`r \ge 0`, since otherwise it is an inner product in no space. X: (n, d), Z: (m, d) float64; for the
    RBF kernel near 0, or small distances are lost in rounding. Returns (n, m) float64. Raises ``ValueError``.
    Taught in :doc:`/book/classification/svm`.
    """

    name: str
    gamma: float = 1.0
    degree: int = 3
    coef0: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in KERNELS:
            raise ValueError(f"kernel must be one of {KERNELS}, got {self.name!r}")
        accepted = f"a number above 0 or one of {GAMMA_RULES}"
        object.__setattr__(self, "gamma", _checks.number("gamma", self.gamma, accepted, 0, ends=False))
        object.__setattr__(self, "degree", _checks.integer("degree", self.degree, 1))
        object.__setattr__(self, "coef0", _checks.number("coef0", self.coef0, "a number of at least 0", 0))

    def __call__(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        products = X @ Z.T
        if self.name == "linear":
            return products
        if self.name == "poly":
            return (self.gamma * products + self.coef0) ** self.degree
        # ‖x − z‖² = ‖x‖² + ‖z‖² − 2 xᵀz: one matrix product, the rest in place
        products *= 2 * self.gamma
        products -= self.gamma * np.einsum("ij,ij->i", X, X)[:, None]
        products -= self.gamma * np.einsum("ij,ij->i", Z, Z)
        np.minimum(products, 0, out=products)  # rounding may leave a distance of −1e-16
        return np.exp(products, out=products)

    def diagonal(self, X: np.ndarray) -> np.ndarray:
        """k(x, x) for every row. X: (n, d). Returns (n,)."""
        if self.name == "rbf":
            return np.ones(len(X))
        squared = np.einsum("ij,ij->i", X, X)
        return squared if self.name == "linear" else (self.gamma * squared + self.coef0) ** self.degree


def nearest_gamma(X: np.ndarray) -> float:
    r"""One over the median squared distance to the nearest neighbour: a width that needs no label.

    .. math:: \gamma = 1 \big/ \operatorname{median}_i \min_{j:\, x_j \ne x_i} \lVert x_i - x_j \rVert^2

    So the kernel between a typical point and its neighbour is :math:`e^{-1}`: neighbours see each other, strangers do
    not. Copies of a point are no neighbours of it. X: (n, d) with at least two distinct rows, else ``ValueError``.
    Taught in :doc:`/book/classification/svdd`.
    """
    X = X - X.mean(0)  # distances are found from lengths, and far from 0 the small ones would be lost in rounding
    distinct = np.unique(X, axis=0)
    if len(distinct) < 2:
        raise ValueError(
            "gamma='nearest' needs at least two distinct rows in X, "
            f"got n_samples={len(X)} with {len(distinct)} distinct; give gamma as a number"
        )
    # Only distinct rows can be neighbours, but every row, copies too, counts in the median.
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(distinct)
    # n_neighbors=2: the first one found is the row itself
    distances, _ = search.kneighbors(X)
    return float(1.0 / np.square(np.median(distances[:, 1])))


def scale_gamma(X: np.ndarray) -> float:
    """One over (number of features x variance of all values), scikit-learn's ``gamma="scale"``.

    X: (n, d). Constant X has no scale: 1.0, as scikit-learn has it. Taught in :doc:`/book/classification/svm`.
    """
    return float(1.0 / (X.shape[1] * X.var())) if np.ptp(X) > 0 else 1.0


def make_kernel(X: np.ndarray, kernel: Any, gamma: Any, degree: Any, coef0: Any) -> Kernel:
    """A :class:`Kernel` for the training points X (n, d), with gamma a positive number, ``"nearest"`` or ``"scale"``.

    Raises ``ValueError`` that names the argument. Taught in :doc:`/book/classification/svdd`.
    """
    if not isinstance(gamma, str):
        return Kernel(kernel, gamma, degree, coef0)
    if gamma not in GAMMA_RULES:
        raise ValueError(f"gamma must be a number above 0 or one of {GAMMA_RULES}, got {gamma!r}")
    if kernel == "linear":  # has no gamma: do not pay for a rule
        return Kernel(kernel, 1.0, degree, coef0)
    with np.errstate(over="ignore", divide="ignore"):
        value = 0.0
        if np.square(X).sum() < np.inf:
            value = nearest_gamma(X) if gamma == "nearest" else scale_gamma(X)
    if not 0 < value < np.inf:
        raise ValueError(f"X has values too large or too small for gamma={gamma!r}, which would be {value}: scale X")
    return Kernel(kernel, value, degree, coef0)


def finite_diagonal(kernel: Kernel, X: np.ndarray) -> np.ndarray:
    """The kernel's diagonal, (n,), or ``ValueError`` where a product of X overflows. X: (n, d)."""
    with np.errstate(over="ignore", invalid="ignore"):
        diagonal = kernel.diagonal(X)
        # No entry of the kernel matrix exceeds the largest of its diagonal, and sums of n of them must be finite too
        reach = len(X) * max(diagonal.max(), float(np.einsum("ij,ij->i", X, X).max()) * max(kernel.gamma, 1.0))
    if not reach < 1e150:
        raise ValueError(f"X has values too large for the {kernel.name} kernel, up to {np.abs(X).max():.3g}: scale X")
    return diagonal


def kernel_sum(kernel: Kernel, X: np.ndarray, support: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of weights_j k(x_i, support_j) over j, (m,), in pieces that keep the kernel matrix under 128 MB."""
    size = max(1, 2**24 // max(1, len(support)))
    return np.concatenate([kernel(X[i : i + size], support) @ weights for i in range(0, len(X), size)])


def shift(harmless: bool, X: np.ndarray) -> np.ndarray:
    """What to subtract from every point, (d,): the mean where a shift changes nothing, else 0. X: (n, d).

    Distances are found from lengths, ‖x − z‖² = ‖x‖² + ‖z‖² − 2 xᵀz: far from 0 small ones would be lost in rounding.
    """
    with np.errstate(over="ignore"):
        mean = X.mean(0)
    return mean if harmless and np.isfinite(mean).all() else np.zeros(X.shape[1])


class KernelRows:
    """Rows of the kernel matrix of X, computed when asked for, a block at a time, and kept up to a memory limit.

    A solver for few support vectors touches few rows; the whole matrix would cost more than the solution. One row is
    bound by reading X from memory, so a block of rows costs little more than one: the caller names further candidates.

    kernel: maps (n, d), (m, d) to (n, m). X: (n, d). cache_mb: memory for rows, in megabytes; two blocks of 32 rows are
    kept in any case. Taught in :doc:`/book/classification/svdd`.
    """

    block = 32

    def __init__(self, kernel: Callable[[np.ndarray, np.ndarray], np.ndarray], X: np.ndarray, cache_mb: float = 1000):
        self.kernel, self.X = kernel, X
        self.capacity = max(2 * self.block, int(cache_mb * 1e6 / (8 * len(X))))
        self.missing = np.ones(len(X), bool)
        self._rows: dict[int, np.ndarray] = {}

    def get(self, i: int, urgency: np.ndarray | None = None) -> np.ndarray:
        """Row i, (n,). urgency: (n,), the smaller, the sooner that row may be wanted; inf for never."""
        if i in self._rows:
            row = self._rows[i] = self._rows.pop(i)  # to the end: a dict keeps its order, and the first goes first
            return row
        wanted = np.array([i])
        # Rows on suspicion only while there is room: to make room for them would throw out rows that are in use
        if urgency is not None and len(self._rows) + self.block <= self.capacity:
            urgency = np.where(self.missing, urgency, np.inf)
            urgency[i] = np.inf
            k = min(self.block, len(urgency)) - 1
            near = np.argpartition(urgency, k)[:k] if k else wanted[:0]
            wanted = np.append(wanted, near[np.isfinite(urgency[near])])
        if len(self._rows) == self.capacity:
            oldest = next(iter(self._rows))
            del self._rows[oldest]
            self.missing[oldest] = True
        self._rows.update(zip(wanted.tolist(), self.kernel(self.X[wanted], self.X), strict=True))
        self.missing[wanted] = False
        return self._rows[i]

    def dot(self, beta: np.ndarray) -> np.ndarray:
        """The product of the kernel matrix and beta (n,), at the cost of the rows where beta is not zero."""
        total = np.zeros(len(self.X))
        for chunk in np.array_split(np.flatnonzero(beta), np.count_nonzero(beta) // 256 + 1):
            if len(chunk):
                total += beta[chunk] @ self.kernel(self.X[chunk], self.X)
        return total

"""Sequential minimal optimisation: the one solver behind the support vector machine and SVDD.

Both duals are the same problem, a convex quadratic under a box and one equality, so one solver serves both. It moves
two variables at a time, which keeps the equality, and picks the pair that promises the largest gain.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from adlib.classification.kernels import KernelRows

MOST_FREE = 500  # a step on all free variables solves a linear system of their number


class SMOResult(NamedTuple):
    """What :func:`smo` found.

    beta: (n,) the solution. gradient: (n,) :math:`K\\beta + q`. objective: :math:`\\tfrac12 \\beta^\\top K \\beta +
    q^\\top \\beta`. n_iter: pairs moved, and steps on all free variables. gap: the largest violation of the optimality
    conditions left, in units of the gradient.
    """

    beta: np.ndarray
    gradient: np.ndarray
    objective: float
    n_iter: int
    gap: float


def smo(
    rows: KernelRows,
    diagonal: np.ndarray,
    q: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    start: np.ndarray,
    *,
    tol: float,
    max_iter: int,
) -> SMOResult:
    r"""Minimise a convex quadratic under a box and one equality, two variables at a time.

    .. math::
        \min_\beta \tfrac12 \beta^\top K \beta + q^\top \beta \quad \text{s.t.} \quad
        \textstyle\sum_i \beta_i = \sum_i \beta^\text{start}_i, \quad \text{lower} \le \beta \le \text{upper}

    rows: the kernel matrix, row by row. diagonal, q, lower, upper, start: (n,) with start feasible. tol: stop when no
    pair violates the optimality conditions by more, as a share of half the spread of the gradient at the start, so that
    the scale of the data does not matter. max_iter: steps at most; reaching it gives a ``ConvergenceWarning``.
    The pair: i is the variable that most wants to grow, j the one whose exchange with i lowers the objective most to
    second order. Source: Fan, Chen and Lin, 2005, working set selection 2. Taught in :doc:`/book/classification/svm`.
    """
    beta = start.astype(float)
    gradient = rows.dot(beta) + q
    tol *= float(np.ptp(gradient)) / 2
    # A variable may grow below its upper bound and shrink above its lower bound. Infinity takes it out of a search.
    grow = np.where(beta < upper, gradient, np.inf)
    shrink = np.where(beta > lower, gradient, -np.inf)
    # Copies of a point have no curvature between them: a floor, in the units of the kernel, lets them move all the same
    floor = 1e-12 * (float(np.abs(diagonal).max()) or 1.0)
    period = max(1000, len(beta))
    gap = 0.0
    for n_iter in range(max_iter + 1):
        i = int(grow.argmin())
        gap = float(shrink.max() - grow[i])
        if gap <= tol:  # also when nothing can grow or shrink: the gap is then −inf
            break
        if n_iter == max_iter:
            warnings.warn(
                f"SMO stopped at max_iter={max_iter} with a gap of {gap:.1e}, tol is {tol:.1e}; "
                "scale the features, lower C or raise max_iter",
                ConvergenceWarning,
                stacklevel=3,
            )
            break
        if n_iter and n_iter % period == 0:
            _move_free_variables(rows, beta, gradient, lower, upper, floor)
            np.copyto(grow, np.where(beta < upper, gradient, np.inf))
            np.copyto(shrink, np.where(beta > lower, gradient, -np.inf))
            continue
        row_i = rows.get(i, grow)
        # Along e_i − e_j the objective falls by slope²/(2 curvature) at best
        slope = shrink - grow[i]
        curvature = np.maximum(diagonal[i] + diagonal - 2 * row_i, floor)
        gain = np.where(slope > 0, slope, 0.0) ** 2 / curvature
        j = int(gain.argmax())
        row_j = rows.get(j, -shrink)
        room_i, room_j = upper[i] - beta[i], beta[j] - lower[j]
        step = min(slope[j] / curvature[j], room_i, room_j)
        # A bound that is reached is reached exactly, or rounding would leave false free variables.
        beta[i] = upper[i] if step == room_i else beta[i] + step
        beta[j] = lower[j] if step == room_j else beta[j] - step
        gradient += step * (row_i - row_j)
        np.copyto(grow, gradient)
        np.copyto(shrink, gradient)
        grow[beta >= upper] = np.inf
        shrink[beta <= lower] = -np.inf
    objective = 0.5 * float(beta @ (gradient + q))
    return SMOResult(beta, gradient, objective, n_iter, max(gap, 0.0))


def _move_free_variables(
    rows: KernelRows, beta: np.ndarray, gradient: np.ndarray, lower: np.ndarray, upper: np.ndarray, floor: float
) -> None:
    """Move all variables between their bounds to where they would be optimal, or as far as a bound allows. In place.

    Pairs zigzag where the kernel matrix of the free variables is nearly singular (many points in few dimensions, a
    large C): millions of steps. There a Newton step on all of them at once ends it; between its bounds the problem is
    one linear system. A variable that meets its bound on the way stays there, and the others go on.
    """
    for _ in range(MOST_FREE):
        free = np.flatnonzero((beta > lower) & (beta < upper))
        m = len(free)
        if not 2 <= m <= MOST_FREE:
            return
        K = np.stack([rows.get(i) for i in free.tolist()])
        # Stationary with the sum kept: K d + λ 1 = −gradient, 1ᵀd = 0. The floor is for copies of points.
        system = np.ones((m + 1, m + 1))
        system[m, m] = 0
        system[:m, :m] = K[:, free]
        system[range(m), range(m)] += m * floor
        direction = np.linalg.solve(system, np.append(-gradient[free], 0))[:m]
        direction -= direction.mean()
        bound = np.where(direction > 0, upper[free], lower[free])
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(direction == 0, np.inf, (bound - beta[free]) / direction)
        first = int(room.argmin())
        step = min(1.0, room[first])
        beta[free] += step * direction
        gradient += step * direction @ K
        if step == 1:
            return
        beta[free[first]] = bound[first]

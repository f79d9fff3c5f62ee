"""Kernels against scikit-learn's, and the gamma rules by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import pairwise

from adlib.classification.kernels import Kernel, KernelRows, make_kernel, nearest_gamma, scale_gamma

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(7, 5)), RNG.normal(size=(4, 5))


@pytest.mark.parametrize(
    ("kernel", "reference"),
    [
        (Kernel("linear"), pairwise.linear_kernel(X, Z)),
        (Kernel("poly", 0.3, 2, 1.5), pairwise.polynomial_kernel(X, Z, degree=2, gamma=0.3, coef0=1.5)),
        (Kernel("rbf", 0.7), pairwise.rbf_kernel(X, Z, gamma=0.7)),
    ],
    ids=["linear", "poly", "rbf"],
)
def test_kernels_equal_scikit_learns(kernel, reference):
    np.testing.assert_allclose(kernel(X, Z), reference, rtol=1e-12)
    np.testing.assert_allclose(kernel.diagonal(X), np.diag(kernel(X, X)), rtol=1e-12)


def test_rbf_of_far_away_data_stays_in_0_1():
    far = 1e6 + RNG.normal(size=(50, 3)) * 1e-3  # cancellation would give exp(+something)
    K = Kernel("rbf", 1.0)(far, far)
    assert K.max() <= 1 and K.min() >= 0


def test_nearest_gamma_by_hand():
    # distances to the nearest other point: 1, 1, 2 -> squared 1, 1, 4 -> median 1
    assert nearest_gamma(np.array([[0.0], [1.0], [3.0]])) == pytest.approx(1.0)
    # nearest distances 2, 2, 3 -> median of squares 4
    assert nearest_gamma(np.array([[0.0], [2.0], [5.0]])) == pytest.approx(1 / 4)


def test_nearest_gamma_does_not_take_a_copy_for_a_neighbour():
    points = np.array([[0.0], [0.0], [0.0], [2.0], [5.0]])
    # each copy of 0 has its neighbour at 2: squares 4, 4, 4, 4, 9
    assert nearest_gamma(points) == pytest.approx(1 / 4)


@given(st.floats(0.01, 100), st.integers(2, 30))
def test_nearest_gamma_scales_as_one_over_distance_squared(factor, n):
    points = np.random.default_rng(n).normal(size=(n, 3))
    assert nearest_gamma(factor * points) == pytest.approx(nearest_gamma(points) / factor**2, rel=1e-6)


def test_scale_gamma_is_scikit_learns():
    assert scale_gamma(X) == pytest.approx(1 / (5 * X.var()))
    assert scale_gamma(np.full((30, 3), 0.1)) == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": "sigmoid"}, "kernel must be one of .*'sigmoid'"),
        ({"gamma": 0}, "gamma must be a number above 0.*got 0"),
        ({"gamma": -1.0}, "gamma must be a number above 0.*got -1.0"),
        ({"gamma": np.nan}, "gamma must be a number above 0.*got nan"),
        ({"gamma": None}, "gamma must be a number above 0.*got None"),
        ({"gamma": True}, "gamma must be a number above 0.*got True"),
        ({"gamma": 1j}, "gamma must be a number above 0.*got 1j"),
        ({"gamma": np.array([0.5])}, "gamma must be a number above 0"),
        ({"degree": True}, "degree must be an integer of at least 1, got True"),
        ({"coef0": "1"}, "coef0 must be a number of at least 0, got '1'"),
        ({"gamma": "auto"}, "gamma must be a number above 0 or one of .*'auto'"),
        ({"degree": 0}, "degree must be an integer of at least 1, got 0"),
        ({"degree": 2.5}, "degree must be an integer of at least 1, got 2.5"),
        ({"coef0": -1.0}, "coef0 must be a number of at least 0, got -1.0"),
        ({"coef0": np.inf}, "coef0 must be a number of at least 0, got inf"),
    ],
)
def test_bad_parameters_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        make_kernel(X, **({"kernel": "rbf", "gamma": 1.0, "degree": 3, "coef0": 0.0} | change))


def test_nearest_needs_two_distinct_rows():
    with pytest.raises(ValueError, match="at least two distinct rows in X, got n_samples=3 with 1 distinct"):
        make_kernel(np.ones((3, 2)), "rbf", "nearest", 3, 0.0)


def test_rows_are_rows_of_the_kernel_matrix_also_when_memory_is_short():
    points = RNG.normal(size=(300, 4))
    kernel = Kernel("rbf", 0.5)
    K = kernel(points, points)
    rows = KernelRows(kernel, points, cache_mb=1e-6)  # room for 64 rows only
    for i in RNG.integers(0, 300, size=500):
        np.testing.assert_allclose(rows.get(int(i), urgency=RNG.normal(size=300)), K[i], rtol=1e-12)
        assert len(rows._rows) <= rows.capacity == 64
        assert set(np.flatnonzero(~rows.missing)) == set(rows._rows)


def test_rows_dot_equals_the_product():
    points = RNG.normal(size=(600, 4))
    kernel = Kernel("poly", 0.5, 2, 1.0)
    beta = RNG.normal(size=600)
    beta[RNG.random(600) < 0.3] = 0
    np.testing.assert_allclose(KernelRows(kernel, points).dot(beta), kernel(points, points) @ beta, rtol=1e-10)
    assert not KernelRows(kernel, points).dot(np.zeros(600)).any()


def test_a_block_brings_the_most_urgent_rows():
    points = RNG.normal(size=(100, 4))
    rows = KernelRows(Kernel("linear"), points)
    urgency = np.arange(100.0)
    urgency[3] = np.inf  # never wanted
    rows.get(50, urgency)
    assert set(rows._rows) == {50, *range(3), *range(4, 32)}


def test_a_full_memory_computes_no_row_on_suspicion_and_keeps_the_rows_in_use():
    points = RNG.normal(size=(300, 4))
    asked = []
    rows = KernelRows(lambda A, B: asked.append(len(A)) or A @ B.T, points, cache_mb=1e-6)  # room for 64 rows
    for i in range(0, 300, 10):
        rows.get(i, urgency=np.arange(300.0))
        rows.get(0)
    assert 0 in rows._rows and len(rows._rows) == 64
    assert asked[2:] == [1] * (len(asked) - 2)


@pytest.mark.parametrize("offset", [0.0, 1e5, 1e6])
def test_nearest_gamma_far_from_zero(offset):
    points = RNG.normal(size=(50, 2)) * 0.01
    assert nearest_gamma(points + offset) == pytest.approx(nearest_gamma(points), rel=1e-2)


@pytest.mark.parametrize("rule", ["nearest", "scale"])
@pytest.mark.parametrize("factor", [1e200, 1e-170])
def test_values_beyond_a_rule_are_named(rule, factor):
    with pytest.raises(ValueError, match="X has values too large or too small for gamma="):
        make_kernel(X * factor, "rbf", rule, 3, 0.0)

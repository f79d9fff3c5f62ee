"""SVDD against libsvm, a general solver, hand-made cases and the nu-property."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.metrics.pairwise import linear_kernel, polynomial_kernel, rbf_kernel
from sklearn.svm import OneClassSVM
from sklearn.utils.estimator_checks import check_estimator

from adlib import SVDD
from adlib.classification.svdd import far_points_first, radius_squared

KERNELS = {
    "linear": (lambda X, Z: linear_kernel(X, Z), {"kernel": "linear"}),
    "poly": (
        lambda X, Z: polynomial_kernel(X, Z, degree=2, gamma=0.5, coef0=1.0),
        {"kernel": "poly", "degree": 2, "gamma": 0.5, "coef0": 1.0},
    ),
    "rbf": (lambda X, Z: rbf_kernel(X, Z, gamma=0.5), {"kernel": "rbf", "gamma": 0.5}),
}


def dual(alpha, K):
    return alpha @ np.diag(K) - alpha @ K @ alpha


def libsvm_multipliers(K, nu, tol=1e-7):
    """SVDD's multipliers, from libsvm's one-class SVM, for any kernel matrix K.

    libsvm has no linear term. Replace K by M - D/2, where D_ij = K_ii + K_jj - 2 K_ij is the squared distance in the
    feature space: on multipliers that sum to one this turns the objective into -dual + M. The matrix is no kernel in
    general, it may have negative eigenvalues, but along moves that keep the sum the problem is as convex as before.
    """
    if nu == 1:  # one point is feasible, and libsvm finds no finite offset there
        return np.full(len(K), 1 / len(K))
    diagonal = np.diag(K)
    distance = diagonal[:, None] + diagonal - 2 * K
    model = OneClassSVM(kernel="precomputed", nu=nu, tol=tol).fit(distance.max() - distance / 2)
    alpha = np.zeros(len(K))
    alpha[model.support_] = model.dual_coef_[0] / (nu * len(K))
    return alpha


def full_alpha(svdd, n):
    alpha = np.zeros(n)
    alpha[svdd.support_] = svdd.alpha_
    return alpha


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("n", [2, 3, 10, 300, 1000])
@pytest.mark.parametrize("nu", [0.01, 0.1, 0.5, 1.0])
def test_same_optimum_as_libsvm(name, n, nu):
    kernel, parameters = KERNELS[name]
    X = np.random.default_rng(n).normal(size=(n, 3))
    K = kernel(X, X)
    svdd = SVDD(nu=nu, tol=1e-6, **parameters).fit(X)
    if nu * n < 1:  # libsvm has no multiplier above one: there the two problems agree at nu = 1 / n
        nu = 1 / n
    expected = dual(libsvm_multipliers(K, nu), K)
    assert svdd.dual_objective_ == pytest.approx(expected, rel=1e-6)
    assert dual(full_alpha(svdd, n), K) == pytest.approx(svdd.dual_objective_, rel=1e-9)


def test_same_optimum_with_copies_of_points():
    X = np.repeat(np.random.default_rng(0).normal(size=(40, 2)), 5, axis=0)
    for kernel, parameters in KERNELS.values():
        K = kernel(X, X)
        svdd = SVDD(nu=0.15, tol=1e-6, **parameters).fit(X)
        assert svdd.dual_objective_ == pytest.approx(dual(libsvm_multipliers(K, 0.15), K), rel=1e-6)


def test_same_optimum_as_libsvm_at_6000_points():
    X = np.random.default_rng(0).normal(size=(6000, 20))
    svdd = SVDD(gamma=0.02).fit(X)
    model = OneClassSVM(gamma=0.02, nu=0.1).fit(X)
    alpha = model.dual_coef_[0] / 600
    K = rbf_kernel(model.support_vectors_, gamma=0.02)
    assert svdd.dual_objective_ == pytest.approx(dual(alpha, K), rel=1e-6)


@pytest.mark.parametrize("name", ["linear", "poly"])
def test_primal_equals_dual_at_6000_points(name):
    """Weak duality: every feasible primal value is above every dual one, so a small gap proves both optimal."""
    X = np.random.default_rng(0).normal(size=(6000, 3))
    svdd = SVDD(nu=0.1, **KERNELS[name][1]).fit(X)
    primal = svdd.radius_squared_ + np.maximum(0, svdd.anomaly_score(X)).sum() / 600
    assert svdd.dual_objective_ <= primal * (1 + 1e-9)
    assert svdd.dual_objective_ == pytest.approx(primal, rel=1e-6)


@pytest.mark.parametrize("name", KERNELS)
def test_same_optimum_as_a_general_solver(name):
    kernel, parameters = KERNELS[name]
    X = np.random.default_rng(5).normal(size=(12, 2))
    K, C = kernel(X, X), 1 / (0.3 * 12)
    found = minimize(
        lambda a: -dual(a, K),
        np.full(12, 1 / 12),
        jac=lambda a: 2 * K @ a - np.diag(K),
        bounds=[(0, C)] * 12,
        constraints={"type": "eq", "fun": lambda a: a.sum() - 1, "jac": lambda a: np.ones(12)},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert SVDD(nu=0.3, tol=1e-8, **parameters).fit(X).dual_objective_ == pytest.approx(-found.fun, rel=1e-6)


def test_the_one_class_svm_ranks_and_decides_the_same_for_an_rbf_kernel():
    rng = np.random.default_rng(0)
    X, test = rng.normal(size=(300, 3)), rng.normal(size=(200, 3)) * 2
    svdd = SVDD(nu=0.2, gamma=0.5, tol=1e-7).fit(X)
    ocsvm = OneClassSVM(nu=0.2, gamma=0.5, tol=1e-7).fit(X)
    np.testing.assert_allclose(full_alpha(svdd, 300)[ocsvm.support_], ocsvm.dual_coef_[0] / 60, atol=1e-6)
    # d² − R² = −2 (w·φ(x) − ρ), with w = Σ α φ in our scale
    np.testing.assert_allclose(svdd.anomaly_score(test), -2 * ocsvm.decision_function(test) / 60, atol=1e-6)


def test_the_one_class_svm_differs_for_a_linear_kernel():
    X = np.random.default_rng(0).normal(size=(300, 2)) + [3.0, 0.0]
    test = np.array([[3.0, 0.0], [0.0, 0.0], [9.0, 0.0]])
    sphere = SVDD(nu=0.05, kernel="linear").fit(X).predict(test)
    half_plane = OneClassSVM(nu=0.05, kernel="linear").fit(X).predict(test)
    assert list(sphere) == [1, -1, -1]
    assert list(half_plane) == [1, -1, 1]  # everything beyond the plane, however far, is normal


def test_a_square_by_hand():
    # The smallest circle around the corners of a square of side 2: centre 0, R² = 2
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0], [0.2, 0.1]])
    svdd = SVDD(kernel="linear", nu=0.1, tol=1e-9).fit(X)
    assert svdd.radius_squared_ == pytest.approx(2.0)
    np.testing.assert_allclose(svdd.alpha_ @ svdd.support_vectors_, 0, atol=1e-9)
    np.testing.assert_allclose(svdd.anomaly_score([[0.0, 0.0], [3.0, 0.0]]), [-2.0, 7.0], atol=1e-6)
    assert list(svdd.predict(X)) == [1] * 5


def test_nu_one_is_a_kernel_density_estimate():
    rng = np.random.default_rng(0)
    X, test = rng.normal(size=(50, 2)), rng.normal(size=(20, 2))
    svdd = SVDD(nu=1.0, gamma=0.5).fit(X)
    np.testing.assert_allclose(svdd.alpha_, 1 / 50)
    difference = svdd.anomaly_score(test) + 2 * rbf_kernel(test, X, gamma=0.5).mean(1)
    np.testing.assert_allclose(difference, difference[0])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 80), nu=st.floats(0.01, 1.0), gamma=st.floats(0.05, 5.0))
def test_nu_property(seed, n, nu, gamma):
    X = np.random.default_rng(seed).normal(size=(n, 2))
    svdd = SVDD(nu=nu, gamma=gamma).fit(X)
    outside = (svdd.predict(X) == -1).mean()
    support = len(svdd.support_) / n
    assert outside <= nu + 1e-9
    assert support >= nu - 1e-9


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000), n=st.integers(2, 150), nu=st.floats(0.01, 1.0), offset=st.sampled_from([0, 600, 1e5])
)
def test_nu_property_of_a_linear_kernel_far_from_zero(seed, n, nu, offset):
    X = np.random.default_rng(seed).normal(size=(n, 2)) + offset
    svdd = SVDD(nu=nu, kernel="linear").fit(X)
    assert (svdd.predict(X) == -1).mean() <= nu + 1e-9
    assert len(svdd.support_) / n >= nu - 1e-9


@pytest.mark.parametrize("nu", [0.05, 0.001, 1e-4, 1e-6])
def test_below_one_point_nu_changes_nothing(nu):
    """From nu = 1 / n down no multiplier can reach its bound: the smallest sphere that holds every point."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    expected = SVDD(nu=0.05, gamma=0.5, tol=1e-6).fit(X)
    svdd = SVDD(nu=nu, gamma=0.5).fit(X)
    assert svdd.radius_squared_ == pytest.approx(expected.radius_squared_, rel=1e-3)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e3, 1e9])
def test_the_scale_of_the_data_does_not_matter(scale):
    X = np.random.default_rng(0).normal(size=(200, 2))
    svdd = SVDD(kernel="linear").fit(X * scale)
    assert svdd.radius_squared_ / scale**2 == pytest.approx(
        SVDD(kernel="linear", tol=1e-8).fit(X).radius_squared_, rel=1e-4
    )


def test_data_far_from_zero():
    X = np.random.default_rng(0).normal(size=(60, 2)) * 0.01
    for gamma in (5000.0, "nearest"):
        near, far = SVDD(gamma=gamma).fit(X), SVDD(gamma=gamma).fit(X + 1e5)
        np.testing.assert_allclose(far.anomaly_score(X + 1e5), near.anomaly_score(X), atol=1e-3)


def test_parameters_set_after_fit_change_nothing_until_the_next():
    X = np.random.default_rng(0).normal(size=(40, 2))
    svdd = SVDD(gamma=0.5).fit(X)
    before = svdd.anomaly_score(X)
    svdd.set_params(kernel="linear", nu=0.5)
    np.testing.assert_array_equal(svdd.anomaly_score(X), before)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(3, 60), nu=st.floats(0.02, 0.9), name=st.sampled_from(list(KERNELS)))
def test_primal_equals_dual(seed, n, nu, name):
    X = np.random.default_rng(seed).normal(size=(n, 2))
    svdd = SVDD(nu=nu, tol=1e-7, **KERNELS[name][1]).fit(X)
    slack = np.maximum(0, svdd.anomaly_score(X))
    primal = svdd.radius_squared_ + slack.sum() / (nu * n)
    assert primal == pytest.approx(svdd.dual_objective_, rel=1e-5, abs=1e-8)
    assert svdd.alpha_.sum() == pytest.approx(1) and svdd.alpha_.max() <= 1 / (nu * n) + 1e-12


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_of_the_points_and_a_shift_change_nothing(seed):
    rng = np.random.default_rng(seed)
    X, test = rng.normal(size=(40, 2)), rng.normal(size=(10, 2))
    score = SVDD(nu=0.2, gamma=0.5, tol=1e-8).fit(X).anomaly_score(test)
    shuffled = SVDD(nu=0.2, gamma=0.5, tol=1e-8).fit(X[rng.permutation(40)]).anomaly_score(test)
    shifted = SVDD(nu=0.2, gamma=0.5, tol=1e-8).fit(X + 7).anomaly_score(test + 7)
    np.testing.assert_allclose(shuffled, score, atol=1e-6)
    np.testing.assert_allclose(shifted, score, atol=1e-6)


def test_start_is_feasible_and_takes_the_far_points():
    X = np.array([[0.4], [10.0], [1.0], [-9.0], [0.1]])  # mean 0.5
    alpha = far_points_first(X, C=0.4)
    np.testing.assert_allclose(alpha, [0.0, 0.4, 0.2, 0.4, 0.0])
    np.testing.assert_allclose(far_points_first(X, C=5.0), [0, 1, 0, 0, 0])
    np.testing.assert_allclose(far_points_first(X, C=0.2), 0.2)


def test_radius_by_hand():
    d = np.array([1.0, 2.0, 3.0, 4.0])
    assert radius_squared(np.array([0.0, 0.1, 0.4, 0.5]), d, C=0.5) == pytest.approx(3.0)  # free ones at 2 and 3
    assert radius_squared(np.array([0.0, 0.0, 0.5, 0.5]), d, C=0.5) == pytest.approx(2.5)  # none free: the middle
    assert radius_squared(np.full(4, 0.25), d, C=0.25) == pytest.approx(1.0)  # nu = 1


def test_scores_do_not_depend_on_the_size_of_the_batch():
    rng = np.random.default_rng(0)
    svdd = SVDD(gamma=0.5).fit(rng.normal(size=(50, 2)))
    test = rng.normal(size=(30, 2))
    one_by_one = np.concatenate([svdd.anomaly_score(row[None]) for row in test])
    np.testing.assert_allclose(svdd.anomaly_score(test), one_by_one, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks():
    results = check_estimator(SVDD())
    assert sum(result["status"] == "passed" for result in results) > 40


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"nu": 0}, r"nu must be a number in \(0, 1\], got 0"),
        ({"nu": 1.5}, r"nu must be a number in \(0, 1\], got 1.5"),
        ({"nu": float("nan")}, r"nu must be a number in \(0, 1\], got nan"),
        ({"nu": None}, r"nu must be a number in \(0, 1\], got None"),
        ({"nu": True}, r"nu must be a number in \(0, 1\], got True"),
        ({"nu": [0.1]}, r"nu must be a number in \(0, 1\], got \[0.1\]"),
        ({"nu": 0.1j}, r"nu must be a number in \(0, 1\], got 0.1j"),
        ({"max_iter": 0.5}, "max_iter must be an integer of at least 1, got 0.5"),
        ({"nu": "few"}, r"nu must be a number in \(0, 1\], got 'few'"),
        ({"kernel": "cosine"}, "kernel must be one of .*'cosine'"),
        ({"gamma": -2}, "gamma must be a number above 0.*got -2"),
        ({"tol": -1}, "tol must be a number above 0, got -1"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        SVDD(**parameters).fit([[0.0], [1.0], [3.0]])


def test_bad_data_is_named():
    with pytest.raises(ValueError, match="Input X contains NaN"):
        SVDD().fit([[np.nan], [1.0]])
    with pytest.raises(ValueError, match="Input X contains infinity"):
        SVDD().fit([[np.inf], [1.0]])
    with pytest.raises(ValueError, match="X has values too large"):
        SVDD().fit(np.random.default_rng(0).normal(size=(5, 2)) * 1e200)
    with pytest.raises(ValueError, match="at least two distinct rows in X"):
        SVDD(gamma="nearest").fit(np.ones((5, 3)))
    with pytest.raises(ValueError, match="X has 3 features, but SVDD is expecting 2"):
        SVDD().fit([[0.0, 0.0], [1.0, 2.0]]).predict([[1.0, 2.0, 3.0]])

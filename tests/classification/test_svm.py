"""SoftMarginSVM against libsvm, hand-made cases and the conditions of optimality."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_blobs, make_circles
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import linear_kernel, polynomial_kernel, rbf_kernel
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator

from adlib import SoftMarginSVM

KERNELS = [
    {"kernel": "linear"},
    {"kernel": "poly", "gamma": 0.1, "degree": 3, "coef0": 1.0},
    {"kernel": "rbf", "gamma": 0.7},
]


def problem(n, spread, seed=0):
    """Two blobs, 4 apart: spread 0.3 is separable, 3.0 overlaps."""
    X, y = make_blobs(n_samples=n, centers=[[-2.0, 0.0, 0.0], [2.0, 0.0, 0.0]], cluster_std=spread, random_state=seed)
    return X, y


def libsvm_objective(model):
    beta, X = model.dual_coef_[0], model.support_vectors_
    return np.abs(beta).sum() - 0.5 * beta @ kernel_of(model, X) @ beta


def kernel_of(model, X):
    if model.kernel == "linear":
        return linear_kernel(X, X)
    if model.kernel == "poly":
        return polynomial_kernel(X, X, degree=model.degree, gamma=model.gamma, coef0=model.coef0)
    return rbf_kernel(X, X, gamma=model.gamma)


@pytest.mark.parametrize("parameters", KERNELS, ids=lambda p: p["kernel"])
@pytest.mark.parametrize("n", [2, 3, 10, 200, 1000])
@pytest.mark.parametrize("spread", [0.3, 3.0], ids=["separable", "overlapping"])
def test_same_optimum_as_libsvm(parameters, n, spread):
    X, y = problem(n, spread)
    ours = SoftMarginSVM(C=1.5, tol=1e-6, **parameters).fit(X, y)
    theirs = SVC(C=1.5, tol=1e-6, **parameters).fit(X, y)
    assert ours.dual_objective_ == pytest.approx(libsvm_objective(theirs), rel=1e-6)
    grid = np.random.default_rng(1).normal(size=(100, 3)) * 3
    expected = theirs.decision_function(grid)
    loose = 1e-3 if parameters["kernel"] == "poly" else 1e-5  # a nearly flat optimum: many solutions within tol
    np.testing.assert_allclose(ours.decision_function(grid), expected, atol=loose * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_same_optimum_for_every_price_of_slack(C):
    X, y = problem(200, 1.5)
    ours = SoftMarginSVM(C=C, gamma=0.5, tol=1e-6).fit(X, y)
    assert ours.dual_objective_ == pytest.approx(libsvm_objective(SVC(C=C, gamma=0.5, tol=1e-6).fit(X, y)), rel=1e-6)


@pytest.mark.parametrize("kernel", ["linear", "poly"])
def test_same_optimum_where_pairs_alone_zigzag(kernel):
    # Random labels, few dimensions, dear slack: libsvm needs up to millions of pairs
    X, y = np.random.default_rng(0).normal(size=(200, 2)), np.arange(200) % 2
    parameters = {"kernel": kernel, "C": 100.0, "gamma": 1.0, "coef0": 1.0}
    ours = SoftMarginSVM(max_iter=20_000, **parameters).fit(X, y)
    assert ours.dual_objective_ == pytest.approx(libsvm_objective(SVC(**parameters).fit(X, y)), rel=1e-6)


def test_same_optimum_with_copies_of_points_in_both_classes():
    X, y = problem(60, 1.5)
    X, y = np.vstack([X, X, X[:20]]), np.concatenate([y, y, 1 - y[:20]])  # the last twenty contradict the first
    for parameters in KERNELS:
        ours = SoftMarginSVM(tol=1e-6, **parameters).fit(X, y)
        theirs = SVC(tol=1e-6, **parameters).fit(X, y)
        assert ours.dual_objective_ == pytest.approx(libsvm_objective(theirs), rel=1e-6)


@pytest.mark.parametrize("parameters", KERNELS, ids=lambda p: p["kernel"])
def test_same_optimum_at_6000_points(parameters):
    X, y = make_circles(n_samples=6000, noise=0.2, factor=0.5, random_state=0)
    X = X + [0.5, 0.0]  # so that the linear kernel has something to find
    ours = SoftMarginSVM(C=0.1, **parameters).fit(X, y)
    theirs = SVC(C=0.1, **parameters).fit(X, y)
    assert ours.dual_objective_ == pytest.approx(libsvm_objective(theirs), rel=1e-6)


def test_short_memory_changes_nothing():
    X, y = problem(300, 2.0)
    roomy = SoftMarginSVM(gamma=0.5).fit(X, y)
    short = SoftMarginSVM(gamma=0.5, cache_mb=1e-6).fit(X, y)
    np.testing.assert_array_equal(short.support_, roomy.support_)
    np.testing.assert_allclose(short.dual_coef_, roomy.dual_coef_, rtol=1e-9)


def test_two_points_by_hand():
    # Points at -1 and 1 on a line: w = 1, b = 0, both multipliers ½, objective 1 - ½ = ½
    svm = SoftMarginSVM(kernel="linear", C=10).fit([[-1.0], [1.0]], ["a", "b"])
    np.testing.assert_allclose(svm.coef_, [[1.0]])
    np.testing.assert_allclose(svm.intercept_, [0.0], atol=1e-12)
    np.testing.assert_allclose(svm.dual_coef_, [[-0.5, 0.5]])
    assert svm.dual_objective_ == pytest.approx(0.5)
    assert list(svm.predict([[-0.1], [0.1]])) == ["a", "b"]
    # With C = 0.1 both multipliers stop at the bound: w = 0.2, slack 0.8 each
    tight = SoftMarginSVM(kernel="linear", C=0.1).fit([[-1.0], [1.0]], ["a", "b"])
    np.testing.assert_allclose(tight.coef_, [[0.2]])
    np.testing.assert_allclose(tight.slack_, [0.8, 0.8])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), C=st.sampled_from([0.1, 1.0, 20.0]))
def test_primal_equals_dual_and_the_optimality_conditions_hold(seed, n, C):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, 2)), np.arange(n) % 2
    svm = SoftMarginSVM(C=C, gamma=1.0, tol=1e-7).fit(X, y)
    alpha = np.zeros(n)
    alpha[svm.support_] = np.abs(svm.dual_coef_[0])
    assert (alpha >= 0).all() and (alpha <= C).all() and abs(svm.dual_coef_.sum()) < 1e-9 * n * C
    margin = np.where(y == 1, 1, -1) * svm.decision_function(X)
    np.testing.assert_allclose(svm.slack_, np.maximum(0, 1 - margin), atol=1e-8)
    assert (margin[alpha == 0] >= 1 - 1e-5).all()
    assert (margin[alpha == C] <= 1 + 1e-5).all()
    np.testing.assert_allclose(margin[(alpha > 0) & (alpha < C)], 1, atol=1e-5)
    K = np.exp(-((X[:, None] - X[None]) ** 2).sum(2))
    beta = np.zeros(n)
    beta[svm.support_] = svm.dual_coef_[0]
    primal = 0.5 * beta @ K @ beta + C * svm.slack_.sum()
    assert primal == pytest.approx(svm.dual_objective_, rel=1e-5, abs=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks():
    results = check_estimator(SoftMarginSVM())
    assert sum(result["status"] == "passed" for result in results) > 40


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 0}, "C must be a number above 0, got 0"),
        ({"C": -1.0}, "C must be a number above 0, got -1.0"),
        ({"C": "much"}, "C must be a number above 0, got 'much'"),
        ({"C": None}, "C must be a number above 0, got None"),
        ({"C": True}, "C must be a number above 0, got True"),
        ({"C": [1.0]}, r"C must be a number above 0, got \[1.0\]"),
        ({"max_iter": 1e6}, "max_iter must be an integer of at least 1, got 1000000.0"),
        ({"tol": 0}, "tol must be a number above 0, got 0"),
        ({"max_iter": -1}, "max_iter must be an integer of at least 1, got -1"),
        ({"cache_mb": 0}, "cache_mb must be a number above 0, got 0"),
        ({"kernel": "sigmoid"}, "kernel must be one of"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        SoftMarginSVM(**parameters).fit([[0.0], [1.0]], [0, 1])


def test_bad_data_is_named():
    with pytest.raises(ValueError, match="Input X contains NaN"):
        SoftMarginSVM().fit([[np.nan], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="y must hold two distinct labels, got 1 class"):
        SoftMarginSVM().fit([[0.0], [1.0]], [1, 1])
    with pytest.raises(ValueError, match="y must hold two distinct labels, got 3"):
        SoftMarginSVM().fit([[0.0], [1.0], [2.0]], [0, 1, 2])
    with pytest.raises(AttributeError, match="kernel='linear' alone, this one is 'rbf'"):
        _ = SoftMarginSVM().fit([[0.0], [1.0]], [0, 1]).coef_


def test_points_that_are_all_at_zero():
    X, y = np.zeros((6, 2)), np.array([0, 0, 0, 1, 1, 1])
    svm = SoftMarginSVM(kernel="linear", C=2.0).fit(X, y)  # nothing tells the classes apart: slack 1 each
    assert svm.dual_objective_ == pytest.approx(12.0) and svm.slack_.sum() == pytest.approx(6.0)


def test_values_too_large_are_named():
    X, y = problem(20, 1.0)
    with pytest.raises(ValueError, match="X has values too large for the linear kernel"):
        SoftMarginSVM(kernel="linear").fit(X * 1e200, y)


def test_data_far_from_zero():
    X, y = problem(60, 1.0)
    near, far = SoftMarginSVM(gamma=0.5).fit(X, y), SoftMarginSVM(gamma=0.5).fit(X + 1e6, y)
    np.testing.assert_allclose(far.decision_function(X + 1e6), near.decision_function(X), atol=1e-3)


def test_parameters_set_after_fit_change_nothing_until_the_next():
    X, y = problem(30, 1.0)
    svm = SoftMarginSVM(kernel="linear").fit(X, y)
    before, w = svm.decision_function(X), svm.coef_
    svm.set_params(kernel="rbf")
    np.testing.assert_array_equal(svm.decision_function(X), before)
    np.testing.assert_array_equal(svm.coef_, w)


def test_a_budget_too_small_warns():
    X, y = problem(100, 3.0)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        SoftMarginSVM(max_iter=3).fit(X, y)

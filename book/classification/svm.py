# ---
# jupyter:
#   jupytext:
#     default_lexer: ipython3
#     formats: md:myst,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (svm)=
# # The soft-margin support vector machine
#
# Two classes, one line between them, and the widest possible strip around that line. This page derives the method, solves
# it by hand, and shows why two classes are not enough for anomaly detection.
#
# *Time to read 25 min · time to run 15 s · needs: {doc}`/book/foundations/what_is_an_anomaly`, dot products, Lagrange
# multipliers (explained where they appear)*
#
# You will be able to
#
# - say what the margin, a slack and a support vector are, and point at them in a picture;
# - derive the dual problem and read off from a multiplier where its point lies;
# - write the solver, sequential minimal optimisation, in fifteen lines;
# - tell when a classifier trained on known anomalies misses an unknown one.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_blobs, make_moons

from adlib import SVDD, SoftMarginSVM, metrics, plots

plots.use_style()

# %% [markdown]
# ## The idea in one picture
#
# Blue circles are normal, vermilion triangles are anomalous. Many lines part them. Which one would you trust with a new
# point?

# %% mystnb={"image": {"alt": "Left: two groups of points with three different straight lines that all part them. Right: the one line in the middle of the widest strip free of points; two ringed points touch the strip."}} tags=["hide-input"]
# The widest strip
X, labels = make_blobs(
    n_samples=40,
    centers=[[-2.0, -1.0], [2.0, 1.0]],
    cluster_std=0.8,
    random_state=4,
)
y = 2 * labels - 1  # -1 normal, +1 anomalous
widest = SoftMarginSVM(kernel="linear", C=1000).fit(X, y)

fig, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True)
for ax in axes:
    plots.points(ax, X, labels)
    ax.set(xlim=(-4.5, 4.5), ylim=(-4, 4), xlabel="feature 1")
line = np.array([-4.5, 4.5])
for slope, offset in [(-0.4, 0.1), (-1.6, 0.3), (-5.0, -0.8)]:
    axes[0].plot(line, slope * line + offset, color="black", linewidth=1)
axes[0].set(title="many lines", ylabel="feature 2")
xs, ys, grid = plots.plane(np.array([[-4.5, -4.0], [4.5, 4.0]]), margin=0)
plots.decision_map(
    axes[1],
    xs,
    ys,
    widest.decision_function(grid).reshape(len(ys), len(xs)),
    levels=[-1, 0, 1],
)
axes[1].scatter(
    *widest.support_vectors_.T,
    s=120,
    facecolors="none",
    edgecolors="black",
    zorder=4,
)
axes[1].set(title="the widest strip");

# %% [markdown]
# The support vector machine takes the line in the middle of the widest empty strip. The points that touch the strip are
# ringed: they hold it in place. Every other point could move a little, or vanish, and the line would stay.
#
# ## The margin
#
# A line, or in more dimensions a hyperplane, is the set where a linear function is zero:
#
# $$ f(x) = w^\top x + b $$ (svm-f)
#
# A point has label $y = +1$ or $y = -1$ and is on its own side when $y f(x) > 0$. Its distance to the hyperplane is
#
# $$ \frac{|f(x)|}{\lVert w \rVert} . $$ (svm-distance)
#
# Why: walk from $x$ along $-w / \lVert w \rVert$ for a length $t$, and $f$ changes by $-t \lVert w \rVert$. It reaches
# zero at $t = f(x) / \lVert w \rVert$.
#
# Multiply $w$ and $b$ by ten: $f$ is ten times as large, the hyperplane is the same. So we are free to fix the scale. We
# choose it so that the nearest points have $y f(x) = 1$. Then they lie $1 / \lVert w \rVert$ away, and the strip, the
# **margin**, is
#
# $$ \frac{2}{\lVert w \rVert} $$ (svm-width)
#
# wide. A wide margin is a short $w$. So the widest strip that no point enters solves
#
# $$ \min_{w, b} \; \tfrac12 \lVert w \rVert^2 \quad \text{subject to} \quad y_i f(x_i) \ge 1 . $$ (svm-hard)
#
# The half and the square change nothing about which $w$ is shortest. They give the derivative a plain form, $w$.
#
# ## Slack: paying for the points that will not fit
#
# Real classes overlap. Then no hyperplane has all points outside the strip, and even if one had, a single odd point could
# make the strip useless. So each point gets a **slack** $\xi_i \ge 0$, and slack costs $C$ a unit {cite:p}`cortes1995`:
#
# $$
# \min_{w, b, \xi} \; \tfrac12 \lVert w \rVert^2 + C \sum_{i=1}^n \xi_i
# \quad \text{subject to} \quad y_i f(x_i) \ge 1 - \xi_i, \quad \xi_i \ge 0 .
# $$ (svm-primal)
#
# At the optimum no point holds more slack than it needs:
#
# $$ \xi_i = \max\bigl(0, \; 1 - y_i f(x_i)\bigr) . $$ (svm-slack)
#
# Slack is often called "the distance to the boundary". It is not. It measures **how far a point is past the margin of its
# own class**, in units of half the margin: by {eq}`svm-distance` that distance is $\xi_i / \lVert w \rVert$.
#
# | slack | where the point is |
# |:---|:---|
# | $\xi_i = 0$ | on its own side, outside the strip or on its edge |
# | $0 < \xi_i < 1$ | on its own side, but inside the strip |
# | $\xi_i = 1$ | on the decision line |
# | $\xi_i > 1$ | on the wrong side |

# %% mystnb={"image": {"alt": "Overlapping groups with the decision line and both margins. From each point with slack a line runs at a right angle to the margin of its own class; its length is the slack divided by the length of w.", "width": "500px"}} tags=["hide-input"]
# Slack, drawn
X, labels = make_blobs(
    n_samples=40,
    centers=[[-1.2, 0.0], [1.2, 0.0]],
    cluster_std=1.0,
    random_state=3,
)
y = 2 * labels - 1
svm = SoftMarginSVM(kernel="linear", C=1.0).fit(X, y)
w = svm.coef_[0]

fig, ax = plt.subplots(figsize=(7, 4.6))
xs, ys, grid = plots.plane(X)
plots.decision_map(
    ax,
    xs,
    ys,
    svm.decision_function(grid).reshape(len(ys), len(xs)),
    levels=[-1, 0, 1],
)
plots.points(ax, X, labels)
for point, sign, slack in zip(X, y, svm.slack_):
    if slack > 1e-6:
        foot = point + sign * slack * w / (
            w @ w
        )  # on the margin of the point's own class
        ax.plot(*np.stack([point, foot]).T, color="black", linewidth=1.2)
ax.set(
    title="slack runs to the margin of the own class",
    xlabel="feature 1",
    ylabel="feature 2",
    aspect="equal",
);


# %% [markdown]
# ## The dual: one number for each point
#
# {eq}`svm-primal` has constraints. A **Lagrange multiplier** turns each one into a price: $\alpha_i \ge 0$ for the
# margin, $\mu_i \ge 0$ for $\xi_i \ge 0$.
#
# $$
# L = \tfrac12 \lVert w \rVert^2 + C \sum_i \xi_i - \sum_i \alpha_i \bigl( y_i (w^\top x_i + b) - 1 + \xi_i \bigr) - \sum_i \mu_i \xi_i
# $$ (svm-lagrangian)
#
# At every allowed point $L$ is at most the objective, since only terms of at least 0 are subtracted. So the least $L$
# over all $w, b, \xi$ is a lower bound on what we look for, and the best prices are those that make this bound highest: a
# *maximum* over $\alpha$ answers a *minimum* over $w$. The problem is convex, and then the bound is reached. There each
# subtracted term must be zero,
#
# $$ \alpha_i \bigl( y_i f(x_i) - 1 + \xi_i \bigr) = 0, \qquad \mu_i \xi_i = 0 : $$ (svm-slackness)
#
# a price is paid only where its constraint binds. For the least $L$ the derivatives vanish:
#
# $$ \partial_w L = 0 \;\Rightarrow\; w = \sum_i \alpha_i y_i x_i $$ (svm-w)
#
# $$ \partial_b L = 0 \;\Rightarrow\; \sum_i \alpha_i y_i = 0 $$ (svm-balance)
#
# $$ \partial_{\xi_i} L = 0 \;\Rightarrow\; \alpha_i = C - \mu_i \;\Rightarrow\; 0 \le \alpha_i \le C $$ (svm-box)
#
# Put these back into {eq}`svm-lagrangian`. All terms in $b$ and $\xi$ cancel, and what remains is the **dual**:
#
# $$
# \begin{gathered}
# \max_\alpha \; \sum_i \alpha_i - \tfrac12 \sum_{i,j} \alpha_i \alpha_j y_i y_j \, x_i^\top x_j \\
# \text{subject to} \quad 0 \le \alpha_i \le C, \quad \sum_i \alpha_i y_i = 0 .
# \end{gathered}
# $$ (svm-dual)
#
# By {eq}`svm-slackness` a multiplier tells where its point lies:
#
# | multiplier | place of the point | name |
# |:---|:---|:---|
# | $\alpha_i = 0$ | outside the strip or on its edge; it has no say in $w$ | – |
# | $0 < \alpha_i < C$ | exactly on its margin, since $\mu_i > 0$ forces $\xi_i = 0$ | free support vector |
# | $\alpha_i = C$ | past its margin, with slack, or on it | bound support vector |
#
# $C$ is thus the largest say that one point can have. For a free support vector $y_m f(x_m) = 1$, which gives
#
# $$ b = y_m - \sum_i \alpha_i y_i \, x_i^\top x_m . $$ (svm-b)
#
# ## Kernels: the same in another space
#
# The dual {eq}`svm-dual` sees points in inner products alone. Send each $x$ through a map $\varphi$ into a
# **feature space**, write $k(x, z) = \varphi(x)^\top \varphi(z)$ for the inner product there, and nothing else changes:
#
# $$ f(x) = \sum_i \alpha_i y_i \, k(x_i, x) + b . $$ (svm-kernel-f)
#
# We never need $\varphi$, only the **kernel** $k$. Three are in common use:
#
# $$
# k(x, z) = x^\top z, \qquad k(x, z) = (\gamma\, x^\top z + r)^p, \qquad k(x, z) = e^{-\gamma \lVert x - z \rVert^2}
# $$ (svm-kernels)
#
# linear, polynomial, and radial basis function (RBF). The RBF kernel is near 1 for neighbours and near 0 for strangers,
# and $\gamma$ says how near a neighbour has to be. A flat boundary in feature space is a curved one where we look.
#
# ## Solving it two points at a time
#
# The dual has as many unknowns as there are points. **Sequential minimal optimisation** {cite:p}`platt1998` changes two
# at a time. Two is the least that can respect $\sum_i \alpha_i y_i = 0$.
#
# Write $\beta_i = \alpha_i y_i$. The dual becomes a minimum,
#
# $$
# \begin{gathered}
# \min_\beta \; \tfrac12 \beta^\top K \beta - y^\top \beta \\
# \text{subject to} \quad \sum_i \beta_i = 0, \quad \beta_i \text{ between } 0 \text{ and } C y_i ,
# \end{gathered}
# $$ (svm-beta)
#
# with $K_{ij} = k(x_i, x_j)$ and gradient $g = K\beta - y$. Raise $\beta_i$ and lower $\beta_j$ by the same $t$. The
# objective changes by exactly
#
# $$ t\,(g_i - g_j) + \tfrac12 t^2 (K_{ii} + K_{jj} - 2 K_{ij}) , $$ (svm-pair)
#
# which is least at
#
# $$ t = \frac{g_j - g_i}{K_{ii} + K_{jj} - 2 K_{ij}} , $$ (svm-step)
#
# or at the first bound on the way. Take for $i$ the smallest gradient among those that may rise, for $j$ the largest
# among those that may fall. When $g_j - g_i$ is no longer positive, no pair improves anything. Every allowed move is a
# sum of such pair moves, and the problem is convex, so then nothing improves.
#
# ## Write it

# %%
def smo_svm(K, y, C, tol=1e-6):
    beta = np.zeros(len(y))
    g = -y.astype(float)  # the gradient at 0
    low, high = np.minimum(0, C * y), np.maximum(0, C * y)
    while True:
        # i may rise and j may fall, each with the most to gain
        i = np.where(beta < high, g, np.inf).argmin()
        j = np.where(beta > low, g, -np.inf).argmax()
        if g[j] - g[i] < tol:
            return beta, -(g[i] + g[j]) / 2  # b: on the margin g = -b
        # the step derived above, or as far as a bound allows
        t = (g[j] - g[i]) / (K[i, i] + K[j, j] - 2 * K[i, j])
        t = min(t, high[i] - beta[i], beta[j] - low[j])
        beta[i] += t
        beta[j] -= t
        g += t * (K[:, i] - K[:, j])


# %% [markdown]
# Check it against `adlib`, on the points of the picture above:

# %% tags=["nbval-check-output"]
beta, b = smo_svm(X @ X.T, y, C=1.0)
exact = SoftMarginSVM(kernel="linear", C=1.0, tol=1e-6).fit(X, y)

np.testing.assert_allclose(X.T @ beta, exact.coef_[0], atol=1e-4)
np.testing.assert_allclose(b, exact.intercept_[0], atol=1e-4)
objective = np.abs(beta).sum() - 0.5 * beta @ (X @ X.T) @ beta
np.testing.assert_allclose(objective, exact.dual_objective_, rtol=1e-6)
print("same w, same b, same objective")


# %% [markdown]
# {class}`~adlib.SoftMarginSVM` adds three things to these lines. It computes a row of $K$ only when a step needs it. It
# picks $j$ by the whole gain {eq}`svm-pair`, not by the gradient alone {cite:p}`fan2005`. And where pairs zigzag, it
# solves for all free variables at once. The solver is {func}`adlib.classification.smo.smo`;
# {doc}`/book/classification/svdd` uses the same one.
#
# ## Look at it: what $C$ does
#
# Move the slider. Small $C$: slack is cheap, the strip is wide, wider than the picture at the far left, and many points
# lie in it. Large $C$: slack is dear, the strip shrinks until a few points dictate it.

# %% tags=["hide-input"]
# Slider: C
def draw(figure, svm, places, labels, title):
    """The decision function with both margins, and the support vectors."""
    xs, ys, grid = plots.plane(places)
    values = svm.decision_function(grid).reshape(len(ys), len(xs))
    ring = np.isin(np.arange(len(places)), svm.support_)
    ax = figure.subplots()
    plots.decision_map(ax, xs, ys, values, levels=[-1, 0, 1])
    plots.points(ax, places, labels, ring=ring)
    ax.set(title=title, xlabel="feature 1", ylabel="feature 2")
    ax.set(xlim=(xs[0], xs[-1]), ylim=(ys[0], ys[-1]))


def draw_C(figure, C):
    svm = SoftMarginSVM(kernel="linear", C=C).fit(X, y)
    width, slack = 2 / np.linalg.norm(svm.coef_), svm.slack_.sum()
    title = f"margin {width:.1f} wide, {len(svm.support_)} support vectors"
    draw(figure, svm, X, labels, f"{title}, slack {slack:.1f} in all")


plots.slider(
    draw_C,
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0],
    label="C",
    start=6,
    alt=lambda C: (
        f"Two overlapping groups with decision line, both margins and ringed support vectors at C = {C}"
    ),
)

# %% [markdown]
# With an RBF kernel the boundary can bend, and $\gamma$ decides how much. Far left: nearly a line. Far right: an island
# around every blue point, in a sea that takes the sign of $b$. That is learning by heart.

# %% tags=["hide-input"]
# Slider: gamma
moons, moon_labels = make_moons(n_samples=80, noise=0.2, random_state=0)


def draw_gamma(figure, gamma):
    svm = SoftMarginSVM(gamma=gamma, C=1.0).fit(moons, moon_labels)
    title = f"{len(svm.support_)} of {len(moons)} points are support vectors"
    draw(figure, svm, moons, moon_labels, title)


plots.slider(
    draw_gamma,
    [0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0],
    label="gamma",
    start=3,
    alt=lambda gamma: (
        f"Two interleaved half moons and the curved boundary of an RBF kernel at gamma = {gamma}"
    ),
)

# %% [markdown]
# ## Run it: real handwriting
#
# Take scikit-learn's digits, 8 x 8 pixels. Call the 3 normal and the 8 anomalous. The machine trains on the first 1,200
# pictures and judges the rest, which other people, presumably, wrote.

# %%
digits = load_digits()
pixels, digit = digits.data / 16, digits.target
train = np.arange(len(digit)) < 1200
known = np.isin(digit, [3, 8])

seen, judged = train & known, ~train & known
svm = SoftMarginSVM(C=1.0).fit(pixels[seen], digit[seen] == 8)
scores = svm.decision_function(pixels[judged])  # higher = more anomalous
auroc = metrics.auroc(digit[judged] == 8, scores)
print(f"{judged.sum()} test pictures, AUROC {auroc:.3f}")
assert auroc > 0.97

# %% [markdown]
# The support vectors are pictures. Those with the most slack are the doubtful ones: eight threes, then eight eights.

# %% mystnb={"image": {"alt": "Sixteen digit pictures, eight threes framed in blue and eight eights framed in vermilion: the training pictures of either class with the most slack."}} tags=["hide-input"]
# The hardest pictures
most = np.argsort(-svm.slack_)
is_eight = digit[seen] == 8
hardest = np.concatenate([most[~is_eight[most]][:8], most[is_eight[most]][:8]])
plots.picture_grid(
    pixels[seen][hardest].reshape(-1, 8, 8), frame=is_eight[hardest]
)

# %% [markdown]
# ## Where it fails: an anomaly nobody showed it
#
# First in two dimensions. The machine sees normal points and one kind of anomaly. Then a third cloud comes, far from
# both.

# %% mystnb={"image": {"alt": "Left: an SVM between blue circles and vermilion triangles; a third cloud, grey squares far away from both, lies deep on the blue side. Right: SVDD draws a closed line around the blue circles alone, and both other clouds are outside."}} tags=["hide-input"]
# A third kind
rng = np.random.default_rng(0)
normal = rng.normal([-2, 1], 0.6, (40, 2))
known_kind = rng.normal([2, 1], 0.6, (40, 2))
third_kind = rng.normal([-3, -4], 0.5, (15, 2))
both = np.vstack([normal, known_kind])
between = SoftMarginSVM(kernel="linear").fit(both, np.arange(80) >= 40)
around = SVDD(nu=0.05, gamma=0.3).fit(normal)
lo_hi = np.array([[-5.5, -5.5], [4.5, 3.5]])
xs3, ys3, grid3 = plots.plane(lo_hi, margin=0)

fig, axes = plt.subplots(1, 2, figsize=(7, 3.5), sharey=True)
for ax, values, title in [
    (axes[0], between.decision_function(grid3), "SVM: between two classes"),
    (axes[1], around.anomaly_score(grid3), "SVDD: around one class"),
]:
    values = values.reshape(len(ys3), len(xs3))
    plots.decision_map(ax, xs3, ys3, values)
    plots.points(ax, both, np.arange(80) >= 40)
    ax.scatter(*third_kind.T, marker="s", s=22, color="#4D4D4D", zorder=3)
    ax.set(title=title, aspect="equal", xlabel="feature 1")
axes[0].set_ylabel("feature 2")
# The SVM returns the class, here 0 = normal. SVDD follows the outlier
# detectors of scikit-learn: +1 = normal, -1 = anomalous.
print(
    "third kind called normal, SVM: ",
    (between.predict(third_kind) == 0).mean(),
)
print(
    "third kind called normal, SVDD:", (around.predict(third_kind) == 1).mean()
)

# %% [markdown]
# The grey squares are farther from normal than the triangles, and the SVM calls every one of them normal, with more
# confidence than many a normal point.
#
# Now the digits. An anomaly is *anything* outside the range of normal. The machine above has seen one kind of anomaly,
# the 8. Now show it the others.

# %% mystnb={"image": {"alt": "Bar chart of the share of each digit that the machine calls anomalous. The eight is always found, the four and the six too; the two and the nine only one time in four, the others somewhere in between."}} tags=["hide-input"]
# Which digits are caught
caught = [
    (svm.decision_function(pixels[~train & (digit == d)]) > 0).mean()
    for d in range(10)
]

fig, ax = plt.subplots(figsize=(7, 3.2))
colours = [
    plots.NORMAL if d == 3 else plots.ANOMALOUS if d == 8 else "#767676"
    for d in range(10)
]
ax.bar(range(10), caught, color=colours)
ax.set(
    xticks=range(10),
    xlabel="digit shown (3 is normal, 8 the only anomaly in training)",
    ylabel="called anomalous",
    ylim=(0, 1),
);

# %% tags=["nbval-check-output"]
print("eights found, more than 9 in 10:", caught[8] > 0.9)
few = max(caught[2], caught[9]) < 0.4
print("twos and nines found, fewer than 4 in 10:", few)

# %% [markdown]
# Most twos and nines pass as threes. Other digits are caught, but not because they are unlike a three: they lie on the
# side of the 8, as the grey squares lay on the blue side.
#
# Nothing is wrong with the solver. The question was wrong. A boundary *between* two classes says nothing about a point
# that belongs to neither: it lands on one side or the other. Anomaly detection needs a boundary *around* the normal
# class. That is {doc}`the next page </book/classification/svdd>`.
#
# ## What was measured

# %% tags=["hide-input"]
# Every C, measured
rows = []
for C in [0.01, 0.1, 1.0, 10.0, 100.0]:
    model = SoftMarginSVM(C=C).fit(
        pixels[train & known], digit[train & known] == 8
    )
    on_test = model.decision_function(pixels[judged])
    accuracy = ((on_test > 0) == (digit[judged] == 8)).mean()
    rows.append(
        [
            C,
            len(model.support_),
            metrics.auroc(digit[judged] == 8, on_test),
            accuracy,
        ]
    )
plots.table(["C", "support vectors", "test AUROC", "test accuracy"], rows)

# %% [markdown]
# Digits 3 against 8, RBF kernel with `gamma="scale"`, which is one over the number of pixels times the variance of their
# values, computed by the cell above when this page was built; nothing is random in it. No $C$ was chosen: the table shows
# them all. At $C = 0.01$ the order is good and the zero in the wrong place: every test picture is called 3. AUROC does
# not see that, accuracy does. That our optimum is libsvm's, to a millionth of the objective, is a test of the package
# (`tests/classification/test_svm.py`).
#
# ## Exercises
#
# ```{exercise} Slack by hand
# :label: ex-svm-slack
#
# Points on a line: $x = -2, 0$ with $y = -1$ and $x = 1, 3$ with $y = +1$; let $w = 1$ and $b = 0$. Give each point's
# slack. Which points are inside the strip, which on the wrong side? Then let $w = 2$, $b = -1$ and say what it costs for
# $C = 1$ and for $C = 0.1$.
# ```
#
# ````{solution-start} ex-svm-slack
# :class: dropdown
# ````
#
# $\xi = \max(0, 1 - y f)$. With $f(x) = x$ the slacks are $0, 1, 0, 0$. No point is on the wrong side; only the point at
# 0 is inside the strip, on the decision line itself. With $f(x) = 2x - 1$ all slacks are 0. The first costs
# $\tfrac12 + C$, the second $\tfrac12 \cdot 4 = 2$. For $C = 1$ the wide margin with one slack is cheaper, $1.5$ against
# $2$; for $C = 0.1$ it is $0.6$ against $2$. Above $C = 1.5$ the narrow margin is cheaper.

# %%
places, sides = np.array([-2.0, 0.0, 1.0, 3.0]), np.array([-1, -1, 1, 1])
slack = lambda w, b: np.maximum(0, 1 - sides * (w * places + b))
cost = lambda w, b, C: 0.5 * w**2 + C * slack(w, b).sum()
assert slack(1, 0).tolist() == [0, 1, 0, 0]
assert (
    cost(1, 0, 1.0) == 1.5 and cost(1, 0, 0.1) == 0.6 and cost(2, -1, 1.0) == 2
)
assert slack(2, -1).tolist() == [0, 0, 0, 0]
assert cost(1, 0, 1.0) < cost(2, -1, 1.0)
assert cost(1, 0, 1.6) > cost(2, -1, 1.6)

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} No constraint at all
# :label: ex-svm-hinge
#
# Put {eq}`svm-slack` into {eq}`svm-primal`. What is left is a sum without constraints, the *hinge loss* plus a penalty.
# Minimise it by (sub)gradient steps on the points `X`, `y` with $C = 1$, and compare with the dual objective of `exact`.
# ```
#
# ````{solution-start} ex-svm-hinge
# :class: dropdown
# ````
#
# $$ \min_{w, b} \; \tfrac12 \lVert w \rVert^2 + C \sum_i \max\bigl(0, 1 - y_i (w^\top x_i + b)\bigr) $$ (svm-hinge)
#
# The hinge has a kink, so the step must shrink. At the optimum primal and dual are equal; before it the primal is above.

# %%
w, b, best = np.zeros(2), 0.0, np.inf
for step in range(1, 5001):
    margin = y * (X @ w + b)
    best = min(best, 0.5 * w @ w + np.maximum(0, 1 - margin).sum())
    inside = margin < 1  # where the hinge has a slope
    w = w - 0.3 / step * (w - (y[inside, None] * X[inside]).sum(0))
    b = b + 0.3 / step * y[inside].sum()
assert exact.dual_objective_ <= best + 1e-6
assert best < exact.dual_objective_ * 1.02

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} Who holds the strip
# :label: ex-svm-support
#
# Remove all points with $\alpha_i = 0$ and fit again. Why must the result be the same? Check it.
# ```
#
# ````{solution-start} ex-svm-support
# :class: dropdown
# ````
#
# The multipliers of the first fit satisfy every condition of the smaller problem as well: the sums in {eq}`svm-w` and
# {eq}`svm-balance` lose only zeros, and the remaining margins are unchanged. The problem is convex, so what satisfies the
# conditions is optimal, and $w$ is unique, since $\lVert w \rVert^2$ is strictly convex.

# %%
kept = exact.support_
again = SoftMarginSVM(kernel="linear", C=1.0, tol=1e-6).fit(X[kept], y[kept])
assert len(kept) < len(X)
np.testing.assert_allclose(again.coef_, exact.coef_, atol=1e-4)

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} Very cheap slack
# :label: ex-svm-small-c
#
# Let $C$ go to zero with equally many points in each class. Show that $w$ points from one class mean to the other. Check
# it with $C = 10^{-5}$.
# ```
#
# ````{solution-start} ex-svm-small-c
# :class: dropdown
# ````
#
# When $C$ is tiny, $w$ is short by {eq}`svm-w` and {eq}`svm-box`, so $f \approx b$ everywhere. One class at least is then
# past its margin, so all its $\alpha_i = C$. By {eq}`svm-balance` the other class, of equal size, must have
# $\alpha_i = C$ too. Then $w = C \sum_i y_i x_i$, and with $n/2$ points in each class this is $\tfrac{C n}{2}$ times the
# difference of the means.

# %%
tiny = SoftMarginSVM(kernel="linear", C=1e-5).fit(X, y)
difference = X[y == 1].mean(0) - X[y == -1].mean(0)
np.testing.assert_allclose(
    tiny.coef_[0], 1e-5 * len(X) / 2 * difference, rtol=1e-6
)

# %% [markdown]
# ````{solution-end}
# ````
#
# ## Quiz

# %% tags=["hide-input"]
from jupyterquiz import display_quiz

display_quiz(
    [
        {
            "question": "A point has slack 0.4. Where is it?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "Inside the strip, on its own side",
                    "correct": True,
                    "feedback": "Yes: past its margin by 0.4 of half the strip, and not yet at the line.",
                },
                {
                    "answer": "On the wrong side",
                    "correct": False,
                    "feedback": "That needs a slack above 1.",
                },
                {
                    "answer": "At distance 0.4 from the decision line",
                    "correct": False,
                    "feedback": "Slack counts from the margin, and in units of half the strip.",
                },
            ],
        },
        {
            "question": "C is made larger. What happens?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "The margin gets narrower or stays",
                    "correct": True,
                    "feedback": "Yes: slack is dearer, so less of it is bought, at the price of a longer w.",
                },
                {
                    "answer": "The margin gets wider",
                    "correct": False,
                    "feedback": "A wider strip holds more points, and each costs slack.",
                },
                {
                    "answer": "More points are support vectors",
                    "correct": False,
                    "feedback": "As a rule fewer: fewer points lie in a narrower strip.",
                },
            ],
        },
        {
            "question": "A multiplier is strictly between 0 and C. Its point lies ...",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "exactly on its margin",
                    "correct": True,
                    "feedback": "Yes: both prices are positive, so both constraints bind.",
                },
                {
                    "answer": "outside the strip",
                    "correct": False,
                    "feedback": "Such a point has multiplier 0.",
                },
                {
                    "answer": "past its margin",
                    "correct": False,
                    "feedback": "Such a point has multiplier C.",
                },
            ],
        },
        {
            "question": "Why does SMO move two multipliers and not one?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "One alone would break the sum constraint",
                    "correct": True,
                    "feedback": "Yes: what one gains, another must give.",
                },
                {
                    "answer": "Two converge twice as fast",
                    "correct": False,
                    "feedback": "Speed is not the reason; one alone could not move at all.",
                },
                {
                    "answer": "The kernel needs two arguments",
                    "correct": False,
                    "feedback": "True of the kernel, but not the reason.",
                },
            ],
        },
        {
            "question": "A factory has pictures of good parts and of scratched parts, and trains an SVM. Tomorrow a part comes with a dent. What will it say?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "Good or scratched, and nobody can tell which",
                    "correct": True,
                    "feedback": "Yes: the dent lies on one side of the boundary by chance.",
                },
                {
                    "answer": "Anomalous, since it is not like the good ones",
                    "correct": False,
                    "feedback": "The boundary separates good from scratched; it does not surround the good ones.",
                },
                {
                    "answer": "It will refuse",
                    "correct": False,
                    "feedback": "A two-class machine always answers.",
                },
            ],
        },
    ],
    colors="fdsp",
    shuffle_answers=False,
)

# %% [markdown]
# ## Summary
#
# 1. The support vector machine puts the boundary in the middle of the widest margin, $2 / \lVert w \rVert$.
# 2. Slack is how far a point is past the margin of its own class; $C$ is its price.
# 3. In the dual each point has one multiplier: 0 outside the strip, up to $C$ on its margin, and $C$ past it.
# 4. Kernels bend the boundary; SMO solves the dual two multipliers at a time.
# 5. A machine that knows two classes cannot know a third: anomalies need a boundary around the normal class.
#
# **Further reading.** {cite:t}`cortes1995` introduced the soft margin, {cite:t}`platt1998` the solver, {cite:t}`fan2005`
# the choice of the pair used by libsvm and here.

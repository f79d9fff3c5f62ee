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
# (svdd)=
# # Support vector data description
#
# The smallest sphere around the normal class. With a kernel the sphere becomes a boundary of any shape; with one number,
# $\nu$, you say how many training points it may leave out.
#
# *Time to read 30 min · time to run 20 s · needs: {doc}`/book/classification/svm`*
#
# You will be able to
#
# - derive the dual of the smallest sphere, and find its centre and radius from the multipliers;
# - say what $\nu$ bounds, prove it, and say what it does not bound;
# - show when SVDD and the one-class SVM are the same method, and when they are not;
# - choose the width of an RBF kernel without looking at a single label, and measure what that is worth.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.svm import OneClassSVM

from adlib import SVDD, metrics, plots
from adlib.benchmark import load_results, mean_metric
from adlib.datasets import one_class
from adlib.detector import conformal_threshold

plots.use_style()
FULL = False  # True: "Run it" on MNIST, which is downloaded; some minutes

# %% [markdown]
# ## The idea in one picture
#
# Only normal points, no anomalies. Draw the smallest circle that holds them all, and call what is outside anomalous. One
# stray point spoils it: the circle grows to reach it, and the empty space it gains counts as normal. So let the circle
# leave a few points out, at a price.

# %% mystnb={"image": {"alt": "Left: the smallest circle around all points is large, because of one stray point. Right: a circle that leaves two points outside is much smaller; lines show how far out they are."}} tags=["hide-input"]
# The smallest circle
rng = np.random.default_rng(3)
X = np.vstack([rng.normal(size=(30, 2)) * 0.7, [[4.2, 2.2]]])


def circle(ax, svdd, feature=lambda x: x):
    """The sphere, drawn where feature sends the points."""
    centre = svdd.alpha_ @ feature(svdd.support_vectors_)
    radius = np.sqrt(svdd.radius_squared_)
    ax.add_patch(plt.Circle(centre, radius, fill=False, linewidth=1.8))
    ax.plot(*centre, "+", color="black", markersize=10)
    return centre


fig, axes = plt.subplots(1, 2, figsize=(7, 3.6), sharey=True)
for ax, nu, title in zip(
    axes, [0.01, 0.1], ["all points inside", "a tenth may stay outside"]
):
    svdd = SVDD(kernel="linear", nu=nu).fit(X)
    plots.points(ax, X, ring=np.isin(np.arange(len(X)), svdd.support_))
    centre = circle(ax, svdd)
    for point in X[svdd.anomaly_score(X) > 1e-6]:
        edge = centre + (point - centre) * np.sqrt(
            svdd.radius_squared_
        ) / np.linalg.norm(point - centre)
        ax.plot(*np.stack([edge, point]).T, color="black", linewidth=1.2)
    ax.set(
        title=title,
        xlim=(-2.6, 5),
        ylim=(-2.4, 4.8),
        aspect="equal",
        xlabel="feature 1",
    )
axes[0].set_ylabel("feature 2");

# %% [markdown]
# The ringed points hold the circle in place. The cross is its centre.
#
# ## The objective
#
# Let $\varphi$ map a point into a feature space, $a$ be the centre and $R$ the radius there. The sphere that holds
# everything solves
#
# $$ \min_{R, a} \; R^2 \quad \text{subject to} \quad \lVert \varphi(x_i) - a \rVert^2 \le R^2 . $$ (svdd-hard)
#
# **Support vector data description**, SVDD {cite:p}`tax2004`, gives each point a slack $\xi_i$ and sets a price on it:
#
# $$
# \min_{R, a, \xi} \; R^2 + \frac{1}{\nu n} \sum_{i=1}^n \xi_i
# \quad \text{subject to} \quad \lVert \varphi(x_i) - a \rVert^2 \le R^2 + \xi_i, \quad \xi_i \ge 0 .
# $$ (svdd-primal)
#
# At the optimum the slack is what is needed and no more:
#
# $$ \xi_i = \max\bigl(0, \; \lVert \varphi(x_i) - a \rVert^2 - R^2 \bigr) . $$ (svdd-slack)
#
# Mind the squares. The slack is not the distance to the sphere, it is the difference of *squared* distances.
#
# The original has a constant $C$ where we have $1/(\nu n)$. The two are the same, but $\nu \in (0, 1]$ has a meaning that
# we shall prove, and it keeps $C \ge 1/n$. With a smaller $C$ the method breaks: raising $R^2$ by one saves at most
# $Cn < 1$ of slack, so it never pays, and the best radius is zero {cite:p}`chang2013`.
#
# ## The dual
#
# As on {doc}`the page before </book/classification/svm>`, every constraint gets a price, $\alpha_i \ge 0$ and
# $\mu_i \ge 0$:
#
# $$
# \begin{gathered}
# L = R^2 + C \sum_i \xi_i - \sum_i \alpha_i \bigl( R^2 + \xi_i - \lVert \varphi(x_i) - a \rVert^2 \bigr) - \sum_i \mu_i \xi_i, \\
# C = \frac{1}{\nu n} .
# \end{gathered}
# $$ (svdd-lagrangian)
#
# Take $R^2$ as the unknown rather than $R$, and the constraints are linear in it. Setting the derivatives to zero gives
#
# $$ \partial_{R^2} L = 0 \;\Rightarrow\; \sum_i \alpha_i = 1 $$ (svdd-sum)
#
# $$ \partial_a L = 0 \;\Rightarrow\; a = \sum_i \alpha_i \varphi(x_i) $$ (svdd-centre)
#
# $$ \partial_{\xi_i} L = 0 \;\Rightarrow\; 0 \le \alpha_i \le C . $$ (svdd-box)
#
# The centre is a weighted mean of the images $\varphi(x_i)$ of the training points, and no point has a weight above $C$.
# Put back, everything with $R$ and $\xi$ cancels. What is left is $\sum_i \alpha_i \lVert \varphi(x_i) - a \rVert^2$,
# which is $\sum_i \alpha_i k(x_i, x_i) - \lVert a \rVert^2$. So the dual is
#
# $$
# \begin{gathered}
# \max_\alpha \; \sum_i \alpha_i\, k(x_i, x_i) - \sum_{i,j} \alpha_i \alpha_j\, k(x_i, x_j) \\
# \text{subject to} \quad 0 \le \alpha_i \le \frac{1}{\nu n}, \quad \sum_i \alpha_i = 1 .
# \end{gathered}
# $$ (svdd-dual)
#
# The anomaly score compares the squared distance to the centre with $R^2$, again by kernels alone:
#
# $$
# \begin{aligned}
# s(x) &= \lVert \varphi(x) - a \rVert^2 - R^2 \\
# &= k(x, x) - 2 \sum_i \alpha_i k(x_i, x) + \sum_{i,j} \alpha_i \alpha_j k(x_i, x_j) - R^2 .
# \end{aligned}
# $$ (svdd-score)
#
# The multipliers again tell where the points are:
#
# | multiplier | place of the point |
# |:---|:---|
# | $\alpha_i = 0$ | inside the sphere, or on it |
# | $0 < \alpha_i < C$ | on the sphere: this gives $R^2$ |
# | $\alpha_i = C$ | outside, with slack, or on the sphere |
#
# ## From input space to feature space
#
# Take the smallest example there is. The normal points lie on a line, in two groups, around $-2$ and $+2$. Nothing normal
# is at 0. A sphere on a line is an interval, and the interval that holds both groups holds 0 as well.
#
# Now use the kernel $k(x, z) = (xz + \tfrac12)^2 = x^2 z^2 + xz + \tfrac14$. It is the inner product of
#
# $$ \varphi(x) = \bigl( x, \; x^2, \; \tfrac12 \bigr) . $$ (svdd-parabola)
#
# The line becomes a parabola, and a circle can hold both ends of it without the middle.

# %% mystnb={"image": {"alt": "Left: points in two groups on a line; the interval around all of them contains zero. Right: the same points on a parabola; a circle around both groups leaves out the bottom of the parabola, where zero is. On the left the two intervals that the circle cuts out are shaded."}} tags=["hide-input"]
# From a line to a parabola
line = np.concatenate([rng.normal(-2, 0.18, 15), rng.normal(2, 0.18, 15)])[
    :, None
]
flat = SVDD(kernel="linear", nu=0.01).fit(line)
curved = SVDD(kernel="poly", degree=2, gamma=1.0, coef0=0.5, nu=0.01).fit(line)
parabola = lambda x: np.column_stack([x, x**2])

fig, axes = plt.subplots(1, 2, figsize=(7, 4), width_ratios=[1, 1.1])
dense = np.linspace(-3, 3, 600)[:, None]
for height, model, name in [
    (1.0, flat, "linear kernel"),
    (0.0, curved, "polynomial kernel"),
]:
    normal = model.predict(dense) == 1
    axes[0].plot(
        np.where(normal, dense[:, 0], np.nan),
        np.full(600, height),
        color=plots.NORMAL,
        linewidth=9,
        alpha=0.35,
    )
    plots.points(axes[0], np.column_stack([line[:, 0], np.full(30, height)]))
    axes[0].text(0, height + 0.15, name, ha="center")
axes[0].scatter([0, 0], [0, 1], marker="x", color=plots.ANOMALOUS, zorder=5)
axes[0].set(title="where we look", ylim=(-0.6, 1.6), yticks=[], xlabel="$x$")

axes[1].plot(dense, dense**2, color="#767676", linewidth=1)
plots.points(axes[1], parabola(line))
circle(axes[1], curved, parabola)
axes[1].scatter([0], [0], marker="x", color=plots.ANOMALOUS, zorder=5)
axes[1].set(
    title="feature space",
    xlabel="$x$",
    ylabel="$x^2$",
    aspect="equal",
    xlim=(-4, 4),
    ylim=(-1, 9),
);

# %% [markdown]
# The shaded bars are what each sphere calls normal. The polynomial kernel leaves a gap around 0 (the cross), as it
# should.
#
# The RBF kernel goes further. Since $k(x, x) = 1$, it puts every point **on** a sphere of radius one around the origin,
# in a space of infinitely many dimensions. The images of $n$ different points point in $n$ independent directions, so a
# sphere there can wrap data of any shape.
#
# ## What $\nu$ does
#
# **The $\nu$-property.** At the optimum of {eq}`svdd-primal`,
#
# $$
# \frac{\text{points outside the sphere}}{n} \;\le\; \nu \;\le\; \frac{\text{support vectors}}{n} .
# $$ (svdd-nu)
#
# *Proof.* A point outside has slack, so its multiplier is at the bound, $1/(\nu n)$. All multipliers sum to 1, so at most
# $\nu n$ of them can be at the bound. That is the left half. On the other side, no multiplier exceeds $1/(\nu n)$, so it
# takes at least $\nu n$ positive ones to sum to 1. $\square$
#
# Move the slider and count.

# %% tags=["hide-input"]
# Slider: nu
angle = rng.uniform(0, 1.25 * np.pi, 100)
moon = np.column_stack([np.cos(angle), np.sin(angle)]) * (
    2 + 0.25 * rng.normal(size=(100, 1))
)
xs, ys, grid = plots.plane(moon, margin=0.25)


def draw(figure, svdd):
    ax = figure.subplots()
    plots.decision_map(
        ax, xs, ys, svdd.anomaly_score(grid).reshape(len(ys), len(xs))
    )
    plots.points(ax, moon, ring=np.isin(np.arange(100), svdd.support_))
    outside = (svdd.predict(moon) == -1).sum()
    ax.set_title(
        f"{outside} of 100 points outside, {len(svdd.support_)} support vectors"
    )
    ax.set(
        xlim=(xs[0], xs[-1]),
        ylim=(ys[0], ys[-1]),
        aspect="equal",
        xlabel="feature 1",
        ylabel="feature 2",
    )


plots.slider(
    lambda figure, nu: draw(figure, SVDD(nu=nu, gamma=0.5).fit(moon)),
    [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0],
    label="nu",
    start=2,
    figsize=(7, 4.4),
    alt=lambda nu: (
        f"Normal points along an arc, and the boundary that SVDD draws around them at nu = {nu}"
    ),
)

# %% [markdown]
# At $\nu = 1$ every multiplier is $1/n$. Then {eq}`svdd-score` with an RBF kernel is, up to a positive factor and a
# constant, minus a **kernel density estimate**, $\tfrac1n \sum_i k(x_i, x)$, the mean closeness to the training points:
# SVDD at $\nu = 1$ asks how many neighbours a point has. At small $\nu$ it asks only about the rim. (The picture at
# $\nu = 1$ shows no line: there any $R^2$ up to the squared distance of the nearest point is optimal, and we take the
# largest.)
#
# ## The one-class SVM, and where the likeness ends
#
# The **one-class SVM** {cite:p}`scholkopf2001` has no sphere. It puts a hyperplane between the points and the origin, as
# far from the origin as it can:
#
# $$
# \begin{gathered}
# \min_{w, \rho, \xi} \; \tfrac12 \lVert w \rVert^2 - \rho + \frac{1}{\nu n} \sum_i \xi_i \\
# \text{subject to} \quad w^\top \varphi(x_i) \ge \rho - \xi_i, \quad \xi_i \ge 0 .
# \end{gathered}
# $$ (svdd-ocsvm-primal)
#
# The steps that led to {eq}`svdd-dual` give $w = \sum_i \alpha_i \varphi(x_i)$, $\sum_i \alpha_i = 1$ and
# $0 \le \alpha_i \le 1/(\nu n)$ here. For an RBF kernel it is the same method as SVDD. Look at {eq}`svdd-dual`: when
# $k(x, x) = 1$, the first sum is $\sum_i \alpha_i = 1$, a constant, and what remains,
#
# $$ \min_\alpha \; \sum_{i,j} \alpha_i \alpha_j k(x_i, x_j) \quad \text{under the same constraints,} $$ (svdd-ocsvm)
#
# is the dual of the one-class SVM, but for a factor of two. The scores agree too. With $\lVert \varphi(x) \rVert = 1$,
#
# $$
# s(x) = -2 \Bigl( \sum_i \alpha_i k(x_i, x) - \rho \Bigr), \qquad \rho = \tfrac12 \bigl( 1 + \lVert a \rVert^2 - R^2 \bigr) .
# $$ (svdd-rho)
#
# In a picture: the points lie on a sphere around the origin, and what a second sphere cuts from it, a plane cuts as well.

# %% mystnb={"image": {"alt": "Left: points on an arc of the unit circle; a small circle and a straight line cut off the same piece of arc. Right: a linear kernel; SVDD draws a circle around the points, the one-class SVM a line between them and the origin, so that everything beyond the line counts as normal."}} tags=["hide-input"]
# Sphere and plane
fig, axes = plt.subplots(1, 2, figsize=(7, 3.6))
turn = rng.uniform(np.pi / 4 - 0.5, np.pi / 4 + 0.5, 25)
arc = np.column_stack([np.cos(turn), np.sin(turn)])
cap = SVDD(kernel="linear", nu=0.01).fit(arc)
theta = np.linspace(0, 2 * np.pi, 400)
axes[0].plot(np.cos(theta), np.sin(theta), color="#767676", linewidth=1)
plots.points(axes[0], arc)
circle(axes[0], cap)
hyperplane = OneClassSVM(kernel="linear", nu=0.01, tol=1e-6).fit(arc)
ax, ay, g = plots.plane(np.array([[-0.4, -0.4], [1.6, 1.6]]), margin=0)
axes[0].contour(
    ax,
    ay,
    hyperplane.decision_function(g).reshape(len(ay), len(ax)),
    levels=[0],
    colors=plots.ANOMALOUS,
    linestyles="--",
)
axes[0].set(
    title="unit length: sphere, plane cut alike",
    aspect="equal",
    xlim=(-0.4, 1.6),
    ylim=(-0.4, 1.6),
)
axes[0].plot(0, 0, "s", color="black")

cloud = rng.normal(size=(60, 2)) * 0.5 + [2.5, 1.0]
ball, plane = (
    model(kernel="linear", nu=0.05).fit(cloud) for model in (SVDD, OneClassSVM)
)
plots.points(axes[1], cloud)
circle(axes[1], ball)
gx, gy, g = plots.plane(np.array([[-0.5, -1.0], [6.0, 3.5]]), margin=0)
axes[1].contour(
    gx,
    gy,
    plane.decision_function(g).reshape(len(gy), len(gx)),
    levels=[0],
    colors=plots.ANOMALOUS,
    linestyles="--",
)
axes[1].plot(0, 0, "s", color="black")
axes[1].set(
    title="linear: they differ", aspect="equal", xlim=(-0.5, 6), ylim=(-1, 3.5)
);

# %% [markdown]
# Left, a drawing in two dimensions of what an RBF kernel does in many: the grey circle is the sphere of all points.
# Right, the likeness has ended. For a linear kernel the lengths differ, and the one-class SVM (dashed) calls everything
# beyond its line normal, however far. The square is the origin. The equivalence needs a constant $k(x, x)$.
# {ref}`An exercise <ex-svdd-any-kernel>` shows what takes its place for other kernels.

# %% tags=["nbval-check-output"]
ours = SVDD(nu=0.1, gamma=0.5, tol=1e-6).fit(moon)
theirs = OneClassSVM(nu=0.1, gamma=0.5, tol=1e-6).fit(moon)
np.testing.assert_allclose(
    ours.anomaly_score(grid),
    -2 * theirs.decision_function(grid) / (0.1 * len(moon)),
    atol=1e-5,
)
print("RBF kernel: same score on", len(grid), "points")


# %% [markdown]
# libsvm, behind scikit-learn's `OneClassSVM`, sums the multipliers to $\nu n$ instead of 1; hence the division.
#
# ## Write it
#
# The solver of the page before, on this problem. Half of {eq}`svdd-dual` with its sign turned is a minimum with gradient
# $g = K\alpha - \tfrac12 \operatorname{diag} K$, and a pair moves as by equation {eq}`svm-step` there.

# %%
def svdd_from_scratch(K, nu, tol=1e-7):
    n, C = len(K), 1 / (nu * len(K))
    # a start that is allowed: the first 1/C points carry C each
    alpha = np.clip(1 - C * np.arange(n), 0, C)
    g = K @ alpha - np.diag(K) / 2
    while True:
        i = np.where(alpha < C, g, np.inf).argmin()
        j = np.where(alpha > 0, g, -np.inf).argmax()
        if g[j] - g[i] < tol:
            break
        t = (g[j] - g[i]) / (K[i, i] + K[j, j] - 2 * K[i, j])
        t = min(t, C - alpha[i], alpha[j])
        alpha[i] += t
        alpha[j] -= t
        g += t * (K[:, i] - K[:, j])
    # squared distances to the centre; free ones lie on the sphere
    distance = np.diag(K) - 2 * K @ alpha + alpha @ K @ alpha
    free = (alpha > 1e-9) & (alpha < C - 1e-9)
    return alpha, np.median(distance[free])  # if any is free


# %% tags=["nbval-check-output"]
K = np.exp(-0.5 * np.square(moon[:, None] - moon[None]).sum(2))
alpha, radius_squared = svdd_from_scratch(K, nu=0.1)

expected = np.zeros(len(moon))
expected[ours.support_] = ours.alpha_
np.testing.assert_allclose(alpha, expected, atol=1e-5)
np.testing.assert_allclose(radius_squared, ours.radius_squared_, atol=1e-5)
print("same multipliers, same radius")

# %% [markdown]
# ## Run it: real handwriting
#
# Each digit of scikit-learn's set is normal once, all others are anomalies. The width of the kernel has to come from
# somewhere. The usual default, `gamma="scale"`, is one over the number of features times their variance. It looks at how
# wide the whole cloud is. But SVDD draws a rim, and how closely a rim can follow the points depends on how far
# *neighbours* are apart. So we take
#
# $$ \gamma = 1 \Big/ \operatorname{median}_i \; \min_{j :\, x_j \ne x_i} \lVert x_i - x_j \rVert^2 , $$ (svdd-nearest)
#
# `gamma="nearest"`: between a typical point and its nearest neighbour the kernel is $e^{-1}$. (A copy of a point is no
# neighbour of it.) Both rules see normal training pictures and nothing else.

# %% tags=["nbval-check-output"]
mean = {}
for rule in ["scale", "nearest"]:
    values = []
    for digit in range(10):
        name = "mnist" if FULL else "digits"
        data = one_class(name, digit, download=FULL)
        svdd = SVDD(nu=0.1, gamma=rule).fit(data.train.flatten(1).numpy())
        scores = svdd.anomaly_score(data.test.flatten(1).numpy())
        values.append(metrics.auroc(data.test_labels, scores))
    mean[rule] = np.mean(values)
print(f"mean AUROC, scale:   {mean['scale']:.2f}")
print(f"mean AUROC, nearest: {mean['nearest']:.2f}")

# %% [markdown]
# ## Look at it
#
# The 3 is normal. What does SVDD find most normal, and what most anomalous, among the test pictures?

# %% mystnb={"image": {"alt": "Two rows of digit pictures in order of their score. The first row, the most normal, are clear threes. The second row, the most anomalous, are other digits."}} tags=["hide-input"]
# Most normal, most anomalous
data = one_class("digits", 3)
vectors, test = data.train.flatten(1).numpy(), data.test.flatten(1).numpy()
svdd = SVDD(nu=0.1, gamma="nearest").fit(vectors)
score = svdd.anomaly_score(test)
order = np.argsort(score)
chosen = np.concatenate([order[:8], order[-8:]])
plots.picture_grid(data.test[chosen], frame=data.test_labels[chosen])

# %% [markdown]
# The hard ones are in between: the threes with the highest scores, and the other digits with the lowest.

# %% mystnb={"image": {"alt": "First row: threes with the highest scores, oddly written. Second row: other digits with the lowest scores; most of them resemble a three."}} tags=["hide-input"]
# The hard ones
is_normal = data.test_labels.numpy() == 0
chosen = np.concatenate(
    [order[is_normal[order]][::-1][:8], order[~is_normal[order]][:8]]
)
plots.picture_grid(data.test[chosen], frame=data.test_labels[chosen])

# %% [markdown]
# Now watch $\gamma$ on the arc. Small: nearly a circle. Large: every point is a stranger to every other, nearly all lie
# on the sphere (84 of 100 at the far right), and what counts as normal shrinks towards the points themselves.

# %% tags=["hide-input"]
# Slider: gamma
plots.slider(
    lambda figure, gamma: draw(figure, SVDD(nu=0.1, gamma=gamma).fit(moon)),
    [0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0],
    label="gamma",
    start=3,
    figsize=(7, 4.4),
    alt=lambda gamma: (
        f"Normal points along an arc, and the boundary that SVDD draws around them at gamma = {gamma}"
    ),
)

# %% [markdown]
# ## Where it fails
#
# **$\nu$ is a promise about the training points.** It is no promise about new ones. Fit on the training threes, and count
# how many *new* threes fall outside.

# %% tags=["hide-input"]
# What nu bounds
rows = []
for nu in [0.01, 0.05, 0.1, 0.2, 0.5]:
    for rule in ["scale", "nearest"]:
        model = SVDD(nu=nu, gamma=rule).fit(vectors)
        rows.append(
            [
                rule,
                nu,
                (model.predict(vectors) == -1).mean(),
                len(model.support_) / len(vectors),
                (model.predict(test[is_normal]) == -1).mean(),
            ]
        )
plots.table(
    [
        "gamma",
        "nu",
        "training threes outside",
        "support vectors",
        "new threes outside",
    ],
    rows,
)

# %% tags=["nbval-check-output"]
_, nus, outside, support, new = map(np.array, zip(*rows))
print("nu bounds training points outside:", (outside <= nus).all())
print("nu bounds support vectors from below:", (support >= nus).all())
print("nu bounds new normal points outside:", (new <= nus).all())

# %% [markdown]
# With the narrow kernel, `"nearest"`, no training point is outside up to $\nu = 0.2$, and most new ones are: no
# multiplier reaches the bound, so $\nu$ changes next to nothing, and the sphere runs through all of the support vectors,
# seven training points in ten. The *ranking* is better, the *radius* is useless as a threshold. Do not tune $\nu$ to fix
# a false-alarm rate. Hold back some normal pictures, and take the threshold from their scores, as in
# {doc}`/book/foundations/what_is_an_anomaly`:

# %%
svdd = SVDD(nu=0.1, gamma="nearest").fit(vectors[:80])
held_out = svdd.anomaly_score(vectors[80:])
threshold = conformal_threshold(held_out, false_positive_rate=0.1)
new_scores = svdd.anomaly_score(test[is_normal])
print("held-out threes:", len(held_out))
outside_sphere = (new_scores > 0).mean()
above_threshold = (new_scores > threshold).mean()
print(f"new threes outside the sphere: {outside_sphere:.2f}")
print(f"above the threshold: {above_threshold:.2f}, promised 0.10")
assert above_threshold < 0.3 < outside_sphere

# %% [markdown]
# The calibrated rate is far nearer to its promise, and still above it: the promise holds for threes from the same source
# as the held-out ones, and other people, presumably, wrote these.
#
# **It sees pixels, not shapes.** Move each three by one pixel, and most become as anomalous as another digit:

# %% mystnb={"image": {"alt": "Three rows of dots, one for each picture: scores of test threes spread from low to high, those of the same threes moved by one pixel lie at the high end, together with those of other digits."}} tags=["hide-input"]
# Threes moved by one pixel
svdd = SVDD(nu=0.1, gamma="nearest").fit(vectors)
moved = np.roll(data.test.numpy()[is_normal], 1, axis=3)
moved[..., 0] = 0
groups = {
    "threes": score[is_normal],
    "threes moved\nby one pixel": svdd.anomaly_score(
        moved.reshape(len(moved), -1)
    ),
    "other digits": score[~is_normal],
}
fig, ax = plt.subplots(figsize=(7, 2.8))
for row, (values, colour) in enumerate(
    zip(groups.values(), [plots.NORMAL, "#767676", plots.ANOMALOUS])
):
    ax.scatter(
        values,
        row + rng.uniform(-0.25, 0.25, len(values)),
        s=12,
        color=colour,
        alpha=0.6,
    )
ax.set(
    yticks=range(3),
    yticklabels=groups,
    xlabel="anomaly score",
    ylim=(2.6, -0.6),
);

# %% [markdown]
# None of these kernels knows that a shift is harmless. (The scores end at one value: to a narrow kernel all strangers are
# equally strange.) A learnt map can know; that is what deep methods are for.
#
# ## What was measured
#
# MNIST: raw pixels divided by 255, the whole training class, the whole test set of 10,000, AUROC in percent.
# `python -m adlib benchmark svdd mnist --seeds 3` wrote every column but the last. Only `leaks` draws at random, which
# tenth it tunes on; it shows the mean over three seeds.

# %% tags=["hide-input"]
# AUROC by digit
records = load_results("svdd", "mnist")
names = {
    "scale": "gamma=scale, nu=0.1",
    "scale, 0.01": "gamma=scale, nu=0.01",
    r"$\gamma = 2^{-10}$": "gamma=2^-10, nu=0.1",
    r"$\gamma = 2^{-8}$": "gamma=2^-8, nu=0.1",
    "nearest": "gamma=nearest, nu=0.1",
    "nearest, 0.01": "gamma=nearest, nu=0.01",
    "leaks": "gamma tuned on test labels (leaks), nu=0.1",
}
# Ruff et al. (2018), Table 1, one-class Deep SVDD
deep = [98.0, 99.7, 91.7, 91.9, 94.9, 88.5, 98.3, 94.6, 93.9, 96.5]
categories = list(dict.fromkeys(r["category"] for r in records))


def auroc_of(variant, category):
    """In percent, the mean over seeds where the variant draws."""
    chosen = [r for r in records if r["category"] == category]
    return 100 * mean_metric(chosen, variant)


rows = [
    [c, *[auroc_of(v, c) for v in names.values()], deep[i]]
    for i, c in enumerate(categories)
]
rows.append(["**mean**", *np.mean([row[1:] for row in rows], axis=0)])
plots.table(["normal", *names, "Deep SVDD, printed"], rows, digits=1)

# %% tags=["hide-input"]
# How it was measured
nearest = [r for r in records if r["variant"] == "gamma=nearest, nu=0.1"]
first = nearest[0]
versions = first["versions"]
commits = sorted({r["commit"][:10] for r in records})
commands = sorted({r["command"] for r in records})
plots.table(
    ["", ""],
    [
        ["commands", ", ".join(f"`{command}`" for command in commands)],
        ["fit, ten classes, s", round(sum(r["seconds_fit"] for r in nearest))],
        [
            "score 10,000 pictures, s",
            round(np.mean([r["seconds_score"] for r in nearest]), 1),
        ],
        ["machine", first["machine"]],
        ["scikit-learn", versions["scikit-learn"]],
        ["numpy", versions["numpy"]],
        ["commits", ", ".join(commits)],
    ],
)

# %% [markdown]
# Read the columns from left to right.
#
# - $\nu$ is 0.1, or 0.01 where the column says so. `scale` is the default of libraries. $2^{-10}$ and $2^{-8}$ are fixed
#   values from the grid of {cite:t}`ruff2018`. The mean which that paper prints for the kernel method is 91.3 as we
#   recall it; we could not check it against the paper. $2^{-8}$ is shown because it comes close to that figure; it was
#   found by trying.
# - `nearest` sees no label, and its mean is level with the printed figure of Deep SVDD, 94.8, a network trained for
#   hundreds of epochs. The rule and $\nu = 0.1$ were fixed before the full run. But the rule was found in a trial on
#   MNIST, judged by labelled test pictures, so its lead over `scale` is promising and no more. The digits below were not
#   tried before.
# - `leaks` picks $\gamma$ from the grid $2^{-10}, \dots, 2^{-1}$ by the AUROC on a tenth of the *labelled test set*, and
#   is judged on the rest. That protocol is common for shallow baselines, and it is not one-class classification: whoever
#   uses it has seen anomalies. For the digits 2 and 5 the last value of the grid always wins, so the best may lie beyond.
#
# In the [code released with that paper](https://github.com/lukasruff/Deep-SVDD/blob/master/src/svm.py) the search
# compares an array with itself, and so keeps its first candidate, $2^{-10}$. A search that works gives the column
# `leaks`. Whether that code made the printed numbers we do not know.
#
# The lesson is not that kernels beat networks. It is that **a baseline with an honest bandwidth is much harder to beat
# than one without**, and that a table with a careless baseline proves little.
#
# On scikit-learn's digits even tuning on test labels falls behind the rule: a tenth of 597 pictures is few to tune on,
# and for most digits the last value of the grid wins most of the time.

# %% tags=["hide-input"]
# Digits beside MNIST
small = load_results("svdd", "digits")
plots.table(
    ["variant", "mean AUROC, digits", "mean AUROC, MNIST"],
    [
        [v, 100 * mean_metric(small, v), 100 * mean_metric(records, v)]
        for v in names.values()
    ],
    digits=1,
)

# %% [markdown]
# ## Exercises
#
# ```{exercise} Three points
# :label: ex-svdd-three
#
# Points at 0, 1 and 4 on a line, linear kernel, $\nu$ so small that no slack pays. Find the centre, $R^2$ and the
# multipliers by hand, then with `SVDD`.
# ```
#
# ````{solution-start} ex-svdd-three
# :class: dropdown
# ````
#
# The smallest interval is $[0, 4]$: centre 2, $R^2 = 4$. The centre is $\sum_i \alpha_i x_i = 2$ with $\alpha = 0$ for
# the point inside, so $\alpha = (\tfrac12, 0, \tfrac12)$.

# %%
three = SVDD(kernel="linear", nu=0.01, tol=1e-9).fit([[0.0], [1.0], [4.0]])
assert three.support_.tolist() == [0, 2]
np.testing.assert_allclose(three.alpha_, [0.5, 0.5])
np.testing.assert_allclose(three.radius_squared_, 4.0)

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} Any kernel
# :label: ex-svdd-any-kernel
#
# Let $D_{ij} = K_{ii} + K_{jj} - 2 K_{ij}$, the squared distance in feature space, and $\tilde K = M - \tfrac12 D$ with a
# constant $M$. Show that SVDD with *any* kernel has the multipliers of a one-class SVM with kernel matrix $\tilde K$.
# Check it with a polynomial kernel and `OneClassSVM(kernel="precomputed")`.
# ```
#
# ````{solution-start} ex-svdd-any-kernel
# :class: dropdown
# ````
#
# Since the multipliers sum to one, $\sum_{ij} \alpha_i \alpha_j K_{ii} = \sum_i \alpha_i K_{ii}$, so
#
# $$ \alpha^\top \tilde K \alpha = M - \tfrac12 \alpha^\top D \alpha = M - \sum_i \alpha_i K_{ii} + \alpha^\top K \alpha . $$ (svdd-any)
#
# Minimising the left side is maximising {eq}`svdd-dual`. The diagonal of $\tilde K$ is the constant $M$: every SVDD has
# the dual of a one-class SVM with this matrix. $\tilde K$ need not come from inner products; where the multipliers sum to
# one, the problem is convex all the same.

# %%
K = (moon @ moon.T + 1) ** 2
D = np.diag(K)[:, None] + np.diag(K) - 2 * K
other = OneClassSVM(kernel="precomputed", nu=0.1, tol=1e-8)
other.fit(D.max() - D / 2)
poly = SVDD(kernel="poly", degree=2, gamma=1, coef0=1, nu=0.1, tol=1e-8)
poly.fit(moon)
alpha, alpha_other = np.zeros(100), np.zeros(100)
alpha[poly.support_] = poly.alpha_
# libsvm's multipliers sum to nu n = 10
alpha_other[other.support_] = other.dual_coef_[0] / 10
np.testing.assert_allclose(alpha, alpha_other, atol=1e-5)
dual = lambda a: a @ np.diag(K) - a @ K @ a
np.testing.assert_allclose(dual(alpha), dual(alpha_other), rtol=1e-6)

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} Leave one out
# :label: ex-svdd-loo
#
# Take one training point away and fit again with the same $C$. Show that the point left out can fall outside the new
# sphere only if it was a support vector. What does that say about the share of new normal points outside? Check it on the
# arc with $\nu = 0.1$, $\gamma = 0.5$.
# ```
#
# ````{solution-start} ex-svdd-loo
# :class: dropdown
# ````
#
# A point with $\alpha_i = 0$ changes nothing when it goes: the other multipliers still satisfy all conditions, so the
# sphere is the same, and the point was inside or on it. So the share of points that fall outside when left out is at most
# the share of support vectors, and that leave-one-out share estimates the false-alarm rate on new points. It explains the
# table above: with `"nearest"` most points are support vectors, so little is promised.
#
# To keep $C = 1/(\nu n)$ with $n - 1$ points, $\nu$ becomes $\nu n / (n - 1)$.

# %%
outside = []
for i in range(len(moon)):
    rest = np.delete(moon, i, axis=0)
    again = SVDD(nu=0.1 * len(moon) / len(rest), gamma=0.5, tol=1e-6).fit(rest)
    outside.append(again.anomaly_score(moon[i : i + 1])[0] > 1e-6)
assert set(np.flatnonzero(outside)) <= set(ours.support_)
assert np.mean(outside) <= len(ours.support_) / len(moon)

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} Dirty training data
# :label: ex-svdd-dirty
#
# Mix 5 % eights into the training threes. How does the AUROC for threes against eights change with $\nu = 0.01$ and
# $\nu = 0.2$? Explain.
# ```
#
# ````{solution-start} ex-svdd-dirty
# :class: dropdown
# ````
#
# A multiplier is at most $1/(\nu n)$. With a small $\nu$ a few eights may carry much of the weight, and pull the centre
# towards them. With $\nu = 0.2$ at least a fifth of the points must share the weight, so each stray one has little. The
# AUROC falls with both, and much less with the large $\nu$.

# %%
eights = one_class("digits", 8).train.flatten(1).numpy()
extra = eights[: round(0.05 * len(vectors))]
versus = is_normal | (data.test_classes.numpy() == 8)
result = {}
kinds = {"clean": vectors, "dirty": np.vstack([vectors, extra])}
for nu in [0.01, 0.2]:
    for name, training in kinds.items():
        model = SVDD(nu=nu, gamma="scale").fit(training)
        result[nu, name] = metrics.auroc(
            ~is_normal[versus], model.anomaly_score(test[versus])
        )
print({key: round(value, 2) for key, value in result.items()})
loss = {nu: result[nu, "clean"] - result[nu, "dirty"] for nu in [0.01, 0.2]}
assert loss[0.2] < loss[0.01]

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
            "question": "nu = 0.05 and 1,000 training points. What is certain?",
            "type": "many_choice",
            "answers": [
                {
                    "answer": "At most 50 training points are outside",
                    "correct": True,
                    "feedback": "Yes, the left half of the nu-property.",
                },
                {
                    "answer": "At least 50 points are support vectors",
                    "correct": True,
                    "feedback": "Yes, the right half.",
                },
                {
                    "answer": "At most 5 % of new normal points will be outside",
                    "correct": False,
                    "feedback": "No: nu speaks of training points. Calibrate on held-out normal data.",
                },
            ],
        },
        {
            "question": "The slack of a point outside the sphere is ...",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "its squared distance to the centre minus R squared",
                    "correct": True,
                    "feedback": "Yes: both squared.",
                },
                {
                    "answer": "its distance to the sphere",
                    "correct": False,
                    "feedback": "The constraint compares squared distances.",
                },
                {
                    "answer": "its multiplier",
                    "correct": False,
                    "feedback": "The multiplier is 1/(nu n) for every point outside, however far.",
                },
            ],
        },
        {
            "question": "For which kernels are SVDD and the one-class SVM with the same kernel one method?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "All with constant k(x, x)",
                    "correct": True,
                    "feedback": "Yes: then the first term of the dual is a constant.",
                },
                {
                    "answer": "Every kernel",
                    "correct": False,
                    "feedback": "Not the linear one: a circle is no half-plane.",
                },
                {
                    "answer": "Only the RBF kernel",
                    "correct": False,
                    "feedback": "The RBF kernel is one example; any with a constant diagonal will do.",
                },
            ],
        },
        {
            "question": "gamma grows without limit. What does SVDD become?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "A list of the training points, all of them support vectors",
                    "correct": True,
                    "feedback": "Yes: every point is a stranger to every other, and what is normal shrinks to the points.",
                },
                {
                    "answer": "A circle",
                    "correct": False,
                    "feedback": "That is the other end, gamma towards 0.",
                },
                {
                    "answer": "A hyperplane",
                    "correct": False,
                    "feedback": "Not where we look: the boundary wraps each point.",
                },
            ],
        },
        {
            "question": "A paper picks gamma by the AUROC on a part of the labelled test set. What is wrong?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "It uses anomalies, which one-class learning does not have",
                    "correct": True,
                    "feedback": "Yes, even if that part is left out of the final figure.",
                },
                {
                    "answer": "Nothing, the part is not used for the final figure",
                    "correct": False,
                    "feedback": "The labels still chose the model. In use there are no labelled anomalies.",
                },
                {
                    "answer": "gamma should be chosen on the training labels",
                    "correct": False,
                    "feedback": "All training pictures are normal: there is nothing to rank.",
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
# 1. SVDD is the smallest sphere around the normal points in a feature space, with slack for a few.
# 2. Its centre is a weighted mean of the support vectors; its score is the squared distance to the centre, less $R^2$.
# 3. $\nu$ bounds the share of *training* points outside from above and of support vectors from below, and promises
#    nothing about new points.
# 4. With a constant $k(x, x)$ it is the one-class SVM with the same kernel; otherwise the two differ.
# 5. The width of the kernel decides the result, and it can be set without labels, by the distance between neighbours.
#
# **Further reading.** {cite:t}`tax2004` is the method, {cite:t}`scholkopf2001` the one-class SVM with $\nu$,
# {cite:t}`chang2013` the careful derivation, {cite:t}`ruff2021` the place of all this among deep methods.

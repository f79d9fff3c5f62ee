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
# (gan)=
# # The GAN loss
#
# Two networks play a game: one makes pictures, the other tells them from real ones. What the game is worth, why its two
# losses look as they do, and which of the readings on its dials you may believe.
#
# *Time to read 40 min · time to run 40 s · needs: {doc}`/book/foundations/what_is_an_anomaly`, a network trained by
# gradient descent*
#
# You will be able to
#
# - derive the optimal discriminator, and the Jensen–Shannon divergence that the generator then pays;
# - say why $D(G(z)) = \tfrac12$ is the aim, why one seldom sees it, and why seeing it proves nothing;
# - show by gradients what the non-saturating loss and the least-squares loss mend;
# - write the training loop, to the same weights as `adlib`;
# - recognise mode collapse, and say what it does to an anomaly detector.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from torch import nn
from torch.nn import functional as F

from adlib import metrics, plots
from adlib.datasets import one_class
from adlib.detector import conformal_threshold
from adlib.reconstruction import gan
from adlib.reconstruction.dcgan import Discriminator, Generator
from adlib.training import epoch_batches, seeded

plots.use_style()
FULL = False  # True: DCGAN at its full width on MNIST, on a GPU


# %% [markdown]
# ## The idea in one picture
#
# Real points lie on an arc. A {term}`generator` $G$ is a network that turns random numbers $z$ into points. A
# {term}`discriminator` $D$ is a network that is shown both kinds and says how likely a point is to be real. $D$ learns to
# tell them apart; $G$ learns to make $D$ say "real". Neither is told where the arc is: $D$ sees examples, and $G$ sees
# only what $D$ thinks of its own points.

# %%
def layers(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, 64),
        nn.LeakyReLU(0.2),
        nn.Linear(64, 64),
        nn.LeakyReLU(0.2),
        nn.Linear(64, outputs),
    )


class OneNumber(nn.Module):
    """Points of the plane to logits (N,)."""

    def __init__(self):
        super().__init__()
        self.layers = layers(2, 1)

    def forward(self, x):
        return self.layers(x).flatten()


def two_networks(seed=0):
    with seeded(seed):
        return layers(2, 2), OneNumber()


rng = np.random.default_rng(3)
angle = rng.uniform(0, 1.25 * np.pi, 512)
arc = np.column_stack([np.cos(angle), np.sin(angle)])
arc = torch.tensor(arc * (2 + 0.15 * rng.normal(size=(512, 1)))).float()

G, D = two_networks()
config = gan.GANConfig(latent=2, epochs=150, lr=1e-3)
toy = gan.train_gan(G, D, arc, config, seed=0, samples=400)

# %% mystnb={"image": {"alt": "Three panels. Left: a round cloud of latent points. Middle: real points on an arc, and the points that the trained generator makes of the cloud; they lie along the arc too. Right: what the discriminator says: white, about one half, along the arc, and tinted far away from it."}} tags=["hide-input"]
# Latent points, generated points, discriminator
MADE = plots.COLOURS[4]
TINTS = LinearSegmentedColormap.from_list(
    "sides", ["#F5CF82", "#FFFFFF", "#8CC0E0"]
)


def draw_points(ax, real, made, limit=3.2, size=9):
    if real is not None:
        ax.scatter(*real.T, s=6, color=plots.NORMAL, label="real", zorder=2)
    ax.scatter(
        *made.T,
        s=size,
        marker="s",
        color=MADE,
        edgecolors="black",
        linewidths=0.2 if size > 5 else 0,
        label="generated",
        zorder=3,
    )
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])


@torch.no_grad()
def draw_discriminator(ax, D, limit=3.2):
    """D(x) over the plane: white where it says 1/2."""
    side = torch.linspace(-limit, limit, 60)
    grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1)
    says = torch.sigmoid(D(grid.view(-1, 2))).view(60, 60)
    tint = ax.contourf(
        side, side, says, levels=np.linspace(0, 1, 21), cmap=TINTS, zorder=0
    )
    ax.contour(
        side,
        side,
        says,
        levels=[0.25, 0.5, 0.75],
        colors="#555555",
        linewidths=[0.7, 1.4, 0.7],
        zorder=1,
    )
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    return tint


z = torch.randn(400, 2, generator=torch.Generator().manual_seed(1))
with torch.no_grad():
    made = G(z)
fig, axes = plt.subplots(1, 3, figsize=(7, 2.7))
draw_points(axes[0], None, z)
axes[0].set_title("$z$")
draw_points(axes[1], arc, made)
axes[1].legend(loc="lower right", fontsize=8, markerscale=1.5)
axes[1].set_title("$x$ and $G(z)$")
tint = draw_discriminator(axes[2], D)
axes[2].set_title("$D(x)$")
fig.colorbar(tint, ax=axes[2], ticks=[0, 0.5, 1], shrink=0.75);

# %% [markdown]
# Once $G$ has learnt, it is a machine for normal things: every $z$ gives one. That is its use for anomaly detection.
# {doc}`/book/reconstruction/anogan` asks of a new picture: is there a $z$ that gives it? This page is about how such a
# machine comes to be, and how far to trust it.
#
# ## The game
#
# Real pictures $x$ have a density $p$. The latent vector $z$ is drawn from $\mathcal{N}(0, I)$, and $G(z)$ then has some
# density $q$, which depends on the weights of $G$. (On thin sets read $p$ and $q$ as densities against the mixture of the
# two; nothing below changes.) $D(x) \in (0, 1)$ is the probability that $D$ gives to "$x$ is real". The **value** of the
# game {cite:p}`goodfellow2014` is
#
# $$
# V(D, G) = \mathrm{E}_x \log D(x) + \mathrm{E}_z \log \bigl( 1 - D(G(z)) \bigr) .
# $$ (gan-value)
#
# $\mathrm{E}_x$ is the mean over real pictures, $\mathrm{E}_z$ the mean over latent vectors. The first term is large,
# that is, near 0, when $D$ says 1 to real pictures; the second when it says 0 to generated ones. $D$ wants $V$ large, $G$
# wants it small:
#
# $$ \min_G \max_D V(D, G) . $$ (gan-game)
#
# A network gives a **logit** $\ell(x)$, any real number, and $D(x) = \sigma(\ell(x)) = 1 / (1 + e^{-\ell(x)})$. So $-V$
# is twice the mean cross entropy of a classifier with two equally frequent classes. For $D$ there is nothing new here.
#
# ### The best discriminator
#
# Hold $G$ fixed. What is the best $D$? A mean over $z$ of something that depends on $G(z)$ is a mean over $x$ with the
# density $q$. So the value is one integral,
#
# $$ V(D, G) = \int p(x) \log D(x) + q(x) \log \bigl( 1 - D(x) \bigr) \, dx . $$ (gan-integral)
#
# Suppose $D$ may be any function. Then each $x$ can be looked at alone. Write $t$ for $D(x)$: we want the $t$ in $(0, 1)$
# where $p \log t + q \log(1 - t)$ is largest. Its slope is
#
# $$ \frac{p}{t} - \frac{q}{1 - t} , $$ (gan-slope)
#
# which falls from $+\infty$ to $-\infty$ where $p$ and $q$ are positive, and is zero where $p (1 - t) = q\, t$. So
#
# $$ D^*(x) = \frac{p(x)}{p(x) + q(x)} , \qquad \ell^*(x) = \log \frac{p(x)}{q(x)} . $$ (gan-optimal)
#
# The best discriminator knows one thing: the ratio of the two densities. Take a world of three pictures A, B, C.

# %%
p = torch.tensor([0.6, 0.3, 0.1])  # real
q = torch.tensor([0.2, 0.3, 0.5])  # generated
best = p / (p + q)  # eq. gan-optimal


def value(p, q, d):  # eq. gan-integral, a sum here
    return (p * d.log() + q * (1 - d).log()).sum()


plots.table(
    ["picture", "$p$", "$q$", "$D^*$", "$\\ell^*$"],
    zip("ABC", p, q, best, (p / q).log()),
)

# %% mystnb={"image": {"alt": "Three concave curves over D from 0 to 1, one for each picture A, B, C. The peaks, marked by dots, are at 0.75, 0.5 and 0.17.", "width": "520px"}} tags=["hide-input"]
# The value of each picture against D
t = torch.linspace(0.005, 0.995, 199)
fig, ax = plt.subplots(figsize=(5.6, 3.2))
for name, pi, qi, di, line in zip("ABC", p, q, best, ["-", "--", "-."]):
    ax.plot(t, pi * t.log() + qi * (1 - t).log(), line, label=name)
    ax.plot(di, pi * di.log() + qi * (1 - di).log(), "ko", zorder=3)
ax.set(
    xlabel="$t = D(x)$",
    ylabel=r"$p \log t + q \log (1-t)$",
    ylim=(-1.6, 0),
)
ax.legend();


# %% [markdown]
# ### What is left for the generator
#
# Put $D^*$ into the value. With the mixture $m = (p + q)/2$ we have $D^* = p/(2m)$ and $1 - D^* = q/(2m)$, so
#
# $$
# \begin{aligned}
# V(D^*, G) &= \int p \log \frac{p}{2m} + q \log \frac{q}{2m} \, dx \\
# &= \mathrm{KL}(p \,\|\, m) + \mathrm{KL}(q \,\|\, m) - 2 \log 2 \\
# &= 2\, \mathrm{JS}(p, q) - \log 4 .
# \end{aligned}
# $$ (gan-js)
#
# Here $\mathrm{KL}(p \,\|\, m) = \int p \log (p/m) \, dx$ is the Kullback–Leibler divergence: at least 0, and 0 only for
# $p = m$. The **Jensen–Shannon divergence** is the mean of the two,
#
# $$ \mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m) . $$ (gan-jensen-shannon)
#
# It lies between 0, for $p = q$ and nothing else, and $\log 2$, where $p$ and $q$ never meet. So against the best
# discriminator there is exactly one best answer: $q = p$. Then $V = -\log 4 \approx -1.386$. With numbers:

# %% tags=["nbval-check-output"]
def kl(a, b):
    return torch.xlogy(a, a / b).sum()


def js(p, q):  # eq. gan-jensen-shannon
    m = (p + q) / 2
    return (kl(p, m) + kl(q, m)) / 2


print(f"V(D*, G)      {value(p, q, best):.4f}")
print(f"2 JS - log 4  {2 * js(p, q) - np.log(4):.4f}")
with seeded(0):
    others = torch.rand(1000, 3).clamp(0.001, 0.999)
lower = sum(int(value(p, q, d) < value(p, q, best)) for d in others)
print(f"random D with a lower value: {lower} of 1000")
print(f"JS = {js(p, q):.3f}, at most log 2 = {np.log(2):.3f}")
print(f"p = q: V = {value(p, p, p / (p + p)):.4f}")

# %% [markdown]
# Now in one dimension. Real points have the density of a Gaussian; the generated ones have the same, moved to one side.

# %% tags=["hide-input"]
# Slider: how far apart the two are
line = torch.linspace(-4, 12, 801)


def bump(centre):
    return torch.exp(-((line - centre) ** 2) / 2) / np.sqrt(2 * np.pi)


def divergence(shift):
    a, b = bump(0.0), bump(shift)
    m = (a + b) / 2 + 1e-30
    inner = torch.xlogy(a, a / m) + torch.xlogy(b, b / m)
    return (inner.sum() * (line[1] - line[0]) / 2).item()


shifts = np.linspace(0, 8, 41)
divergences = [divergence(s) for s in shifts]


def draw_shift(figure, shift):
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    left.fill_between(line, bump(0.0), color=plots.NORMAL, alpha=0.5)
    left.fill_between(line, bump(shift), color=MADE, alpha=0.5)
    ratio = torch.sigmoid(shift**2 / 2 - shift * line)
    left.plot(line, ratio, color="black")
    left.text(-3.8, 0.2, "$p$", color=plots.NORMAL)
    left.text(shift + 1.6, 0.2, "$q$", color="#8A5F00")
    left.text(-3.8, ratio[0] + 0.03, "$D^*$")
    left.set(xlim=(-4, 12), ylim=(0, 1.12), xlabel="$x$")
    right.plot(shifts, divergences, color="black", linewidth=1.2)
    right.axhline(np.log(2), color="#767676", linestyle=":")
    right.text(0.1, np.log(2) - 0.05, r"$\log 2$", fontsize=10)
    right.plot(shift, divergence(shift), "o", color=plots.ANOMALOUS)
    right.set(xlabel="shift", ylabel="JS", ylim=(-0.02, 0.74))


plots.slider(
    draw_shift,
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0],
    label="shift",
    start=4,
    figsize=(7, 3),
    alt=lambda s: (
        f"Two bell curves {s} apart, the optimal discriminator, and the Jensen-Shannon divergence, {divergence(s):.2f}"
    ),
)

# %% [markdown]
# At shift 0 the discriminator is the flat line $\tfrac12$. As the two part it becomes a step. Look at the curve on the
# right: beyond a shift of 6 it is all but level, within 0.005 of $\log 2$. There the value hardly tells a generator that
# is far off which way to go. The discriminator would know: for a shift $s$, $\ell^*(x) = s^2/2 - s x$ has the slope $-s$
# everywhere. It is the loss that loses it, and many a training begins like this.
#
# ## One half: the aim, and what it proves
#
# At the end of the game $q = p$, so by {eq}`gan-optimal` $D^*(x) = \tfrac12$ for every $x$, real or generated. The best
# discriminator can do no more than toss a coin. This is why one plots the two means $\mathrm{E}_x D(x)$ and
# $\mathrm{E}_z D(G(z))$ during training and hopes that they meet at $\tfrac12$.
#
# They are mirror images, if $D$ is the best one. For *any* generator
#
# $$
# \mathrm{E}_x D^*(x) + \mathrm{E}_z D^*(G(z)) = \int (p + q) \, \frac{p}{p + q} \, dx = \int p \, dx = 1 .
# $$ (gan-mirror)
#
# So for the best $D$ one dial is enough. A sum away from 1 tells you that $D$ is not at its best. A sum of 1 does not
# tell you that it is. Add a constant to the logit: the slope of $V$ is $\mathrm{E}_x (1 - D) - \mathrm{E}_z D$. So any
# $D$ whose last bias has settled has the sum 1, however weak it is.
#
# Why does one seldom see $\tfrac12$ with pictures?
#
# - **$D$ learns by heart.** It meets a few hundred or thousand real pictures again and again. It can know each of them,
#   and a generator cannot copy what it never sees.
# - **Thin sets.** Pictures of one kind are a thin sheet in the space of all pixel values. $G$'s pictures are another one.
#   Two thin sheets rarely overlap, and then a $D$ exists that is right nearly everywhere {cite:p}`arjovsky2017`.
# - **Turns.** $V$ is not minimised, it is played. Each player moves against the other's last move, and two players that
#   chase each other can go round in circles.
#
# And one half can be had cheaply. A $D$ that has not learnt yet says $\tfrac12$ to everything; so does a $D$ that is too
# weak or too slow. With the *best* $D$, $\mathrm{E}_x D^*(x) = \tfrac12$ holds for $p = q$ and for nothing else. With any
# other $D$ the reading proves nothing about $G$. {ref}`Below <gan-collapse>` is a run with perfect readings and a useless
# generator.
#
# ## The non-saturating loss
#
# $G$'s part of {eq}`gan-value` is the second term. The **minimax loss** of the generator is
#
# $$ \mathcal{L}_G^{\text{minimax}} = \mathrm{E}_z \log \bigl( 1 - D(G(z)) \bigr) . $$ (gan-minimax)
#
# What reaches $G$ goes through the logit. With $D = \sigma(\ell)$ the derivative of the sigmoid is $D (1 - D)$, so
#
# $$ \frac{\partial}{\partial \ell} \log (1 - D) = - \frac{D (1 - D)}{1 - D} = - D . $$ (gan-minimax-gradient)
#
# When $D$ is sure that a picture is generated, $D$ is near 0, and so is the gradient. $G$ is told least where it is
# worst. The loss **saturates**. {cite:t}`goodfellow2014` therefore let $G$ raise $\log D$ in place of lowering
# $\log (1 - D)$:
#
# $$
# \mathcal{L}_G^{\text{non-sat}} = - \mathrm{E}_z \log D(G(z)) ,
# \qquad \frac{\partial}{\partial \ell} \bigl( - \log D \bigr) = - (1 - D) .
# $$ (gan-non-saturating)
#
# The sign is the same for every picture: raise the logit. The weight differs by the factor $(1 - D)/D = e^{-\ell}$:
# larger where $D < \tfrac12$, smaller where $D > \tfrac12$.

# %% mystnb={"image": {"alt": "Left: size of the gradient against D. For the minimax loss it rises from 0 to 1 with D, for the non-saturating loss it falls from 1 to 0; they cross at one half. Right: size of the least-squares gradient against the output of D, a V with its tip at 1."}} tags=["hide-input"]
# Gradients of the generator's losses
logits = torch.linspace(-7, 7, 281, requires_grad=True)


def slope_of(loss):
    total = len(logits) * loss(logits)  # the losses are means
    return torch.autograd.grad(total, logits)[0].abs()


fig, axes = plt.subplots(1, 2, figsize=(7, 3))
says = torch.sigmoid(logits).detach()
axes[0].plot(says, slope_of(gan.minimax_loss), label="minimax")
axes[0].plot(
    says, slope_of(gan.non_saturating_loss), "--", label="non-saturating"
)
axes[0].set(
    xlabel="$D(G(z))$", ylabel=r"$|\partial \mathcal{L}_G / \partial \ell|$"
)
axes[0].legend(loc="lower center", fontsize=9)
outputs = logits.detach()
axes[1].plot(
    outputs,
    slope_of(gan.least_squares_generator_loss),
    "-.",
    color=plots.COLOURS[2],
    label="least squares",
)
axes[1].set(xlim=(-3, 4), ylim=(0, 4), xlabel="$D(G(z))$, no sigmoid")
axes[1].set_ylabel(r"$|\partial \mathcal{L}_G / \partial D|$")
axes[1].legend(fontsize=9);

# %% [markdown]
# How much does it matter? Hold a fresh generator fixed, and train $D$ against it. After every few steps ask what gradient
# each loss would send to $G$'s weights.

# %%
G, D = two_networks()
adam = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
draw = torch.Generator().manual_seed(0)
early = []
for step in range(201):
    made = G(torch.randn(512, 2, generator=draw))
    if step % 10 == 0:
        fake = D(made)
        sizes = []
        for loss in (gan.minimax_loss, gan.non_saturating_loss):
            grads = torch.autograd.grad(
                loss(fake), [*G.parameters()], retain_graph=True
            )
            sizes.append(torch.cat([g.flatten() for g in grads]).norm())
        early.append([step, fake.sigmoid().mean().item(), *sizes])
    loss_d = gan.discriminator_loss(D(arc), D(made.detach()))
    adam.zero_grad()
    loss_d.backward()
    adam.step()
early = np.array([[float(v) for v in row] for row in early])

# %% mystnb={"image": {"alt": "Left: mean of D(G(z)) against steps of D, falling from one half towards zero. Right, logarithmic: size of the gradient that reaches the generator. The two curves start together. The minimax one then falls by orders of magnitude below the non-saturating one."}} tags=["hide-input"]
# What reaches the generator while D learns
fig, axes = plt.subplots(1, 2, figsize=(7, 2.9))
axes[0].plot(early[:, 0], early[:, 1], color="black")
axes[0].set(xlabel="steps of $D$", ylabel="mean $D(G(z))$", ylim=(0, 0.6))
axes[1].semilogy(early[:, 0], early[:, 2], label="minimax")
axes[1].semilogy(early[:, 0], early[:, 3], "--", label="non-saturating")
axes[1].set(xlabel="steps of $D$", ylabel="gradient of $G$'s weights")
axes[1].legend(fontsize=9);

# %% tags=["nbval-check-output"]
ratio = early[:, 3] / early[:, 2]
print(f"before D learns, equal within a tenth: {abs(ratio[0] - 1) < 0.1}")
print(f"after 200 steps, larger by 10 or more: {ratio[-1] > 10}")


# %% [markdown]
# The price: the two players no longer play for one value, so it is not {eq}`gan-game` any more. With the best
# discriminator, $G$'s gradient is then that of another quantity, $\mathrm{KL}(q \,\|\, p) - 2\,\mathrm{JS}(p, q)$
# {cite:p}`arjovsky2017`; {ref}`an exercise <ex-gan-kl>` derives it.
#
# ## Least squares
#
# LSGAN {cite:p}`mao2017` drops the sigmoid. $D$ gives any number and does a regression: 1 for real, 0 for generated. $G$
# wants it to say 1.
#
# $$
# \begin{aligned}
# \mathcal{L}_D &= \tfrac12 \mathrm{E}_x (D(x) - 1)^2 + \tfrac12 \mathrm{E}_z D(G(z))^2 , \\
# \mathcal{L}_G &= \tfrac12 \mathrm{E}_z (D(G(z)) - 1)^2 .
# \end{aligned}
# $$ (gan-least-squares)
#
# For one $x$ the slope of $\mathcal{L}_D$ is $p\,(D - 1) + q\, D$, zero at $D^* = p/(p + q)$: the same best discriminator
# as {eq}`gan-optimal`, and the same $\tfrac12$ at the end. What differs is $G$'s gradient, $D - 1$, the right panel
# above. It grows with the distance, so it never saturates. And it pulls *back* a picture that $D$ finds more real than
# real, beyond 1. A cross entropy would push it on.
#
# ## Write it
#
# The losses, from PyTorch's cross entropy and from the definitions, each against `adlib`.

# %%
def cross_entropy(logits, label):
    return F.binary_cross_entropy_with_logits(
        logits, torch.full_like(logits, label)
    )


draw = torch.Generator().manual_seed(0)
real, fake = (
    3 * torch.randn(n, generator=draw, dtype=torch.float64) for n in (50, 60)
)

# eq. gan-value with the sign turned: D minimises
loss_d = cross_entropy(real, 1.0) + cross_entropy(fake, 0.0)
minimax = torch.log(1 - torch.sigmoid(fake)).mean()  # eq. gan-minimax
non_saturating = cross_entropy(fake, 1.0)  # eq. gan-non-saturating
squares_d = (real - 1).square().mean() / 2 + fake.square().mean() / 2
squares_g = (fake - 1).square().mean() / 2  # eq. gan-least-squares

close = torch.testing.assert_close
close(loss_d, gan.discriminator_loss(real, fake))
close(-loss_d, gan.minimax_value(real, fake))
close(minimax, gan.minimax_loss(fake))
close(non_saturating, gan.non_saturating_loss(fake))
close(squares_d, gan.least_squares_discriminator_loss(real, fake))
close(squares_g, gan.least_squares_generator_loss(fake))

# %% [markdown]
# The three pictures A, B, C once more, now as a sample of ten real and ten generated ones with the logits $\ell^*$:

# %%
real_ten = (p / q).log().repeat_interleave(torch.tensor([6, 3, 1]))
fake_ten = (p / q).log().repeat_interleave(torch.tensor([2, 3, 5]))
close(gan.minimax_value(real_ten, fake_ten), value(p, q, best))


# %% [markdown]
# And the loop. One step of $D$, one step of $G$, batch by batch. `detach` keeps $D$'s loss away from $G$. `look` is
# called before every epoch, so that we can watch. `lr_d` gives $D$ a learning rate of its own; we shall want to spoil it.

# %%
def play(
    G,
    D,
    data,
    losses,
    *,
    epochs,
    lr=1e-3,
    lr_d=None,
    seed=0,
    look=None,
):
    loss_of_d, loss_of_g = losses
    adam_g = torch.optim.Adam(G.parameters(), lr=lr, betas=(0.5, 0.999))
    adam_d = torch.optim.Adam(
        D.parameters(), lr=lr_d or lr, betas=(0.5, 0.999)
    )
    rows = []
    for epoch in range(epochs):
        if look:
            look(epoch)
        with seeded(seed, epoch, 0):
            for i in epoch_batches(len(data), 128, seed=seed, epoch=epoch):
                made = G(torch.randn(len(i), 2))
                real, fake = D(data[i]), D(made.detach())
                loss_d = loss_of_d(real, fake)
                adam_d.zero_grad()
                loss_d.backward()
                adam_d.step()

                loss_g = loss_of_g(D(made))
                adam_g.zero_grad()
                loss_g.backward()
                adam_g.step()
                d = real.sigmoid().mean(), fake.sigmoid().mean()
                rows.append([v.item() for v in (loss_g, loss_d, *d)])
    return np.array(rows)


G, D = two_networks()
mine = play(G, D, arc, gan.LOSSES["non_saturating"], epochs=5)
other_G, other_D = two_networks()
config = gan.GANConfig(latent=2, epochs=5, lr=1e-3)
history = gan.train_gan(other_G, other_D, arc, config, progress=False)
for a, b in [(G, other_G), (D, other_D)]:
    for name, weight in a.state_dict().items():
        close(weight, b.state_dict()[name], rtol=1e-3, atol=1e-5)
per_epoch = mine.reshape(5, 4, 4).mean(1)  # four batches an epoch
close(per_epoch[-1, 3], history.epochs[-1]["d_fake"], rtol=1e-3, atol=1e-4)

# %% [markdown]
# Same start, same batches, same weights. `loss_g.backward()` also leaves gradients in $D$; the next `zero_grad` wipes
# them out before they are used.
#
# ## Look at it
#
# The arc again, longer, with both networks watched.

# %%
STEPS = [0, 20, 40, 80, 120, 160, 240, 320, 400, 600, 800, 1196]
film = {}


def keep(epoch):
    if 4 * epoch in STEPS:  # four steps an epoch
        with torch.no_grad():
            weights = {k: v.clone() for k, v in D.state_dict().items()}
            film[4 * epoch] = G(z), weights


G, D = two_networks()
losses = gan.LOSSES["non_saturating"]
readings = play(G, D, arc, losses, epochs=300, look=keep)

# %% tags=["hide-input"]
# Slider: training step
_, shown = two_networks()


def draw_step(figure, step):
    made, weights = film[step]
    shown.load_state_dict(weights)
    ax = figure.subplots()
    tint = draw_discriminator(ax, shown)
    draw_points(ax, arc, made)
    figure.colorbar(tint, ax=ax, ticks=[0, 0.5, 1], label="$D(x)$")
    ax.legend(loc="lower right", fontsize=9, markerscale=1.5)


plots.slider(
    draw_step,
    STEPS,
    label="step",
    start=3,
    figsize=(6, 4.6),
    alt=lambda step: (
        f"Real points on an arc, generated points and the contours of the discriminator after {step} steps"
    ),
)


# %% [markdown]
# The thick line is $D = \tfrac12$, the thin ones $\tfrac14$ and $\tfrac34$. First $D$ finds a side where only real points
# are, and $G$'s clump flies there. Then $D$ follows, and the cloud is bent until it lies on the arc. In the end the plane
# around the arc is nearly white: $D$ has nothing left to say where the points are. Far away its opinion is anything. No
# point of either kind is there to correct it.
#
# The readings of this run:

# %% mystnb={"image": {"alt": "Left: both losses against steps. After some swings the discriminator's is at log 4 and the generator's at log 2. Right: D(x) and D(G(z)) part in the first steps and then both run close to one half, each other's mirror image."}} tags=["hide-input"]
# Losses and D on the arc
def draw_readings(rows, smooth=1, xlabel="step", per=1):
    kernel = np.ones(smooth) / smooth
    x = per * (np.arange(len(rows) - smooth + 1) + smooth / 2)
    g, d, real, fake = (np.convolve(c, kernel, "valid") for c in rows.T)
    fig, axes = plt.subplots(1, 2, figsize=(7, 2.9))
    axes[0].plot(x, g, color=MADE, label="$G$'s loss")
    axes[0].plot(x, d, "--", color="black", label="$D$'s loss")
    axes[0].axhline(np.log(4), color="#767676", linestyle=":")
    axes[0].axhline(np.log(2), color="#767676", linestyle=":")
    for number, side in [(4, "bottom"), (2, "top")]:
        text = rf"$\log {number}$"
        axes[0].text(x[-1], np.log(number), text, ha="right", va=side)
    axes[0].set(xlabel=xlabel, ylim=(0, None))
    axes[1].plot(x, real, color=plots.NORMAL, label="$D(x)$")
    axes[1].plot(x, fake, "--", color=MADE, label="$D(G(z))$")
    axes[1].axhline(0.5, color="#767676", linestyle=":")
    axes[1].set(xlabel=xlabel, ylim=(0, 1))
    for ax in axes:
        ax.legend(fontsize=9)
    return axes


draw_readings(readings, smooth=10);

# %% tags=["nbval-check-output"]
g, d, on_real, on_fake = readings[-400:].mean(0)
print(f"D(x) within 0.1 of 1/2: {abs(on_real - 0.5) < 0.1}")
print(f"D(G(z)) within 0.1 of 1/2: {abs(on_fake - 0.5) < 0.1}")
print(f"sum within 0.05 of 1: {abs(on_real + on_fake - 1) < 0.05}")
print(f"D's loss within 0.15 of log 4: {abs(d - np.log(4)) < 0.15}")

# %% [markdown]
# Here is the textbook ending: two dimensions, smooth densities, as many points as the networks like. Mark that the losses
# do not *fall* to a minimum. $G$'s loss ends where it began, while $G$ became good.
#
# ## Run it: a DCGAN on digits
#
# DCGAN {cite:p}`radford2015` is the pair of convolutional networks that most small GANs still are. $G$ begins with a
# 4 x 4 map and doubles it; $D$ halves the picture down to 4 x 4. $G$ has {term}`batch normalisation` and ReLU, and a tanh
# at the end, so pictures live in $[-1, 1]$. $D$ has leaky ReLU of slope 0.2, and no batch normalisation on its first
# layer. Weights start from $\mathcal{N}(0, 0.02^2)$. Adam has a learning rate of 0.0002 and a $\beta_1$ of 0.5.
#
# Ours has 32 pixels and a quarter of the width, and a learning rate of 0.001, since so few pictures make few steps. The
# pictures are scikit-learn's threes, enlarged.

# %%
task = one_class("digits", 3)
threes, test = (
    2 * F.interpolate(images, 32, mode="bilinear") - 1
    for images in (task.train, task.test)
)
config = gan.GANConfig(
    latent=16,
    width=16,
    epochs=60,
    batch_size=32,
    lr=1e-3,
)
common = {"size": 32, "width": config.width}


def dcgan(seed):
    """A trained generator and discriminator, and how it went."""
    with seeded(seed):
        G = Generator(latent=config.latent, **common)
        D = Discriminator(**common)
    history = gan.train_gan(G, D, threes, config, seed=seed, samples=8)
    return G.eval(), D.eval(), history


# %% tags=["hide-input"]
# The architecture
def architecture(name, network, x):
    rows, row = [], None
    for layer in [
        *network.layers,
        *([network.head] if hasattr(network, "head") else []),
    ]:
        x = layer(x)
        kind = type(layer).__name__.removesuffix("2d")
        weights = sum(p.numel() for p in layer.parameters())
        if kind.startswith("Conv"):
            k, s, pad = (
                v[0] for v in (layer.kernel_size, layer.stride, layer.padding)
            )
            up = "transposed " if "Transpose" in kind else ""
            row = [name, f"{up}{k} x {k}, stride {s}, pad {pad}", "", "", 0]
            rows.append(row)
        else:
            word = {"BatchNorm": "batch norm", "LeakyReLU": "leaky ReLU"}
            row[2] += (", " if row[2] else "") + word.get(kind, kind)
        row[3] = " x ".join(map(str, x.shape[1:]))
        row[4] += weights
    return rows


with torch.no_grad():
    rows = architecture(
        "$G$",
        Generator(latent=16, **common).eval(),
        torch.zeros(1, 16, 1, 1),
    ) + architecture(
        "$D$", Discriminator(**common).eval(), torch.zeros(1, 1, 32, 32)
    )
plots.table(["", "convolution", "then", "output", "weights"], rows)

# %%
pairs = [dcgan(0), dcgan(1)]
G, D, history = pairs[0]

# %% mystnb={"image": {"alt": "Seven rows of eight pictures. The first rows, early in training, are grey or show a weave; then blurred strokes appear; the last generated row shows bright strokes that look like threes, some broken. The bottom row is real threes."}} tags=["hide-input"]
# Samples over time
when = [0, 8, 15, 30, 45, 60]
rows = [*(history.samples[e] for e in when), threes[:8]]
names = [*(f"epoch {e}" for e in when), "real"]
plots.picture_grid(
    ((torch.cat(rows) + 1) / 2).clamp(0, 1),
    columns=8,
    titles=[t for name in names for t in [name, *[""] * 7]],
)

# %% [markdown]
# Each column is one $z$, followed through training. `samples` holds what $G$ made in eval mode.

# %% mystnb={"image": {"alt": "Left: both losses against epochs: the generator's goes up to 5 and comes down; the discriminator's starts near 0 and rises. Right: D(x) is near 1 and D(G(z)) near 0 in the first epochs; later they approach each other with swings, and do not meet at one half."}} tags=["hide-input"]
# Losses and D on the threes
KEYS = ["generator_loss", "discriminator_loss", "d_real", "d_fake"]
digits_rows = np.array([[e[k] for k in KEYS] for e in history.epochs])
draw_readings(digits_rows, smooth=3, xlabel="epoch");

# %% tags=["nbval-check-output"]
late = digits_rows[-25:].mean(0)
print(f"last 25 epochs, D(x) above D(G(z)): {late[2] > late[3]}")

# %% [markdown]
# No meeting at $\tfrac12$. In the first epochs $D$ is sure of itself, and $G$'s loss is at its highest; that is where the
# minimax loss would have sent next to nothing. Then $G$ finds strokes, and the two curves come together. On average
# $D(x)$ stays above $D(G(z))$. That they mirror each other shows only that $D$'s last bias has settled.
#
# Is $D$ itself a detector, then? It has learnt what a real three looks like. Ask two trained pairs, with two seeds, about
# threes that they never met and about other digits:

# %%
noise = torch.randn(200, 16, generator=torch.Generator().manual_seed(2))
is_three = task.test_labels == 0
rows = []
for seed, (G, D, _) in enumerate(pairs):
    with torch.no_grad():
        groups = threes, test[is_three], test[~is_three], G(noise)
        means = [D(x).sigmoid().mean().item() for x in groups]
        area = metrics.auroc(task.test_labels, -D(test))
    rows.append([str(seed), *means, area])
plots.table(
    ["seed", "training threes", "new", "other digits", "generated", "AUROC"],
    rows,
)

# %% [markdown]
# New threes get a little less than training threes: some of $D$'s lead is memory. The last column takes $-D(x)$ as an
# anomaly score, and the two seeds do not agree about it at all. $D$ was asked for the ratio $p/q$ where threes and
# generated threes are. Where neither is, nothing in the game holds its answer; you saw it in the far corners of the arc.
# So AnoGAN does not ask $D$ for its verdict. It asks what $G$ can make, and uses $D$'s *features*.

# %%
if FULL:  # DCGAN's width and learning rate, 6,000 pictures of MNIST
    mnist = one_class("mnist", 3, download=True)
    big = gan.GANConfig()
    with seeded(0):
        nets = (
            Generator(size=32).to("cuda"),
            Discriminator(size=32).to("cuda"),
        )
    framed = F.pad(2 * mnist.train - 1, (2,) * 4, value=-1.0)
    gan.train_gan(*nets, framed, big)

# %% [markdown]
# ## Where it fails
#
# (gan-collapse)=
# ### Mode collapse, with perfect readings
#
# Eight small Gaussians on a ring, the usual test {cite:p}`metz2017`. First the three losses with a
# learning rate of 0.001 for both players. Then the non-saturating loss with 0.002 for both, and with 0.002 for $G$ but a
# tenth of it for $D$.

# %%
turn = 2 * np.pi * torch.arange(8) / 8
centres = 2 * torch.stack([turn.cos(), turn.sin()], 1)


def ring(n, seed):
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, 2, generator=draw)
    return centres.repeat(n // 8, 1) + 0.1 * noise


data = ring(512, 0)
z_ring = torch.randn(800, 2, generator=torch.Generator().manual_seed(1))


def held(made):
    """Modes that have 20 or more of 800 points within 0.5."""
    distance, nearest = torch.cdist(made, centres).min(1)
    return int((nearest[distance < 0.5].bincount(minlength=8) >= 20).sum())


def run_ring(loss, epochs=200, **rates):
    G, D = two_networks()
    frames, modes = {}, []

    def look(epoch):
        if epoch and epoch % 5 == 0:
            with torch.no_grad():
                frames[4 * epoch] = G(z_ring)
            modes.append([4 * epoch, held(frames[4 * epoch])])

    rows = play(
        G, D, data, gan.LOSSES[loss], epochs=epochs, look=look, **rates
    )
    look(epochs)  # and after the last one
    with torch.no_grad():
        return G, D, rows, np.array(modes), frames


runs = {
    "minimax": run_ring("minimax"),
    "non-saturating": run_ring("non_saturating"),
    "least squares": run_ring("least_squares"),
    "both fast": run_ring("non_saturating", lr=2e-3),
    "slow $D$": run_ring("non_saturating", lr=2e-3, lr_d=2e-4),
}

# %% mystnb={"image": {"alt": "Five panels. Real points are eight clusters on a ring. With each of the three losses, and with two fast players, the generated points cover all eight clusters, with a few on the way between them. With the slow discriminator all generated points are one smear near one or two clusters."}} tags=["hide-input"]
# Five generators on the ring
fig, axes = plt.subplots(1, 5, figsize=(7, 1.8), sharey=True)
for ax, (name, run) in zip(axes, runs.items()):
    draw_points(ax, data, run[4][max(run[4])], size=3)
    ax.set_title(name, fontsize=9);


# %% tags=["hide-input"]
# Readings of the last 200 steps
def reading(name, column):
    """D of least squares is no probability: no mean of a sigmoid there."""
    value = runs[name][2][-200:, column].mean()
    return None if name == "least squares" else value


plots.table(
    ["run", "modes held", "$D$'s loss", "$D(x)$", "$D(G(z))$"],
    [
        [name, int(run[3][-1, 1]), *(reading(name, c) for c in (1, 2, 3))]
        for name, run in runs.items()
    ],
)

# %% tags=["nbval-check-output"]
good, bad = runs["non-saturating"], runs["slow $D$"]
print(f"non-saturating, 6 modes or more at the end: {good[3][-1, 1] >= 6}")
print(f"slow D, under 3 modes on average: {bad[3][:, 1].mean() < 3}")
on_real, on_fake = bad[2][-200:, 2:].mean(0)
print(f"slow D, D(x) within 0.05 of 1/2: {abs(on_real - 0.5) < 0.05}")
print(f"slow D, D(G(z)) within 0.05 of 1/2: {abs(on_fake - 0.5) < 0.05}")


# %% [markdown]
# Read the last row again. $D(x)$ and $D(G(z))$ are at one half, the loss is at $\log 4 = 1.386$: the readings of the
# perfect ending, better than those of the runs that work. And the generator makes a smear that crosses a few modes at
# most.
#
# This is **mode collapse**: a mode is a place where the density has a peak, and most of them are lost. How does it come
# about? $G$ is the faster player. It goes where $D$ finds things most real at the moment. By the time $D$ has noticed,
# $G$ has moved on. Each move is right against the $D$ of that moment. Watch it:

# %% tags=["hide-input"]
# Slider: the collapsed run
def draw_hop(figure, step):
    ax = figure.subplots()
    draw_points(ax, data, bad[4][step])
    ax.set_title(f"modes held: {held(bad[4][step])}")


plots.slider(
    draw_hop,
    [100, 160, 220, 280, 340, 400, 460, 520, 580, 640, 700, 760],
    label="step",
    start=4,
    figsize=(4.6, 4.4),
    alt=lambda step: (
        f"Eight clusters on a ring and one clump of generated points, after {step} steps"
    ),
)

# %% mystnb={"image": {"alt": "Number of modes held against steps for the five runs. The four with equal learning rates climb to seven or eight. The slow discriminator's stays far below.", "width": "520px"}} tags=["hide-input"]
# Modes held over time
fig, ax = plt.subplots(figsize=(5.6, 3))
for (name, run), look, colour in zip(
    runs.items(), ["-", "--", "-.", (0, (5, 1)), ":"], [0, 4, 2, 3, 1]
):
    ax.plot(
        *run[3].T,
        linestyle=look,
        color=plots.COLOURS[colour],
        label=name,
    )
ax.set(xlabel="step", ylabel="modes held", ylim=(-0.3, 8.3))
ax.legend(fontsize=9, loc="center right", bbox_to_anchor=(1, 0.66));


# %% [markdown]
# In these five runs the loss did not decide: all three cover the ring when the players are equally fast. The balance did.
# Nor does the minimax loss fail on this toy, in spite of its small gradients. Adam divides a gradient by its own running
# size, so a factor common to all points cancels. The different weights of single points remain.
#
# ### What a lost mode does to a detector
#
# AnoGAN's idea in its barest form: the score of $x$ is its distance from the nearest thing that $G$ can make. Take 800
# generated points in place of a search. Normal points are new draws from all eight modes. Anomalous ones are points of
# the plane at least 0.7 from every mode. Since the smear moves, the table is the mean over ten moments of the last 200
# steps.

# %%
def score(made, x):
    return torch.cdist(x, made).min(1).values


calibration, normal = ring(800, 1), ring(800, 2)
with seeded(3):
    odd = 6 * torch.rand(2000, 2) - 3
odd = odd[torch.cdist(odd, centres).min(1).values > 0.7]
truth = torch.cat([torch.zeros(len(normal)), torch.ones(len(odd))]).int()


def judged(made):
    """AUROC; threshold, false alarms, anomalies found; alarms by one mode."""
    of_normal, of_odd = score(made, normal), score(made, odd)
    held_out = score(made, calibration)
    tau = conformal_threshold(held_out, 0.05)
    modes = held_out.view(-1, 8)
    kept = modes[:, modes.mean(0).argmin()]  # the mode that fits best
    return [
        metrics.auroc(truth, torch.cat([of_normal, of_odd])),
        tau,
        (of_normal > tau).float().mean().item(),
        (of_odd > tau).float().mean().item(),
        (of_normal > conformal_threshold(kept, 0.05)).float().mean().item(),
    ]


verdict = {
    name: np.mean([judged(made) for made in [*run[4].values()][-10:]], 0)
    for name, run in [("non-saturating", good), ("slow $D$", bad)]
}
plots.table(
    ["run", "AUROC", "threshold", "false alarms", "found", "one mode"],
    [[name, *row] for name, row in verdict.items()],
)

# %% [markdown]
# *Threshold* is calibrated for 5 % false alarms, on normal points of all modes; *found* is the share of anomalous points
# above it. *One mode* is the share of false alarms if only the mode that fits best had been used to calibrate.

# %% mystnb={"image": {"alt": "Mean score of normal points for each of the eight modes, for two generators. With the one that covers the ring all are below 0.1. With the collapsed one most are far larger, up to above two: the farther a mode is from the smear, the more.", "width": "520px"}} tags=["hide-input"]
# Mean score of the normal points of each mode
fig, ax = plt.subplots(figsize=(5.6, 3))
for shift, name, colour, hatch in [
    (-0.2, "non-saturating", plots.NORMAL, ""),
    (0.2, "slow $D$", MADE, "//"),
]:
    last = runs[name][4][max(runs[name][4])]
    ax.bar(
        np.arange(8) + shift,
        score(last, normal).view(-1, 8).mean(0),
        0.4,
        color=colour,
        hatch=hatch,
        edgecolor="white",
        label=name,
    )
ax.set(xticks=range(8), xlabel="mode", ylabel="mean score")
ax.legend(fontsize=9);

# %% tags=["nbval-check-output"]
fine, lost = verdict["non-saturating"], verdict["slow $D$"]
print(f"AUROC falls by more than 0.1: {fine[0] - lost[0] > 0.1}")
print(f"found, less than two thirds of before: {lost[3] < fine[3] * 2 / 3}")
print(f"false alarms below 0.1 for both: {max(fine[2], lost[2]) < 0.1}")
print(f"one mode: alarms for over half of normal points: {lost[4] > 0.5}")

# %% [markdown]
# A lost mode is called anomalous: nothing that $G$ makes is near it. Calibration with normal points of *all* modes keeps
# the false alarms where they were asked for, and pays with the threshold: it must rise above the lost modes, and most
# anomalies are below it. Calibrate with the mode that survived, and most normal points are an alarm.
#
# So before you use a generator as a detector, look at its pictures, many of them; and measure how well it makes *held-out
# normal* pictures. The readings of the game will not tell you.
#
# ### A cloud in one piece
#
# Look at the good generators again: some points lie on the way from one cluster to the next, where nothing is real. $z$
# fills the plane without a gap, and $G$ is continuous, so what it makes hangs together. It can make the bridges thin. It
# cannot leave them out. An anomaly on a bridge has a low score.

# %% tags=["nbval-check-output"]
between = (centres + centres.roll(1, 0)) / 2  # half-way, 0.77 from a mode
on_bridge = score(good[4][max(good[4])], between)
near = (on_bridge < 0.3).sum().item()
print(f"bridges that a generated point comes near, 4 or more: {near >= 4}")

# %% [markdown]
# ## What was measured
#
# Every figure above was computed when this page was built, on two CPU cores, with the seeds that stand in the code. Five
# runs on the ring with one seed are a demonstration, not a study. The constants of DCGAN are those of
# {cite:t}`radford2015`, but for the width and the learning rate. How well a DCGAN on MNIST serves as a detector, over all
# ten digits, is measured in {doc}`/book/reconstruction/anogan`.

# %% tags=["hide-input"]
# What was trained
steps = config.epochs * -(-len(threes) // config.batch_size)
plots.table(
    ["run", "items", "steps", "$D(x)$", "$D(G(z))$", "sum"],
    [
        [name, n, s, r[2], r[3], r[2] + r[3]]
        for name, n, s, r in [
            ("arc", len(arc), len(readings), readings[-400:].mean(0)),
            ("ring", len(data), len(good[2]), good[2][-200:].mean(0)),
            ("slow $D$", len(data), len(bad[2]), bad[2][-200:].mean(0)),
            ("threes", len(threes), steps, late),
        ]
    ],
)

# %% [markdown]
# ## Exercises
#
# ```{exercise} A game by hand
# :label: ex-gan-by-hand
#
# Four pictures, $p = (\tfrac12, \tfrac14, \tfrac14, 0)$ and $q = (0, \tfrac14, \tfrac14, \tfrac12)$. Find $D^*$,
# $\mathrm{JS}(p, q)$ and the value of the game, without a computer.
# ```
#
# ````{solution-start} ex-gan-by-hand
# :class: dropdown
# ````
#
# $D^* = (1, \tfrac12, \tfrac12, 0)$. The mixture is $\tfrac14$ everywhere. In $\mathrm{KL}(p \,\|\, m)$ the first picture
# gives $\tfrac12 \log 2$, the two in the middle nothing, the last nothing. $\mathrm{KL}(q \,\|\, m)$ is the same. So
# $\mathrm{JS} = \tfrac12 \log 2$, half of the most there can be, and the value is $\log 2 - \log 4 = -\log 2$.

# %%
p4 = torch.tensor([0.5, 0.25, 0.25, 0.0])
q4 = p4.flip(0)
d4 = p4 / (p4 + q4)
close(d4, torch.tensor([1.0, 0.5, 0.5, 0.0]))
close(js(p4, q4).item(), 0.5 * np.log(2), rtol=1e-5, atol=1e-6)
won = torch.xlogy(p4, d4).sum() + torch.xlogy(q4, 1 - d4).sum()
close(won.item(), -np.log(2), rtol=1e-5, atol=1e-6)
close(((p4 + q4) * d4).sum().item(), 1.0)  # eq. gan-mirror

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} One half from a weak judge
# :label: ex-gan-weak
#
# Real numbers are $-1$ or $+1$, each half of the time. The generator always makes 0. $D$ may only use a logit
# $\ell(x) = a + b x$. Show that its best answer is $D = \tfrac12$ everywhere. What would the best of all functions say?
# ```
#
# ````{solution-start} ex-gan-weak
# :class: dropdown
# ````
#
# $-V$ is convex in $(a, b)$, so a point where the gradient vanishes is the best. The derivative of $V$ by $\ell$ is
# $1 - D$ for a real number and $-D$ for a generated one. At $a = b = 0$ every $D$ is $\tfrac12$. For $a$ the two parts
# are $\tfrac12$ and $-\tfrac12$, with the sum 0. For $b$ the real numbers give $-\tfrac14$ and $\tfrac14$, and the
# generated one, at 0, gives nothing. So $V = -\log 4$, the reading of a perfect generator, though it has not made one real
# number. Without the restriction $D^* = 1$ at $\pm 1$ and 0 at 0.

# %%
x_real, x_made = torch.tensor([-1.0, 1.0]), torch.zeros(2)
ab = torch.tensor([1.5, -2.0], requires_grad=True)
descent = torch.optim.SGD([ab], lr=1.0)
for _ in range(200):
    loss = gan.discriminator_loss(
        ab[0] + ab[1] * x_real, ab[0] + ab[1] * x_made
    )
    descent.zero_grad()
    loss.backward()
    descent.step()
assert ab.abs().max() < 0.01
assert abs(loss.item() - np.log(4)) < 1e-3

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} How much is lost
# :label: ex-gan-factor
#
# Early in training $D$ gives a generated picture the logit $-6$. How large is the gradient of each of the two losses at the
# logit, and what is their ratio? At which logit are they equal?
# ```
#
# ````{solution-start} ex-gan-factor
# :class: dropdown
# ````
#
# $D = \sigma(-6) = 0.0025$. Minimax: $-0.0025$; non-saturating: $-0.9975$. The ratio is $e^6 \approx 403$. They are equal
# where $D = 1 - D$, at the logit 0.

# %%
logit = torch.tensor([-6.0], requires_grad=True)
weak, strong = (
    torch.autograd.grad(loss(logit), logit)[0].item()
    for loss in (gan.minimax_loss, gan.non_saturating_loss)
)
assert abs(weak + 0.00247) < 1e-4 and abs(strong + 0.99753) < 1e-4
assert abs(strong / weak - np.exp(6)) < 1

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} What the non-saturating loss minimises
# :label: ex-gan-kl
#
# Let $D = D^*$ for the present $q$, and hold it fixed for one step of $G$. Show that the gradient of
# $-\int q \log D^* \, dx$ is that of
#
# $$ \mathrm{KL}(q \,\|\, p) - 2\, \mathrm{JS}(p, q) . $$ (gan-reverse-kl)
#
# What does $\mathrm{KL}(q \,\|\, p) = \int q \log (q/p) \, dx$ charge for a mode that $q$ has lost?
# ```
#
# ````{solution-start} ex-gan-kl
# :class: dropdown
# ````
#
# Write $\dot q$ for the derivative of $q$ by a weight; $\int \dot q \, dx = 0$, so constants drop out. The derivative of
# the first term is $\int \dot q \log (q/p)$. In $2\,\mathrm{JS} = \int p \log \frac{2p}{p+q} + q \log \frac{2q}{p+q}$ the
# derivatives of the logarithms cancel, and $\int \dot q \log \frac{2q}{p+q}$ is left. The difference is
# $\int \dot q \log \frac{p+q}{2p} = -\int \dot q \log D^*$, with the factor 2 gone as a constant.
#
# For a lost mode $q = 0$ and the charge of the first term is nothing; $q$ is charged for what it makes where $p$ is
# small. The second term alone would push $q$ away from $p$. The sum does not: it is $\int (p+q) \log \frac{p+q}{2p} \, dx
# = 2\, \mathrm{KL}(m \,\|\, p)$, at least 0, and 0 only for $q = p$. But for a lost mode, where $m = p/2$, it charges $-p
# \log 2$, less than nothing. A reason, though no proof, that modes get lost.

# %%
theta = torch.tensor([0.3, -0.5, 1.0], requires_grad=True)
q_of = theta.softmax(0)
held_fixed = (p / (p + q_of)).detach()
left = torch.autograd.grad(
    -(q_of * held_fixed.log()).sum(), theta, retain_graph=True
)[0]
right = torch.autograd.grad(kl(q_of, p) - 2 * js(p, q_of), theta)[0]
close(left, right, rtol=1e-4, atol=1e-6)

# %% [markdown]
# ````{solution-end}
# ````
#
# ## Quiz

# %% tags=["hide-input"]
# Quiz
from jupyterquiz import display_quiz

display_quiz(
    [
        {
            "question": "During training D(x) and D(G(z)) are both at one half. What do you know?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "That this D cannot tell the two apart; look at the samples",
                    "correct": True,
                    "feedback": "Yes. With the best D it would mean p = q. A slow or weak D says one half as well.",
                },
                {
                    "answer": "That the generator makes the real distribution",
                    "correct": False,
                    "feedback": "On the ring it made one smear with just these readings.",
                },
                {
                    "answer": "That training has diverged",
                    "correct": False,
                    "feedback": "One half is also the reading of the ending that one hopes for.",
                },
            ],
        },
        {
            "question": "At some x the real density is 0.3 and the generated density 0.1. What does the best D say?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "0.75",
                    "correct": True,
                    "feedback": "Yes: 0.3 / (0.3 + 0.1).",
                },
                {
                    "answer": "0.3",
                    "correct": False,
                    "feedback": "That is the density. D sees only the ratio of the two.",
                },
                {
                    "answer": "1, since real is the likelier",
                    "correct": False,
                    "feedback": "A quarter of what it meets there is generated. Saying 1 would cost it without limit.",
                },
            ],
        },
        {
            "question": "What does the non-saturating loss change?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "The weight of each picture in G's gradient: large where D is sure it is generated",
                    "correct": True,
                    "feedback": "Yes: 1 - D in place of D. The direction at the logit is the same.",
                },
                {
                    "answer": "The loss of D",
                    "correct": False,
                    "feedback": "D plays for the same cross entropy in both.",
                },
                {
                    "answer": "The best discriminator",
                    "correct": False,
                    "feedback": "That follows from D's loss, which is the same.",
                },
            ],
        },
        {
            "question": "A detector's generator has lost one of three kinds of normal pictures. What happens? (several)",
            "type": "many_choice",
            "answers": [
                {
                    "answer": "Normal pictures of that kind get high scores",
                    "correct": True,
                    "feedback": "Yes: nothing that G makes is near them.",
                },
                {
                    "answer": "A threshold calibrated on all kinds rises, and anomalies are missed",
                    "correct": True,
                    "feedback": "Yes: the false alarms stay as asked for, the detections pay.",
                },
                {
                    "answer": "D's loss shows it",
                    "correct": False,
                    "feedback": "On the ring it stood at log 4, as at the perfect ending.",
                },
            ],
        },
        {
            "question": "Two generated clouds, one near the real one and one far from it, neither overlapping it. Which has the larger Jensen-Shannon divergence from the real one?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "Neither: both have log 2",
                    "correct": True,
                    "feedback": "Yes. Without overlap the divergence does not see the distance.",
                },
                {
                    "answer": "The far one",
                    "correct": False,
                    "feedback": "That would be useful, but the divergence is at its limit for both.",
                },
                {
                    "answer": "The near one",
                    "correct": False,
                    "feedback": "It does not overlap either, so it is at the limit as well.",
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
# 1. The game's value is minus twice the cross entropy of a classifier; the best one is $D^* = p/(p+q)$, a ratio of
#    densities.
# 2. Against it the generator pays $2\,\mathrm{JS}(p, q) - \log 4$: least at $p = q$, and level where the two do not
#    overlap.
# 3. Minimax gradients fade as $D$ becomes sure, with $D$; the non-saturating ones have $1 - D$, least squares the
#    distance from 1.
# 4. $D(G(z)) = \tfrac12$ is the aim and no proof. On digits $D$ kept the lead; on the ring one half came with a collapse.
#    And $D$ is no detector.
# 5. A lost mode is called anomalous, or calibration pays for it with anomalies missed. Measure on held-out normal
#    pictures.
#
# **Further reading.** {cite:t}`goodfellow2014` is the game, {cite:t}`radford2015` the networks, {cite:t}`mao2017` the
# least squares. {cite:t}`arjovsky2017` explain the vanishing gradients, {cite:t}`metz2017` one way against collapse.
# Next: {doc}`/book/reconstruction/anogan`.

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
# (localisation)=
# # Where is the defect? GradCAM and patches
#
# A score says that something is wrong with a nut. This page asks where, in two ways: by taking the score of the whole
# picture apart, and by scoring every patch on its own. Both maps are held against masks, and against maps that cost
# nothing.
#
# *Time to read 40 min · time to run 40 s · needs: {doc}`/book/self_supervised/detector`, AUPRO from
# {doc}`/book/foundations/what_is_an_anomaly`*
#
# You will be able to
#
# - derive GradCAM, say when it is exact, and say what its map of a density score leaves out;
# - put a coarse map back onto the pixels it came from, and find out when a library puts it elsewhere;
# - turn the features of patches into a heat map, and choose the Gaussian that spreads them;
# - report pixel AUROC and AUPRO together, and explain a gap between them;
# - name the defects that a map of 32-pixel patches cannot place.

# %%
import tempfile
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from adlib import CutPaste, GradCAM, metrics, plots
from adlib.baselines import MeanPicture
from adlib.benchmark import load_results, mean_metric
from adlib.datasets import factory
from adlib.datasets.inspection import mvtec
from adlib.self_supervised.cutpaste import MEAN, STD, CutPasteConfig
from adlib.self_supervised.patches import (
    PlaceDensities,
    patch_features,
    receptive_upsample,
)

plots.use_style()
FULL = False  # True: the paper's two models on MVTec's bottle, on a GPU

# %% [markdown]
# ## The idea in one picture
#
# Nuts from the drawn factory: sixty flawless ones to learn from, and new ones with four kinds of defect. Nuts lie at any
# angle, so no pixel has a value of its own to be held against.

# %%
root = factory.make_factory(
    tempfile.mkdtemp(),
    categories=["nut"],
    size=64,
    train=60,
    good=20,
    defective=10,
    progress=False,
)
nut = mvtec("nut", root=root, size=64)
train, test, masks = (
    torch.stack([part[i] for i in range(len(part))])
    for part in (nut.train, nut.test, nut.test_masks)
)
labels, kinds = nut.test_labels, np.array(nut.test_kinds)

# %% [markdown]
# Two networks are trained by CutPaste. One judges the whole picture by the mean of its features, the other every patch of
# 32 x 32 pixels. What they learn from, and how a density makes a score of features, is on the page before.

# %%
whole = CutPaste(
    CutPasteConfig.quick(level="image", epochs=6), seed=0, device="cpu"
).fit(train)
patches = CutPaste(
    CutPasteConfig.quick(epochs=6), seed=0, device="cpu"
).fit(train)


# %% [markdown]
# Four maps of the test pictures. The first two take the whole-picture model apart: the logit of its class "pasted" (a
# rectangle; the scar is a class of its own), and its density score. Both are stretched over the picture, as GradCAM is
# published. The third map scores patches. The last is the mean picture of {doc}`/book/foundations/what_is_an_anomaly`,
# which has no network.

# %%
def standard(images):
    """As the networks take them: the mean and spread of ImageNet."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))
    return (images - mean) / std


model, density = whole.models_[0], whole.densities_[0]


def logit(A):
    return model.head(A.mean((2, 3)))[:, 1]


def score(A):
    return density(A.mean((2, 3), keepdim=True))[:, 0, 0]


cam_of = GradCAM(model.backbone, model.backbone)
maps = {
    "GradCAM, logit": cam_of(standard(test), logit),
    "GradCAM, score": cam_of(standard(test), score),
    "patch map": patches.anomaly_map(test),
    "mean picture": MeanPicture()
    .fit(train, progress=False)
    .anomaly_map(test),
}


# %% mystnb={"image": {"alt": "Five rows of nuts, one for each kind of defect and a flawless one, with the defect outlined, and four maps of each. GradCAM of the logit is brightest at the hub of every nut, also of the flawless one. GradCAM of the score is dark on the flawless nut and has broad spots on the others, few of them on the defect. The patch map shows one large blob that covers the defect and runs to the border of the picture, except for the scratch. The mean picture is sharp: stain and chip stand out, and so do rims and corners where nothing is wrong."}} tags=["hide-input"]
# Pictures and maps, coloured by what they exceed
def outline(ax, mask, colour="white"):
    if mask.any():
        fine = np.pad(np.kron(mask, np.ones((8, 8))), 1)
        x, y = ((np.arange(n) - 0.5) / 8 - 0.5 for n in fine.shape[::-1])
        ax.contour(x, y, fine, [0.5], colors=colour, linewidths=1.3)


def exceeds(one):
    """The share of all normal test pixels that a pixel lies above."""
    normal = one[masks == 0].sort().values
    return torch.searchsorted(normal, one.contiguous()) / len(normal)


def show_map(ax, values, mask):
    """Dark up to a share of 0.7, bright at 1."""
    ax.imshow(values, cmap="inferno", vmin=0.7, vmax=1)
    outline(ax, mask)


def bare(axes):
    for ax in np.ravel(axes):
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def show_maps(chosen, maps):
    fig, axes = plt.subplots(
        len(chosen), 1 + len(maps), figsize=(7, 1.42 * len(chosen) + 0.2)
    )
    shares = [exceeds(m) for m in maps.values()]
    for row, i in zip(axes, chosen):
        row[0].imshow(test[i].permute(1, 2, 0), vmin=0, vmax=1)
        outline(row[0], masks[i].numpy(), plots.ANOMALOUS)
        row[0].set_ylabel(kinds[i], fontsize=10)
        for ax, share in zip(row[1:], shares):
            show_map(ax, share[i], masks[i].numpy())
    for ax, name in zip(axes[0], ["picture", *maps]):
        ax.set_title(name, fontsize=10)
    bare(axes)


chosen = [np.flatnonzero(kinds == k)[1] for k in dict.fromkeys(kinds)]
chosen = sorted(chosen, key=lambda i: kinds[i] == "good")
show_maps(chosen, maps)

# %% [markdown]
# The colour is not the value of the map, which differs from map to map, but a share: how many of all normal test pixels
# the pixel lies above. Black is up to 0.7 of them, the brightest yellow all of them. So a colour means the same in every
# panel, and what is not black is what AUPRO looks at. Lines are the masks. Look at the last row first. A map that glows
# on a flawless nut cannot be trusted on a broken one.
#
# ## GradCAM
#
# ### CAM: a logit that is a sum over places
#
# Let $A$ be the last feature maps of a network, $K$ of them with $h \times w$ places. The network ends in a mean over
# places and a linear layer. So a logit is
#
# $$
# y = b + \sum_k v_k f_k , \qquad f_k = \frac{1}{hw} \sum_{u,v} A_{kuv} .
# $$ (locate-pool)
#
# Swap the sums. The logit is a mean of one number for each place,
#
# $$
# y = b + \frac{1}{hw} \sum_{u,v} \mathrm{CAM}_{uv} , \qquad \mathrm{CAM}_{uv} = \sum_k v_k A_{kuv} .
# $$ (locate-cam)
#
# That is the **class activation map** of {cite:t}`zhou2016`. It is no approximation: the map adds up to the logit. It
# needs a network with that one ending.
#
# ### Gradients in the place of weights
#
# Here the head has a hidden layer, so there are no weights $v_k$ to read off. **Grad-CAM** {cite:p}`selvaraju2017` asks
# for a slope instead. Raise map $k$ by a small $t$ at *all* places. The number $y$ changes by
#
# $$
# \frac{\partial y}{\partial t} = \sum_{u,v} \frac{\partial y}{\partial A_{kuv}} = hw \, w_k , \qquad
# w_k = \frac{1}{hw} \sum_{u,v} \frac{\partial y}{\partial A_{kuv}} .
# $$ (locate-weight)
#
# So the mean gradient $w_k$ says how much $y$ gains where map $k$ is active. With these weights, and with negative sums
# cut off,
#
# $$ M_{uv} = \max \Bigl( 0, \; \sum_k w_k A_{kuv} \Bigr) . $$ (locate-gradcam)
#
# Why the mean, and not each place its own gradient? A single gradient says what the network would do if that one place
# changed. The mean over places is a property of the map $k$, and the activation says where the map responds. Where the
# features are pooled by a mean, nothing is lost at all: by the chain rule
#
# $$
# \frac{\partial y}{\partial A_{kuv}} = \frac{1}{hw} \frac{\partial y}{\partial f_k}
# \quad \text{for every } (u, v),
# $$ (locate-chain)
#
# so all gradients of a map are the same. For {eq}`locate-pool` they are $v_k / (hw)$. Then GradCAM is CAM, divided by
# $hw$ and with its negative part cut off.
#
# ### A density score in the place of a logit
#
# Nothing above needs $y$ to be a logit. The density score of the page before is
#
# $$ s = \tfrac12 (f - \mu)^\top \Sigma^{-1} (f - \mu) , $$ (locate-score)
#
# with $\mu$ and $\Sigma$ the mean and covariance of normal features. Its slope in $f$ is $\Sigma^{-1} (f - \mu)$. So by
# {eq}`locate-chain`
#
# $$ w = \frac{1}{hw} \, \Sigma^{-1} (f - \mu) . $$ (locate-density-weight)
#
# The two targets differ in more than the formula.
#
# - **What they ask.** The logit asks where the picture looks like a *paste*. The density score asks where it has the
#   features by which it differs from *normal pictures*, pasted or not.
# - **Their weights.** Those of a logit with a linear head are the same for all pictures. Those of the score turn with
#   $f - \mu$. On a normal picture that difference is chance, and so are the weights.
# - **What they add up to.** CAM adds up to the logit. The sum of the score's map, before the cut, is
#
# $$
# \sum_{u,v} \sum_k w_k A_{kuv} = (f - \mu)^\top \Sigma^{-1} f
# = 2s + \mu^\top \Sigma^{-1} (f - \mu) .
# $$ (locate-sum)
#
# The last term has nothing to do with a place. It can have either sign, and it may be larger than $2s$. It comes from
# taking "no activation" as the point of reference, while the score's own point of reference is $\mu$. Subtract that, and
# the rest is clean:
#
# $$
# N_{uv} = \sum_k w_k (A_{kuv} - \mu_k) , \qquad \sum_{u,v} N_{uv} = 2s .
# $$ (locate-centred)
#
# We call it the **centred map**. `adlib` computes {eq}`locate-gradcam`, as published; the centred one is written below in
# two lines, and both are measured.
#
# ### The grid is coarse, and it must be put in its place
#
# ResNet-18 turns 256 pixels into 8 places. Our small network turns 64 pixels into 9. GradCAM enlarges the map bilinearly,
# as if the places were tiles that fill the picture: the middle of place $u$ comes to lie at $(u + \tfrac12) H/h -
# \tfrac12$, with pixels and places counted from 0.
#
# For ResNet-18, whose layers pad, that is right to half a place: by its kernels, strides and padding, what place $u$ sees
# has its middle at $32u$, and the tile at $32u + 15.5$. The small network does not pad. Its places see 32 pixels each, at
# steps of 4, so the middle of what they see is
#
# $$ c_u = 4u + 15.5 . $$ (locate-middle)
#
# Where $H - 32$ is a multiple of 4, the tile's middle less $c_u$ is
#
# $$
# \Bigl( u - \frac{h-1}{2} \Bigr) \Bigl( \frac{H}{h} - 4 \Bigr)
# $$ (locate-stretch)
#
# pixels: nothing in the middle, 12 at the outermost places of a 64-pixel picture. The map is stretched like a picture on
# a balloon. We shall put it back and see what that brings. (`CutPaste.anomaly_map` puts it back for the small network;
# `GradCAM` called directly stretches, unless told `enlarge=False`.)
#
# ## The patch map
#
# ### A network that sees patches
#
# The second way asks no gradient. Cut the picture into overlapping patches of 32 pixels at steps of 4, compute the
# features $f_i$ of each patch $i$, and score each:
#
# $$ M_i = \tfrac12 (f_i - \mu)^\top \Sigma^{-1} (f_i - \mu) . $$ (locate-patch)
#
# There are $h = \lfloor (H - 32)/4 \rfloor + 1$ rows of patches: 9 for 64 pixels, 57 for 256, so 3,249 patches a picture.
# To send each through the network is slow. A network without padding computes them all in one pass, since a layer's
# outputs do not care where in a picture they stand. Its *receptive field*, what one output sees, is 32 pixels, and
# its stride is 4 ({doc}`/book/self_supervised/detector` works both out). A gradient shows it: which pixels does the
# output in row 3, column 5 depend on?

# %% tags=["nbval-check-output"]
network = patches.models_[0].backbone
seen = torch.rand(1, 3, 64, 64, requires_grad=True)
network(seen)[0, :, 3, 5].sum().backward()
rows, columns = seen.grad[0].abs().sum(0).nonzero().T
print(
    "rows within 12 to 43:", bool((rows >= 12).all() and (rows < 44).all())
)
print(
    "columns within 20 to 51:",
    bool(((columns > 19) & (columns < 52)).all()),
)
with torch.no_grad():
    f = network(test[:1])
print("places:", *f.shape[2:])
alone = network(test[:1, :, 12:44, 20:52]).detach()[0, :, 0, 0]
torch.testing.assert_close(f[0, :, 3, 5], alone, rtol=1e-4, atol=1e-4)


# %% [markdown]
# **One density or many?** On carpet any patch may be anywhere: one $\mu$ and one $\Sigma$ serve all places. On a bottle
# that always stands in the middle, what is normal at the rim is not normal in the centre. There the paper fits
# $\mu_{uv}$ and $\Sigma_{uv}$ for each place, from one patch a picture: better fitting, on far fewer data. It does so for
# eight categories, and not for hazelnut, screw and the textures, as quoted by others from its appendix. Nuts of the
# factory are turned at random, so we take one. The other is measured too.
#
# ### From 81 numbers to 4,096
#
# Patch $i$ has a value and a middle $c_i$. A pixel lies in many patches, and those that have it in their middle should
# count most. With a Gaussian weight,
#
# $$
# U(p) = \frac{\sum_i g(p - c_i) M_i}{\sum_i g(p - c_i)} , \qquad
# g(d) = \exp \Bigl( -\frac{\lVert d \rVert^2}{2 \sigma^2} \Bigr) ,
# $$ (locate-upsample)
#
# over the patches $i$ that hold $p$. The numerator is a transposed convolution: each value puts a copy of $g$ on its
# 32 x 32 pixels, and copies add up. {cite:t}`liznerski2021` enlarge maps so, and the CutPaste paper follows them.
#
# **Why divide?** Let all $M_i$ be 1. Without the denominator the map is not 1. In the middle 64 patches hold a pixel and,
# for a $\sigma$ of 4 or less, $\sum_i g$ is about $2 \pi \sigma^2 / 4^2$; in a corner one patch does, and its middle is
# 22 pixels away. So the map would be dark along the border whatever the picture shows. And where the Gaussian is wide,
# its end shows too: with $\sigma = 10$ it is cut off 16 pixels from its middle, while still at 28 % of its height, which
# draws steps.

# %% mystnb={"image": {"alt": "Left: the sum of the weights along the middle row for sigma 2, 4 and 10, divided by its value in the middle. It falls to nearly nothing at both ends; for sigma 10 it falls in steps. Middle: a patch map without the division, a blob with a dark frame around it. Right: the same map with it: the blob has grown into the lower right corner and fills it."}} tags=["hide-input"]
# The sum of the weights, and a map with and without it
def spread_of(values, sigma):
    d = torch.arange(32) - 15.5
    line = (-d.square() / (2 * sigma**2)).exp()
    kernel = (line[:, None] * line)[None, None]
    return F.conv_transpose2d(values[:, None], kernel, stride=4)[:, 0]


@torch.no_grad()
def energies(images, detector=patches, density=None):
    """The score of each patch, (N, h, w)."""
    f = patch_features(detector.models_[0].backbone, standard(images))
    return (density or detector.densities_[0])(f)


i = chosen[0]
fig, axes = plt.subplots(1, 3, figsize=(7, 2.5), width_ratios=[1.5, 1, 1])
for sigma, style in [(2, ":"), (4, "-"), (10, "--")]:
    w = spread_of(torch.ones(1, 9, 9), sigma)[0, 32]
    axes[0].plot(w / w[31:33].mean(), style, label=f"$\\sigma$ = {sigma}")
axes[0].set(xlabel="pixel", title="sum of the weights", ylim=(0, 1.5))
axes[0].legend(fontsize=9, ncols=3, loc="upper center", columnspacing=0.8)
one = energies(test[i : i + 1])
divided = receptive_upsample(one, (64, 64))[0]
for ax, m, title in [
    (axes[1], spread_of(one, 4.0)[0], "not divided"),
    (axes[2], divided, "divided"),
]:
    ax.imshow(m, cmap="inferno", vmin=0)
    ax.set(title=title, xticks=[], yticks=[])


# %% [markdown]
# The division has a price, and the right picture shows it: beyond the outermost middles, 15.5 pixels from each border,
# there is little but the value of the nearest patches, drawn outwards. On 64 pixels that is three quarters of the area;
# on 256 pixels it is less than a quarter.
#
# ## How a map is judged
#
# **Pixel AUROC**: every pixel is a test case. By {eq}`rw-weights` it is a mean over defects, weighted by area. A defect
# of 400 pixels counts as much as forty of 10 pixels.
#
# **AUPRO** ({eq}`aupro`): every connected region has the same weight, and only false-positive rates up to 0.3 count. A
# map without any sense gets 0.5 in the first and 0.15 in the second. So do not compare the two numbers with each other.
#
# Report both. Pixel AUROC alone rewards a map that finds large stains and no scratch. AUPRO alone says little to somebody
# who wants the area: a large stain weighs no more than a speck.
#
# ## Write it
#
# GradCAM, with the centred map beside it. `rest` is the part of the network after the feature maps.

# %%
def grad_cam(backbone, rest, x, centre=0.0):
    """The map before it is enlarged, (N, h, w), not cut at 0."""
    A = backbone(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(rest(A).sum(), A)
    w = gradient.mean((2, 3), keepdim=True)  # eq. locate-weight
    return (w * (A - centre)).sum(1).detach()  # eq. locate-centred


def enlarged(coarse, size=(64, 64)):
    cut = coarse.clamp(min=0)[:, None]  # eq. locate-gradcam
    return F.interpolate(cut, size, mode="bilinear")[:, 0]


x = standard(test)
close = torch.testing.assert_close
cam = grad_cam(model.backbone, score, x)
loose = {"rtol": 1e-3, "atol": 1e-3 * cam.max().item()}
close(enlarged(cam), maps["GradCAM, score"], **loose)
by_hand = enlarged(grad_cam(model.backbone, logit, x))
close(by_hand, maps["GradCAM, logit"], rtol=1e-3, atol=1e-4)

# %% [markdown]
# Does the centred map add up to $2s$, and does the map as published not?

# %% tags=["nbval-check-output"]
mu = density.mean[0][:, None, None]
centred = grad_cam(model.backbone, score, x, mu)
twice = 2 * whole.anomaly_score(test)
gap = (centred.sum((1, 2)) - twice).abs().max() / twice.max()
print("the centred map adds up to 2 s:", bool(gap < 1e-2))
offset = (cam.sum((1, 2)) - twice).abs() / twice
print("the published one is off by over 10 %:", bool(offset.median() > 0.1))

# %%
rest_term = cam.sum((1, 2)) - twice  # μᵀ Σ⁻¹ (f − μ)
for name, part in [("normal", labels == 0), ("defective", labels == 1)]:
    print(
        f"{name:9}  2s: median {twice[part].median():7.1f}   "
        f"the rest: {rest_term[part].min():7.1f} to "
        f"{rest_term[part].max():7.1f}"
    )


# %% [markdown]
# The patch map the slow way: cut a patch, run the network, score it, put a Gaussian on its pixels, and keep count of the
# weights. The covariance is inverted here, since the formula says so; `adlib` solves with the Cholesky factor.

# %%
@torch.no_grad()
def patch_map(network, images, mu, precision, sigma):
    d = torch.arange(32) - 15.5
    g = (-(d[:, None] ** 2 + d**2) / (2 * sigma**2)).exp()
    spread, weights = torch.zeros(2, len(images), *images.shape[2:])
    for top in range(0, images.shape[2] - 31, 4):
        for left in range(0, images.shape[3] - 31, 4):
            here = np.s_[:, top : top + 32, left : left + 32]
            patch = images[:, :, top : top + 32, left : left + 32]
            f = network(patch).mean((2, 3)) - mu
            M = torch.einsum("nd,de,ne->n", f, precision, f) / 2
            spread[here] += M[:, None, None] * g  # eq. locate-upsample
            weights[here] += g
    return spread / weights


learnt = patches.densities_[0]
L = learnt.factor[0].double()  # Σ = L Lᵀ
precision = torch.linalg.inv(L @ L.T).float()
some = torch.tensor(chosen)
slow = patch_map(
    network, standard(test[some]), learnt.mean[0], precision, 4.0
)
close(slow, maps["patch map"][some], rtol=1e-2, atol=1e-2)

# %% [markdown]
# Both agree. The slow way called the network 81 times.
#
# ## Run it
#
# Now all maps, by pixel and by region. Beside the four from above:
#
# - GradCAM of the score *centred*, {eq}`locate-centred`;
# - GradCAM of the logit of the third class, *scar*;
# - GradCAM *placed* by its receptive fields, {eq}`locate-middle`, in the place of the stretch: each value is spread by
#   the Gaussian of the patch map. For the score, not centred, that is what `CutPaste.anomaly_map` gives;
# - the patch map with a density for each place;
# - the **honest baseline**: the same patches, a density fitted in the same way, and a network with its weights as drawn.
#   (`CutPaste` takes at least one step; with a learning rate of $10^{-12}$ that moves no weight.)

# %%
drawn = CutPaste(
    CutPasteConfig.quick(epochs=1, steps=1, learning_rate=1e-12),
    seed=0,
    device="cpu",
).fit(train, progress=False)
with torch.no_grad():
    placed_density = PlaceDensities.fit(
        patch_features(network, standard(train)), by_place=True
    )
by_place = energies(test, density=placed_density)


def scar(A):
    return model.head(A.mean((2, 3)))[:, 2]


def placed(coarse):
    """Each place where its receptive field is, not stretched."""
    return receptive_upsample(coarse.clamp(min=0), (64, 64))


close(placed(cam), whole.anomaly_map(test), **loose)

all_maps = {
    "mean picture": maps["mean picture"],
    "GradCAM, logit": maps["GradCAM, logit"],
    "... placed": placed(grad_cam(model.backbone, logit, x)),
    "... class scar": enlarged(grad_cam(model.backbone, scar, x)),
    "GradCAM, score": maps["GradCAM, score"],
    "... placed, as adlib": placed(cam),
    "... centred": enlarged(centred),
    "... centred and placed": placed(centred),
    "patches, untrained": drawn.anomaly_map(test),
    "patches, CutPaste": maps["patch map"],
    "... a density a place": receptive_upsample(by_place, (64, 64)),
}


def judged(anomaly_map, part=slice(None)):
    truth, m = masks[part].numpy(), anomaly_map[part].numpy()
    return metrics.auroc(truth.ravel(), m.ravel()), metrics.aupro(truth, m)


figures = {name: judged(m) for name, m in all_maps.items()}
plots.table(
    ["map", "pixel AUROC", "AUPRO"],
    [[name, *both] for name, both in figures.items()],
)

# %% tags=["nbval-check-output"]
best = figures["patches, CutPaste"]
print("patch map, pixel AUROC above 0.8:", best[0] > 0.8)
ahead = best[0] > figures["mean picture"][0]
print("patch map ahead of the mean picture, by pixel:", ahead)
for other in ("patches, untrained", "GradCAM, score"):
    ahead = all(np.array(best) > np.array(figures[other]))
    print(f"patch map ahead of {other}, in both: {ahead}")

# %% [markdown]
# Read it from the bottom.
#
# - **Patches** lead in both figures. A density for each place changes them by a hundredth, which is nothing for one seed.
# - **Patches, untrained** are near chance. On nuts it is the training that finds the place, and not the density alone. Do
#   not carry that over to other categories: the records below have a row for it.
# - **GradCAM** of the score gains when it is centred: it no longer carries the term without a place. Placing it where its
#   receptive fields are moves the figures too, up or down from run to run. Centred, it comes within a few hundredths of
#   the patches by pixel, not by region, and costs no training.
# - The class *scar* of the same network is no better than chance here, while the class *pasted* finds defects. "The
#   anomalous logit" is a choice, and one that needs masks to judge.
# - The **mean picture** has no network, and an AUPRO about as high as the best GradCAM. It compares pixels, so it is sharp
#   where the others are blunt. Nuts of the factory always lie near the middle; that suits it.
#
# By kind of defect, against the same flawless nuts:

# %% tags=["hide-input"]
# By kind of defect
good = kinds == "good"
rows = []
for kind in dict.fromkeys(kinds[~good]):
    part = np.flatnonzero(good | (kinds == kind))
    area = masks[kinds == kind].float().sum((1, 2)).median().item()
    rows.append(
        [
            kind,
            int(area),
            *judged(maps["patch map"], part),
            *judged(all_maps["... centred and placed"], part),
        ]
    )
plots.table(
    [
        "kind",
        "pixels, median",
        "patch AUROC",
        "patch AUPRO",
        "GradCAM AUROC",
        "GradCAM AUPRO",
    ],
    rows,
)

# %% [markdown]
# GradCAM here is the centred and placed one. On bent and chipped nuts it keeps up with the patches; on stains and
# scratches it is well behind.
#
# ## Look at it
#
# ### How wide a Gaussian?

# %% tags=["hide-input"]
# Slider: sigma
M = energies(test)
SIGMAS = [2, 3, 4, 6, 8, 12, 16]
by_sigma = {s: receptive_upsample(M, (64, 64), sigma=s) for s in SIGMAS}
by_sigma_judged = {s: judged(m) for s, m in by_sigma.items()}
sigma_shares = {s: exceeds(m) for s, m in by_sigma.items()}


def draw(figure, sigma):
    axes = figure.subplots(2, 5)
    for (above, below), i in zip(axes.T, chosen):
        above.imshow(test[i].permute(1, 2, 0), vmin=0, vmax=1)
        outline(above, masks[i].numpy(), plots.ANOMALOUS)
        above.set_title(kinds[i], fontsize=10)
        show_map(below, sigma_shares[sigma][i], masks[i].numpy())
    bare(axes)
    pixel, region = by_sigma_judged[sigma]
    figure.suptitle(f"pixel AUROC {pixel:.3f}, AUPRO {region:.3f}")


plots.slider(
    draw,
    SIGMAS,
    label="sigma",
    start=2,
    figsize=(7, 3.6),
    alt=lambda s: (
        f"Nuts and their patch maps, spread with a sigma of {s} pixels"
    ),
)

# %% [markdown]
# A wide Gaussian costs both figures, a narrow one costs nothing. The blobs stay large for every $\sigma$; {ref}`the halo
# <locate-halo>` says why. At 12 and 16 the blocks of the grid show: the kernel is cut off before it is small.
#
# The paper gives no $\sigma$, as far as others quote it. `adlib` takes 4, the stride, which is not the best value of the
# slider. To take that one would be to tune on the masks of the test.
#
# ### Large defects outvote small ones
#
# {eq}`rw-weights` in figures: each connected region of the masks has an AUROC of its own, of its pixels against all
# normal pixels. Their mean weighted by area *is* the pixel AUROC.

# %%
truth, m = masks.numpy(), maps["patch map"].numpy()
normal_pixels = m[truth == 0]
areas, each, owner = [], [], []
for i, (mask, one) in enumerate(zip(truth, m)):
    regions, count = ndimage.label(mask, structure=np.ones((3, 3)))
    for j in range(1, count + 1):
        inside = one[regions == j]
        is_region = np.repeat([1, 0], [len(inside), len(normal_pixels)])
        values = np.concatenate([inside, normal_pixels])
        owner.append(i)
        areas.append(len(inside))
        each.append(metrics.auroc(is_region, values))
areas, each, owner = map(np.array, (areas, each, owner))
assert abs(np.average(each, weights=areas) - best[0]) < 1e-6
share = np.sort(areas)[::-1].cumsum() / areas.sum()
quarter = share[len(areas) // 4 - 1]
print(f"{len(areas)} regions of {areas.min()} to {areas.max()} pixels")
print(f"the largest quarter of them holds {quarter:.0%} of the area")
print(f"mean by area {best[0]:.3f}, plain mean {each.mean():.3f}")

# %% mystnb={"image": {"alt": "Scatter plot of the AUROC of each defective region against its area on a logarithmic scale. Most regions are above 0.8; some of the small ones and a few others fall below.", "width": "520px"}} tags=["hide-input"]
# AUROC of each region against its area
fig, ax = plt.subplots(figsize=(5.4, 3))
ax.scatter(areas, each, color=plots.ANOMALOUS, marker="^", alpha=0.7)
ax.axhline(best[0], color="black", label="mean by area: pixel AUROC")
ax.axhline(each.mean(), color="black", linestyle=":", label="plain mean")
ax.set(xscale="log", xlabel="pixels of the region", ylabel="its AUROC")
ax.minorticks_off()
ax.set(xticks=[20, 50, 100, 200], xticklabels=[20, 50, 100, 200])
ax.legend(fontsize=9);


# %% [markdown]
# ## Where it fails
#
# (locate-halo)=
# ### The halo of a small defect
#
# Paint one square of 2 x 2 pixels on a flawless nut, in the negative of its colours. All patches that hold it may answer,
# and only they.

# %%
def with_dot(images, row, column, side):
    """A square in the negative of the colours that were there."""
    images = images.clone()
    here = np.s_[:, :, row : row + side, column : column + side]
    images[here] = 1 - images[here]
    return images


flawless = test[labels == 0]
before, after = (
    energies(z) for z in (flawless, with_dot(flawless, 30, 30, 2))
)
answer = (after - before).abs()

# %% tags=["nbval-check-output"]
line = torch.arange(9) * 4
holds = (line <= 31) & (line + 32 > 30)
inside = holds[:, None] & holds
print("patches that hold the square:", int(inside.sum()), "of 81")
print("others do not move:", bool((answer[:, ~inside] < 1e-2).all()))

# %% mystnb={"image": {"alt": "Three panels: a nut with a tiny square in its middle, what the square adds to the patch map, a blob far wider than the square, and a cut through the middle of the blob for three sigmas, each tens of pixels wide above half its height."}} tags=["hide-input"]
# What four pixels do to the map
fig, axes = plt.subplots(1, 3, figsize=(7, 2.6), width_ratios=[1, 1, 1.5])
added = {
    s: (
        receptive_upsample(after, (64, 64), sigma=s)
        - receptive_upsample(before, (64, 64), sigma=s)
    ).mean(0)
    for s in (2, 4, 10)
}
dotted = with_dot(flawless, 30, 30, 2)
axes[0].imshow(dotted[0].permute(1, 2, 0), vmin=0, vmax=1)
axes[0].set_title("four pixels")
axes[1].imshow(added[4], cmap="inferno", vmin=0)
axes[1].set_title("added, mean of 20")
square = np.zeros((64, 64))
square[30:32, 30:32] = 1
for ax in axes[:2]:
    outline(ax, square, "white")
    ax.set(xticks=[], yticks=[])
for sigma, style in [(2, ":"), (4, "-"), (10, "--")]:
    cut = added[sigma][31]
    axes[2].plot(cut / cut.max(), style, label=f"$\\sigma$ = {sigma}")
axes[2].axvspan(29.5, 31.5, color=plots.ANOMALOUS, alpha=0.4)
axes[2].set(xlabel="pixel", title="row 31")
axes[2].legend(fontsize=9)
widths = {s: int((a[31] > a[31].max() / 2).sum()) for s, a in added.items()}
print("pixels above half the height, by sigma:", widths)


# %% [markdown]
# Four pixels light up a blob of some 25 pixels at half its height, and a Gaussian of 2 makes it hardly narrower than one
# of 4. The patch sets the width: a feature that answers to the square answers wherever the square is in the patch. The
# map can say "somewhere in here", no more. Pixel AUROC counts the halo as false alarms, and so it should.
#
# ### Smaller than the stride, and beside the border
#
# Squares of 1 to 8 pixels, in five places of each picture of a flawless nut, from the middle to the border. Two
# questions. Is the score above that of 19 of 20 flawless nuts? And how far is the maximum of the map from the middle of
# the square?

# %%
def found_and_off(side, border):
    """Share above the 95 % level; the maximum: distance off, row."""
    place = border
    planted = energies(with_dot(flawless, place, 32 - side // 2, side))
    level = M[labels == 0].amax((1, 2)).quantile(0.95)
    found = (planted.amax((1, 2)) > level).double().mean().item()
    top = receptive_upsample(planted, (64, 64)).flatten(1).argmax(1)
    row, column = top // 64, top % 64
    middle = place + (side - 1) / 2, 32 - side // 2 + (side - 1) / 2
    off = torch.hypot(row - middle[0], column - middle[1])
    return found, off.median().item(), row.median().item()


SIDES, BORDERS = [1, 2, 3, 4, 6, 8], [30, 22, 14, 6, 0]
planted = np.array(
    [
        [found_and_off(side, border) for side in SIDES]
        for border in tqdm(BORDERS, desc="squares")
    ]
)

# %% mystnb={"image": {"alt": "Two panels against the side of the square, one line for each distance from the border. Left: the share of squares that raise the score above the level rises with the side. Right: the distance of the map's maximum from the square. It stays near 15 pixels for squares at row 14, whatever their side; at row 22 it falls from 30 to 5; for squares of three pixels and more it is smallest at row 0 and in the middle."}} tags=["hide-input"]
# Found, and how far off
fig, axes = plt.subplots(1, 2, figsize=(7, 2.9))
for number, (border, rows) in enumerate(zip(BORDERS, planted)):
    for ax, column in zip(axes, (0, 1)):
        ax.plot(
            SIDES,
            rows[:, column],
            marker="osD^v"[number],
            color=plots.COLOURS[number],
            label=f"{border} pixels",
        )
axes[0].set(title="share above the level", xlabel="side in pixels")
axes[1].set(title="distance of the maximum", xlabel="side in pixels")
axes[0].set_ylim(-0.05, 1.05)
axes[1].set_ylim(bottom=0)
fig.legend(
    *axes[0].get_legend_handles_labels(),
    loc="outside lower center",
    ncols=5,
    title="from the upper border",
);

# %% tags=["hide-input"]
# In which row is the maximum?
plots.table(
    ["first row of the square", *[f"{side} px" for side in SIDES]],
    [
        [str(border), *[int(row) for row in rows[:, 2]]]
        for border, rows in zip(BORDERS, planted)
    ],
)

# %% [markdown]
# The stride itself is no hard limit: in the dark bore in the middle one pixel is often enough, and elsewhere three or
# four are. It depends on what is painted over. A defect smaller than the stride is not *lost*, since every pixel is seen
# by many patches. It is *misplaced*.
#
# Read the table by its columns of large squares. Squares whose first row is 0, 6 or 14 have their maximum in the first
# rows of the picture alike. The map's maximum cannot tell them apart: no patch has its middle above row 15, and
# everything above takes, nearly, the value of the nearest patch, drawn outwards. That the line of row 0 in the right
# panel looks so good is luck of the place, not skill of the map.
#
# ### GradCAM on a flawless nut

# %% mystnb={"image": {"alt": "Three rows of six flawless nuts with maps laid over them. First row, GradCAM of the score, each map on its own range: every nut has bright spots that look like findings. Second row, the same maps coloured by the share of normal pixels they exceed: dark but for faint spots. Third row, the patch maps coloured that way: dark but for a spot at the border in some."}} tags=["hide-input"]
# Flawless nuts: each map on its own range, then on the common one
fig, axes = plt.subplots(3, 6, figsize=(7, 3.9))
cam_map = maps["GradCAM, score"]
shares = [exceeds(z) for z in (cam_map, maps["patch map"])]
for column, i in zip(axes.T, np.flatnonzero(good)):
    picture = test[i].mean(0)
    for ax, values, low in [
        (column[0], cam_map[i] / cam_map[i].max(), 0),
        (column[1], shares[0][i], 0.7),
        (column[2], shares[1][i], 0.7),
    ]:
        ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
        ax.imshow(values, cmap="inferno", alpha=0.7, vmin=low, vmax=1)
for ax, name in zip(
    axes[:, 0],
    ["GradCAM,\nown range", "GradCAM,\nshare", "patches,\nshare"],
):
    ax.set_ylabel(name, fontsize=9)
bare(axes)

# %% [markdown]
# The first row is how such maps are often shown: each divided by its own maximum. Every flawless nut then has a
# "finding". Such a map cannot say "nothing here". `adlib` does not divide, and neither should a figure of yours.
#
# But the scale is not all. How much of the brightest part of a map lies on the defect, and how bright does it get on
# flawless pictures?

# %% tags=["hide-input"]
# Where the brightest twentieth lies, and how bright flawless pictures are
bad = (labels == 1).numpy()
rows = []
for name, one in all_maps.items():
    flat = one[bad].flatten(1)
    top = (flat >= flat.quantile(0.95, dim=1, keepdim=True)) & (flat > 0)
    on = masks[bad].flatten(1).bool()
    hit = ((top & on).sum(1) / on.sum(1)).mean().item()
    inside = (on.gather(1, flat.argmax(1, keepdim=True))).float().mean()
    peak = one.amax((1, 2))
    separates = metrics.auroc(labels, peak)
    rows.append([name, hit, inside.item(), separates])
plots.table(
    [
        "map",
        "share of a defect in the brightest 5 %",
        "maximum on the defect",
        "AUROC of the maximum",
    ],
    rows,
    digits=2,
)

# %% [markdown]
# Two skills come apart here. The patch map tells *which* pictures are defective best of all (last column), and its
# maximum is hardly ever on the defect: it lies beyond it, towards the border, where the nearest patches are drawn
# outwards. The mean picture is the other way round. Its maximum is on the defect in most defective pictures, yet it is
# worse at saying which pictures those are. If somebody is to look at the place, a blunt blob and a sharp speck are of
# different use, and neither figure of the table above shows that.
#
# In the last column GradCAM of a logit, of either class, stands last but for the untrained network. For the class
# *pasted* the first figure shows why: the hub of every nut lights it up.
#
# ### A scratch is found worst
#
# You might expect that a *missing* part is the hardest: a chipped nut shows background where metal should be, and both
# are normal. The table by kind says otherwise. A chip breaks the outline, and a patch sees that. These are the four nuts
# whose worst region has the lowest AUROC in the patch map:

# %% mystnb={"image": {"alt": "Four nuts with a thin scratch outlined, and four maps of each. The patch map and both GradCAMs are black on the scratches and lit elsewhere, if at all. The mean picture shows specks all over."}} tags=["hide-input"]
# The four that are found worst
worst = list(dict.fromkeys(owner[each.argsort()]))[:4]
show_maps(
    worst,
    {
        "patch map": maps["patch map"],
        "GradCAM, score": maps["GradCAM, score"],
        "centred, placed": all_maps["... centred and placed"],
        "mean picture": maps["mean picture"],
    },
)

# %% [markdown]
# All of them are thin scratches inside the outline. The colours there are colours that normal nuts have, and a scratch of
# one or two pixels width is a small part of a patch. Some of their regions have an AUROC *below* one half: more than half
# of all normal pixels, those in halos of other defects among them, lie above them. The mean picture does not show them
# either, at least not more than anything else. Another way to enlarge the map would not help, since the 81 values
# themselves are low there. Smaller patches or larger pictures might; that was not tried here.
#
# ## What was measured
#
# ### On this page

# %% tags=["hide-input"]
# Seconds of a dense map
large = F.interpolate(test[:4], 256, mode="bilinear")
half = F.interpolate(test[:1], 128, mode="bilinear")


def seconds(f, repeats):
    f()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return min(times)


@torch.no_grad()
def dense(images, net=network):
    f = patch_features(net, standard(images))
    return receptive_upsample(learnt(f), tuple(images.shape[2:]))


# The same layers under another name: patch_features sends them each patch
one_by_one = nn.Sequential(*network)
close(dense(half), dense(half, one_by_one), rtol=1e-2, atol=1e-2)
rows = [
    [
        "256 px, 3,249 patches, one pass",
        seconds(lambda: dense(large[:1]), 3),
    ],
    ["128 px, 625 patches, one pass", seconds(lambda: dense(half), 3)],
    [
        "128 px, 625 patches, each cut out",
        seconds(lambda: dense(half, one_by_one), 1),
    ],
]
plots.table(["dense map of one picture", "seconds"], rows)

# %% [markdown]
# Patches that are cut out go through the network 1,024 at once. Other machines give other seconds. Seed 0 for the
# pictures and for each network, 300 steps. One seed and one category: read differences of a few hundredths in the tables
# above as none.
#
# ### Over seeds and categories
#
# The paper reports a mean over the 15 categories of MVTec AD, at 256 pixels with ResNet-18: a pixel AUROC of **88.3** %
# for GradCAM of the whole-picture model and **96.0** % for the patch map {cite:p}`li2021`. (Both as quoted by others; we
# have not read them in the paper itself. Values by category circulate too; we could not verify them and do not print
# them.) Ours is the small network at 64 pixels on a drawn factory, and at 128 pixels on MVTec's bottle. The numbers stand
# side by side; they are not the same experiment.

# %% tags=["hide-input"]
# The records of the book
VARIANTS = ["three-way", "CutPaste", "scar", "untrained network"]
rows, stored = [], []
for dataset in ("factory", "bottle"):
    try:
        records = load_results("cutpaste", dataset)
    except FileNotFoundError as error:
        print(error)
        continue
    for variant in VARIANTS:
        own = [r for r in records if r["variant"] == variant]
        own = [r for r in own if "aupro" in r["metrics"]]
        if own:
            stored += own
            seeds = {r["seed"] for r in own}
            rows.append(
                [
                    dataset,
                    variant,
                    len(own),
                    len(seeds),
                    100 * mean_metric(own, variant, "pixel_auroc"),
                    100 * mean_metric(own, variant, "aupro"),
                ]
            )
rows += [
    ["MVTec, 15", "paper, GradCAM", None, None, 88.3, None],
    ["MVTec, 15", "paper, patches", None, None, 96.0, None],
]
plots.table(
    ["set", "variant", "runs", "seeds", "pixel AUROC, %", "AUPRO, %"],
    rows,
    digits=1,
)

# %% [markdown]
# The untrained network is the baseline here too. By AUPRO it locates as well on
# the factory, and on the bottle better than what was trained. What CutPaste teaches is to tell *whether* there is a
# defect; *where* it is, any feature that differs from its neighbours tells nearly as well.

# %% tags=["hide-input"]
# Where it was measured
for key in ("command", "machine", "commit"):
    values = {str(r[key])[:100] for r in stored}
    print(f"{key}:", "; ".join(sorted(values)) or "nothing stored yet")

# %% [markdown]
# A line that begins with "nothing measured" names the command that would make the missing rows.

# %%
if FULL:  # the paper's two models; a density a place takes 3.4 GB
    bottle = mvtec("bottle", size=256)
    for config in (
        CutPasteConfig(),
        CutPasteConfig(level="patch", by_place=True),
    ):
        full = CutPaste(config, seed=0).fit(bottle.train)
        m = full.anomaly_map(bottle.test)
        truth = torch.stack(
            [bottle.test_masks[i] for i in range(len(bottle.test))]
        ).numpy()
        print(
            config.level,
            metrics.auroc(truth.ravel(), m.numpy().ravel()),
            metrics.aupro(truth, m.numpy()),
        )

# %% [markdown]
# ## Exercises
#
# ```{exercise} CAM and GradCAM
# :label: ex-locate-cam
#
# Take a network that ends in a mean over places and a linear layer with weights $v$ and offset $b$. Show with numbers
# that GradCAM of a logit is $\max(0, \mathrm{CAM}) / (hw)$. Then replace the mean by a *maximum* over places. What are
# the gradients now, what does GradCAM make of them, and does the map still add up to the logit?
# ```
#
# ````{solution-start} ex-locate-cam
# :class: dropdown
# ````
#
# With a maximum, $\partial y / \partial A_{kuv}$ is $v_k$ at the one place where map $k$ is largest and 0 elsewhere. The
# mean is $v_k / (hw)$, the same as before. So GradCAM draws the same map, although only single places took part in the
# logit. With a mean the map before the cut, summed, is $y - b$; now it is not.

# %%
torch.manual_seed(0)
A = torch.rand(1, 5, 4, 6, dtype=torch.float64)
v, b = torch.randn(5, dtype=torch.float64), 0.3
identity = nn.Identity()
CAM = torch.einsum("k,nkuv->nuv", v, A)
by_mean = grad_cam(identity, lambda a: a.mean((2, 3)) @ v + b, A)
by_max = grad_cam(identity, lambda a: a.amax((2, 3)) @ v + b, A)
close(by_mean, CAM / 24)
close(by_max, CAM / 24)
close(CAM.mean() + b, (A.mean((2, 3)) @ v + b)[0])
assert abs((by_max.sum() + b) - (A.amax((2, 3)) @ v + b)[0]) > 0.01

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} What adds up to the score
# :label: ex-locate-sum
#
# Derive {eq}`locate-sum` and {eq}`locate-centred`. Then take $\Sigma = I$, $\mu = (4, 0)$ and a picture with two places,
# features $(4, 0)$ and $(4, 2)$. Compute both maps. Now let the second place have $(2, 0)$: what does GradCAM show after
# the cut?
# ```
#
# ````{solution-start} ex-locate-sum
# :class: dropdown
# ````
#
# The sum over places of $A$ is $hw\, f$, so the sum of the map is $hw\, w^\top f = (f - \mu)^\top \Sigma^{-1} f$. Write
# $f = (f - \mu) + \mu$. With $A - \mu$ in the place of $A$ the second part is gone.
#
# First picture: $f = (4, 1)$, $f - \mu = (0, 1)$, $w = (0, \tfrac12)$. The map is $(0, 1)$, and so is the centred one;
# $2s = 1$. Second: $f = (3, 0)$, $w = (-\tfrac12, 0)$, the map is $(-2, -1)$ and after the cut it is zero everywhere. The
# centred map is $(0, 1)$: it finds the place. So a response that is *missing* can be invisible to GradCAM.

# %%
mu2 = torch.tensor([4.0, 0.0])


def toy_score(a):
    return (a.mean((2, 3)) - mu2).square().sum(1) / 2


for second, plain in [((4.0, 2.0), [0, 1]), ((2.0, 0.0), [-2, -1])]:
    A = torch.tensor([(4.0, 0.0), second]).T[None, :, None]  # (1, 2, 1, 2)
    found = grad_cam(identity, toy_score, A)
    close(found[0, 0], torch.tensor(plain).float())
    moved = grad_cam(identity, toy_score, A, mu2[:, None, None])
    close(moved[0, 0], torch.tensor([0.0, 1.0]))
    close(moved.sum(), 2 * toy_score(A)[0])

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} How many patches?
# :label: ex-locate-stride
#
# A picture of 256 x 256 pixels, patches of 32. How many patches are there at strides 4, 8 and 16? How many hold a pixel
# in the middle of the picture? And what share of the area lies between the outermost middles, for 64 and for 256 pixels
# at stride 4?
# ```
#
# ````{solution-start} ex-locate-stride
# :class: dropdown
# ````
#
# $57^2$, $29^2$ and $15^2$: about a quarter at each step. A pixel in the middle is held by $(32 / \text{stride})^2$: 64,
# 16, 4. Middles run from 15.5 to $H - 16.5$, over $H - 32$ pixels: a quarter of the area for 64 pixels, 77 % for 256.

# %%
flat = nn.Identity()
for stride, rows in [(4, 57), (8, 29), (16, 15)]:
    f = patch_features(flat, torch.zeros(1, 1, 256, 256), stride=stride)
    assert f.shape[2:] == (rows, rows)
    line = torch.arange(rows) * stride
    assert ((line <= 128) & (line + 32 > 128)).sum() == 32 // stride
assert (64 - 32) ** 2 / 64**2 == 0.25
assert round((256 - 32) ** 2 / 256**2, 2) == 0.77

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} Two figures for one map
# :label: ex-locate-aupro
#
# A picture has two defects, of 900 and of 100 pixels. A map finds the large one perfectly and on the small one is no
# better than chance. What are pixel AUROC and AUPRO? Which of them changes when a third defect of 100 pixels is added,
# also missed?
# ```
#
# ````{solution-start} ex-locate-aupro
# :class: dropdown
# ````
#
# Pixel AUROC: $0.9 \cdot 1 + 0.1 \cdot 0.5 = 0.95$. AUPRO: $\tfrac12 (1 + 0.15) = 0.575$. With the third: $(900 + 2 \cdot
# 50)/1100 = 0.909$ and $(1 + 2 \cdot 0.15)/3 = 0.433$. Both fall; AUPRO by more than three times as much.

# %%
rng = np.random.default_rng(0)
m = rng.uniform(size=(20, 200, 200))  # many, to average chance out
two = np.zeros((200, 200), int)
two[10:40, 10:40] = 1
two[100:110, 100:110] = 1
three = two.copy()
three[150:160, 20:30] = 1
m[:, 10:40, 10:40] = 2
for mask, pixel, region in [(two, 0.95, 0.575), (three, 0.909, 0.433)]:
    some = np.broadcast_to(mask, (20, 200, 200))
    assert abs(metrics.auroc(some.ravel(), m.ravel()) - pixel) < 0.01
    assert abs(metrics.aupro(some, m) - region) < 0.01

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
            "question": "When is GradCAM of a logit the same map as CAM, up to a factor and the cut at 0?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "When the feature maps are pooled by a mean and one linear layer follows",
                    "correct": True,
                    "feedback": "Yes: then each gradient is the weight of the layer, divided by the number of places.",
                },
                {
                    "answer": "Always",
                    "correct": False,
                    "feedback": "With a hidden layer there are no class weights to compare with; the gradient is a slope at this picture.",
                },
                {
                    "answer": "When the picture is normal",
                    "correct": False,
                    "feedback": "It depends on the network, not on the picture.",
                },
            ],
        },
        {
            "question": "Before the cut at 0, what does the sum of GradCAM's map of a density score hold beside 2s?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "A term with the mean of the normal features, which belongs to no place",
                    "correct": True,
                    "feedback": "Yes. Centre the activations and it is gone.",
                },
                {
                    "answer": "Nothing",
                    "correct": False,
                    "feedback": "That holds for the centred map.",
                },
                {
                    "answer": "The offset of the last layer",
                    "correct": False,
                    "feedback": "A density score has no such layer.",
                },
            ],
        },
        {
            "question": "Why is the spread map divided by the spread of ones?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "Fewer patches hold a pixel near the border, and it would be dark whatever it shows",
                    "correct": True,
                    "feedback": "Yes. A constant map stays constant.",
                },
                {
                    "answer": "So that the map lies in [0, 1]",
                    "correct": False,
                    "feedback": "It keeps the scale of the patch scores, which has no upper limit.",
                },
                {
                    "answer": "To make small defects brighter",
                    "correct": False,
                    "feedback": "The weights do not depend on what the picture shows.",
                },
            ],
        },
        {
            "question": "Map 1 has the higher pixel AUROC, map 2 the higher AUPRO. What is likely?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "Map 2 finds more of the small defects at low false-positive rates",
                    "correct": True,
                    "feedback": "Yes. AUPRO counts regions, and only up to a rate of 0.3.",
                },
                {
                    "answer": "One of them was computed wrongly",
                    "correct": False,
                    "feedback": "The figures ask different questions.",
                },
                {
                    "answer": "Map 2 has the better image AUROC",
                    "correct": False,
                    "feedback": "Neither figure says how pictures rank.",
                },
            ],
        },
        {
            "question": "Which defects can a map of 32-pixel patches at steps of 4 not place well? (several)",
            "type": "many_choice",
            "answers": [
                {
                    "answer": "One in the corner of the picture",
                    "correct": True,
                    "feedback": "Yes: there are no patch middles within 15.5 pixels of the border.",
                },
                {
                    "answer": "One of two pixels",
                    "correct": True,
                    "feedback": "Yes: every patch that holds it may answer, and the map shows a wide blob.",
                },
                {
                    "answer": "A stain 100 pixels across, in the middle of a picture of 256",
                    "correct": False,
                    "feedback": "It is wider than any patch: its blob is wider by a part only, and lies on it.",
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
# 1. GradCAM weighs feature maps by mean gradients. With a mean over places it is exact about the weights; with one linear
#    layer it is CAM.
# 2. For a density score the weights are $\Sigma^{-1}(f - \mu)/(hw)$, and the map carries a term of no place. Centred, it
#    adds up to $2s$.
# 3. A coarse grid belongs where its receptive fields are. Stretched over the picture, that of a network without padding
#    is misplaced.
# 4. A patch map scores every patch and spreads it with a Gaussian, divided by the weights. It gives a wide blob for a
#    small defect, and places nothing within half a patch of the border.
# 5. Pixel AUROC weighs by area, AUPRO by region. Print both, beside an untrained network and the mean picture, on one
#    scale for all pictures.
#
# **Further reading.** {cite:t}`zhou2016` is CAM, {cite:t}`selvaraju2017` GradCAM, {cite:t}`li2021` CutPaste with both
# maps, {cite:t}`liznerski2021` maps enlarged by Gaussians, {cite:t}`bergmann2021` AUPRO.

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
# (ffp)=
# # Future frame prediction
#
# A network guesses the next frame of a video from the last four. Where the guess is bad, something happened that could
# not be foreseen. This page trains such a network with four losses, scores videos as they come, and asks how much of the
# result a guess without any learning would have had.
#
# *Time to read 45 min · time to run 50 s · needs: {doc}`autoencoder` for videos and the two AUROCs, {doc}`flow` for the
# flow loss, {doc}`/book/reconstruction/gan` for the adversarial loss*
#
# You will be able to
#
# - say why a prediction is harder to copy than a reconstruction, and what a U-Net hands across;
# - write the four losses and one training step, and say what each of them punishes;
# - turn a squared error into a PSNR and a score, in either range of values, without being off by 6 dB;
# - score a stream, one frame at a time;
# - see through a stretch of each video to $[0, 1]$, and check a detector against the last frame as the guess.

# %%
import copy
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from torch.nn import functional as F

from adlib import FutureFramePredictor, metrics, plots
from adlib.benchmark import load_results
from adlib.datasets import plaza
from adlib.datasets.campus import ucsd, video_folder
from adlib.training import seeded
from adlib.video.clips import Clips
from adlib.video.flow import flow_loss, flow_to_colour
from adlib.video.flow_network import SmallFlow
from adlib.video.frame_networks import PatchCritic, UNet
from adlib.video.future_frame import FutureFrameConfig, gradient_loss

plots.use_style()
FULL = False  # True: Ped1 with the network of the paper, on a GPU

# %% [markdown]
# ## The idea in one picture
#
# The autoencoder of {doc}`autoencoder` is shown the very frames that it has to return. The more it learns, the better it
# copies, odd things included. So hide the frame: show the past, and ask for what comes next. A copy is no longer enough.
#
# The videos are those of {doc}`autoencoder`: bursts of four seconds, 15 frames a second. Eight normal ones are learnt
# from, four set a threshold, four count false alarms, and ten with one event each are the test.

# %%
root = plaza.make_plaza(
    tempfile.mkdtemp(), train=16, test=10, frames=60, size=64
)
walks = video_folder(root, size=64, channels=1)
normal = sorted(walks.train, key=lambda video: video.name[3:])
learn, held_out, later = normal[:8], normal[8:12], normal[12:]
kinds = plaza.video_kinds(10)
names = [f"{kinds[v.name]} {v.name[1]}" for v in walks.test]  # and scene
videos = [video[:] for video in walks.test]  # (T, C, H, W) each

config = FutureFrameConfig.quick(
    flow=0, adversarial=0, epochs=3, steps=40, drop=100
)
detector = FutureFramePredictor(config, seed=0, device="cpu").fit(learn)
foreseen = [detector.predictions(x) for x in videos]  # from frame 4 on
maps = [detector.anomaly_map(x)[4:] for x in videos]  # (T - 4, H, W)


# %% mystnb={"image": {"alt": "Above, four neighbouring frames of a plaza with a golf cart that drives to the right by a pixel or two a frame. Below, the predicted frame, in which the cart is blurred and hangs back, the real frame, sharp, and the squared error: bright along the edges of the cart, black nearly everywhere else."}} tags=["hide-input"]
# Four frames go in, one comes out
def bare(axes):
    for ax in np.ravel(axes):
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


cart = names.index("cart 2")
at = 10 + int(maps[cart][10:].mean((1, 2)).argmax())  # of the predicted
fig, axes = plt.subplots(2, 4, figsize=(7, 3.9))
for k in range(4):
    axes[0, k].imshow(videos[cart][at + k, 0], vmin=0, vmax=1)
    axes[0, k].set_title(f"frame {at + k}", fontsize=10)
shows = [
    (foreseen[cart][at, 0], f"predicted {at + 4}"),
    (videos[cart][at + 4, 0], f"frame {at + 4}"),
    (maps[cart][at], "squared error"),
]
for ax, (picture, title) in zip(axes[1], shows):
    error = title == "squared error"
    ax.imshow(
        picture,
        vmin=0,
        vmax=0.1 if error else 1,
        cmap="inferno" if error else "gray",
    )
    ax.set_title(title, fontsize=10)
bare(axes)
axes[1, 3].set_visible(False)

# %% [markdown]
# Above is what the network is given, below what it makes of it, what came, and the squared difference. The still part of
# the scene comes out sharp. The cart, which no training video has, is guessed badly at its edges, and there the error is.
#
# ## The mathematics
#
# ### A guess and its clips
#
# $I_t$ is frame $t$, with $H \times W$ pixels and $C$ channels, as on the page before. A network $G$ takes $n$ frames and
# guesses the next:
#
# $$ \hat I_{t+1} = G(I_{t-n+1}, \ldots, I_t) . $$ (ffp-predict)
#
# The paper {cite:p}`liu2018` and `adlib` take $n = 4$; the field's name is `context`. For training each guess needs its
# truth, so a clip is $n + 1$ frames long, and a video of $T$ frames has
#
# $$ T - (n + 1) + 1 = T - n $$ (ffp-clips)
#
# of them, starting at frames $0$ to $T - n - 1$. The authors' code draws the start with a function that leaves out its
# upper end, and so never shows the last clip of a video. `adlib` draws all of them.

# %% tags=["nbval-check-output"]
clips = Clips(learn, 4 + 1)
print("clips of eight videos:", len(clips), "=", 8 * (60 - 4))
last_clip = learn[-1][55:60]
print(
    "the last one is drawn too:",
    torch.allclose(clips[len(clips) - 1], last_clip, atol=1 / 500),
)


# %% [markdown]
# ### The U-Net
#
# The $n$ frames are stacked to $nC$ channels. An ordinary 2-D network follows: time is a matter of channels here, not a
# third axis. It goes down three times and up three times {cite:p}`ronneberger2015`:
#
# - on each level two 3 x 3 convolutions with ReLU;
# - downwards a maximum over 2 x 2 pixels, and twice as many maps;
# - upwards a transposed convolution that doubles the side (2 x 2, stride 2) with ReLU, and half as many maps;
# - **skips**: before the two convolutions on the way up, the maps of the same level from the way down are put beside.
#
# At the end a convolution to $C$ channels and a tanh. Inside, values lie in $[-1, 1]$; `adlib` converts from $[0, 1]$
# and back. There is no batch norm.
#
# A convolution of $k \times k$ from $c$ to $c'$ maps has $k^2 c c' + c'$ weights, its offsets counted. Let the widths be
# $w_0, \ldots, w_3 = w, 2w, 4w, 8w$. The whole network has
#
# $$
# \begin{aligned}
# P ={} & \underbrace{9\, nC w_0 + 9 w_0^2 + 2 w_0}_{\text{first level}}
#       + \sum_{i=1}^{3} \underbrace{\bigl( 9 w_{i-1} w_i + 9 w_i^2 + 2 w_i \bigr)}_{\text{down}} \\
#       & + \sum_{i=0}^{2} \Bigl( \underbrace{4 w_{i+1} w_i + w_i}_{\text{twice the side}}
#       + \underbrace{27 w_i^2 + 2 w_i}_{\text{beside, and on}} \Bigr)
#       + \underbrace{9 w_0 C + C}_{\text{last}} .
# \end{aligned}
# $$ (ffp-weights)
#
# For the paper's $w = 64$, $n = 4$, $C = 3$ this is $P = 7{,}704{,}195$. The small one of this page has $w = 16$ and
# $C = 1$.

# %% tags=["nbval-check-output"]
def weights_of(n, C, w):
    """The number of weights, level by level."""
    widths = [w, 2 * w, 4 * w, 8 * w]
    P = 9 * n * C * w + 9 * w * w + 2 * w
    for before, after in zip(widths, widths[1:]):
        P += 9 * before * after + 9 * after**2 + 2 * after  # down
        P += 4 * after * before + before  # up
        P += 27 * before**2 + 2 * before  # beside
    return P + 9 * w * C + C


for n, C, w in ((4, 3, 64), (4, 1, 16)):
    own = sum(p.numel() for p in UNet(n, C, w).parameters())
    print(f"width {w}: {own:,} weights,", own == weights_of(n, C, w))


# %% [markdown]
# Why the skips? Without them everything has to pass the lowest level, whose sides are an eighth of the frame's. An edge
# is then known to eight pixels or so, unless the many maps there spell out where it is, which takes long to learn. With
# skips the first level hands its edges straight across, and the deep levels need only say what has to change.
#
# Here are both, with $w = 8$, trained alike for 40 steps. In one of them zeros are handed across.

# %% mystnb={"image": {"alt": "Three pictures of a plaza: the real frame; the guess of the network with skips, blurred, with posts, shadows and people in their places; the guess without skips, a light area for the path and a dark one for the lawn under a pattern of dots, and nothing else.", "width": "560px"}} tags=["hide-input"]
# With and without skips
def hand_zeros(block, inputs):
    """Zeros in place of the maps from the way down."""
    seen, up = inputs[0].chunk(2, 1)
    return torch.cat([0 * seen, up], 1)


def short_training(skips, steps=40):
    generator = torch.Generator().manual_seed(0)
    with seeded(0):
        network = UNet(4, 1, 8)
    if not skips:
        for block in network.beside:
            block.register_forward_pre_hook(hand_zeros)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(steps):
        numbers = torch.randint(len(clips), (4,), generator=generator)
        x = clips.batch(numbers)
        loss = F.mse_loss(network(x[:, :-1]), x[:, -1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


trial = torch.cat([video[30:35][None] for video in later])
fig, axes = plt.subplots(1, 3, figsize=(6.2, 2.5))
axes[0].imshow(trial[0, -1, 0], vmin=0, vmax=1)
axes[0].set_title("real")
for ax, skips in zip(axes[1:], (True, False)):
    network = short_training(skips)
    with torch.no_grad():
        guess = network(trial[:, :-1])
    level = metrics.psnr(guess, trial[:, -1]).mean()
    ax.imshow(guess[0, 0], vmin=0, vmax=1)
    ax.set_title(
        f"{'with' if skips else 'without'} skips, {level:.0f} dB",
        fontsize=11,
    )
bare(axes)

# %% [markdown]
# dB are explained below; 10 dB more is a tenth of the squared error.
#
# The price of skips: whatever stands in the last frames can be handed across as well, be it odd or not. A prediction
# differs from a copy only where something *changes*.
#
# ### Four losses
#
# The **intensity loss** is the squared error {eq}`flow-intensity`, a mean over pixels and channels:
#
# $$ \mathcal{L}_{int} = \mathrm{E} \, (\hat I_{t+1} - I_{t+1})^2 , $$ (ffp-intensity)
#
# where $\mathrm{E}$ is the mean over all values, those of all clips of a batch too. If two futures are equally likely,
# the cheapest guess is their average: a walker who may go left or right becomes two half walkers. Squared error likes
# blur.
#
# The **gradient loss** {cite:p}`mathieu2016` compares how steep edges are:
#
# $$
# \begin{aligned}
# \mathcal{L}_{gd} ={} & \mathrm{E} \, \bigl| \, |\partial_x \hat I_{t+1}| - |\partial_x I_{t+1}| \, \bigr| \\
#   & + \mathrm{E} \, \bigl| \, |\partial_y \hat I_{t+1}| - |\partial_y I_{t+1}| \, \bigr| ,
# \end{aligned}
# $$ (ffp-gradient)
#
# with $\partial_x I$ the difference of a pixel and its left neighbour, $\partial_y I$ of a pixel and the one above. Take
# a row 0, 0, 1, 1. Its differences are 0, 1, 0. A guess of 0, 0, ½, ½ has 0, ½, 0, and pays ½ on one of three. A guess
# that is too bright everywhere pays nothing, since a constant has no gradient; nor does a negative, since only sizes
# count. So it needs the intensity loss beside it.
#
# At the border a pixel has no neighbour. The authors' code pads with a zero, and so compares the border pixels
# themselves: one row and one column of an intensity loss in disguise. `adlib` takes the differences inside the frame
# only.
#
# The **flow loss** $\mathcal{L}_{op}$ is that of {eq}`flow-loss`: the flow from $I_t$ to the guess shall be the flow from
# $I_t$ to the real frame.
#
# The **adversarial loss**. A second network $D$, the critic, learns to tell real frames from guesses, by least squares
# ({eq}`gan-least-squares`):
#
# $$
# \begin{aligned}
# \mathcal{L}_D &= \tfrac12 \mathrm{E} \, (D(I_{t+1}) - 1)^2 + \tfrac12 \mathrm{E} \, D(\hat I_{t+1})^2 , \\
# \mathcal{L}_{adv} &= \tfrac12 \mathrm{E} \, (D(\hat I_{t+1}) - 1)^2 .
# \end{aligned}
# $$ (ffp-adversarial)
#
# $D$ does not see the past frames. A guess that is sharp but wrong can please it. One number tells whether it has learnt
# anything. Of the critics that say the same to everything, the one that says ½ is best, with
#
# $$ \mathcal{L}_D = \tfrac12 \cdot \tfrac14 + \tfrac12 \cdot \tfrac14 = \tfrac14 . $$ (ffp-quarter)
#
# Together, with weights $\lambda$,
#
# $$
# \mathcal{L}_G = \lambda_{int} \mathcal{L}_{int} + \lambda_{gd} \mathcal{L}_{gd}
#               + \lambda_{op} \mathcal{L}_{op} + \lambda_{adv} \mathcal{L}_{adv} .
# $$ (ffp-total)
#
# The weights in the authors' settings, and the rates of Adam, which both fall to a tenth at a given step:

# %% tags=["hide-input"]
# The authors' constants
rows = []
for name in ("ped1", "ped2", "avenue", "shanghaitech"):
    c = FutureFrameConfig.paper(name)
    parts = [c.intensity, c.gradient, c.flow, c.adversarial]
    rates = [f"{c.learning_rate:.0e}", f"{c.critic_rate:.0e}"]
    weights = [f"{v:g}" for v in parts]
    rows.append([name, *weights, *rates, f"{c.drop:,}"])
plots.table(
    [
        "set",
        "λ int",
        "λ gd",
        "λ op",
        "λ adv",
        "rate G",
        "rate D",
        "drop at",
    ],
    rows,
)


# %% [markdown]
# On Ped1 the flow loss weighs almost nothing, on Avenue the intensity loss. The losses are computed on values in
# $[-1, 1]$, so the squared error is four times, and a difference of neighbours twice, what it is in $[0, 1]$. The flow
# takes $[0, 1]$.
#
# ### A critic of patches
#
# $D$ gives not one verdict but a grid of them, each about a patch of the frame {cite:p}`isola2017`. It is a stack of
# convolutions over 4 x 4 pixels with a stride $\sigma_\ell$ of 2 or 1, each after 2 reflected pixels on all sides, with
# LeakyReLU between. A side of $m$ becomes
#
# $$
# m' = \Bigl\lfloor \frac{m + 2 \cdot 2 - 4}{\sigma_\ell} \Bigr\rfloor + 1
# = \Bigl\lfloor \frac{m}{\sigma_\ell} \Bigr\rfloor + 1 .
# $$ (ffp-side)
#
# For the paper's frames, with strides 2, 2, 2, 1, 1: 256, 129, 65, 33, 34, 35. There are 35 x 35 verdicts. How wide is
# the patch of one? Go backwards. One value of a layer sees 4 of the layer below, and $r$ values in a row, each
# $\sigma_\ell$ further, see
#
# $$ r \leftarrow \sigma_\ell \, (r - 1) + 4 : \qquad 1 \to 4 \to 7 \to 16 \to 34 \to 70 . $$ (ffp-patch)
#
# So each verdict is about a patch of 70 x 70 pixels. A patch is too small to judge whether a crowd is plausible, and
# large enough to see whether an edge is sharp. A sigmoid at the end keeps verdicts in $(0, 1)$; the least-squares loss
# would not need it, but the authors' code has it.
#
# ### PSNR and the score
#
# The papers score a frame by the peak signal-to-noise ratio of its guess,
#
# $$
# \mathrm{PSNR} = 10 \log_{10} \frac{R^2}{\mathrm{MSE}} , \qquad
# \mathrm{MSE} = \mathrm{E} \, (\hat I_{t+1} - I_{t+1})^2 ,
# $$ (ffp-psnr)
#
# in decibels, dB, with $R$ the range of the values: 1 for $[0, 1]$, 2 for $[-1, 1]$. It is high where the guess is good.
# An MSE of 0.01 in $[0, 1]$ gives 20 dB. The same two frames in $[-1, 1]$ have an MSE of 0.04, and with $R = 2$ again
# 20 dB. Take the one MSE with the other range and the value is off by $20 \log_{10} 2 = 6.02$ dB. No AUROC shows it, for
# a constant changes no order. A threshold carried from one program to another does.
#
# `adlib` works in $[0, 1]$ and turns the sign, so that higher is more anomalous, as everywhere in this book:
#
# $$ s(t) = - \mathrm{PSNR} = 10 \log_{10} \mathrm{E} \, (\hat I_t - I_t)^2 . $$ (ffp-score)
#
# A logarithm of the error changes the order of no two frames, so it changes no AUROC either. It does make a stretch
# behave differently, and papers stretch each video:
#
# $$ \tilde s(t) = \frac{s(t) - \min_{t'} s(t')}{\max_{t'} s(t') - \min_{t'} s(t')} . $$ (ffp-stretch)
#
# The regularity of the paper is $1 - \tilde s$.
#
# The first $n$ frames have no guess. `adlib` gives them the score of frame $n$, so that scores and labels have one
# length, and an evaluation leaves them out, scores and labels both. Forget one of the two and all labels are shifted by
# four frames.
#
# ## Write it
#
# ### The losses

# %%
def steepness(guess, real):
    """Eq. ffp-gradient, with differences inside the frame."""
    loss = 0
    for pair in (
        (guess[..., 1:] - guess[..., :-1], real[..., 1:] - real[..., :-1]),
        (
            guess[..., 1:, :] - guess[..., :-1, :],
            real[..., 1:, :] - real[..., :-1, :],
        ),
    ):
        loss = loss + (pair[0].abs() - pair[1].abs()).abs().mean()
    return loss


close = torch.testing.assert_close
guess, real = foreseen[cart][:8], videos[cart][4:12]
close(steepness(guess, real), gradient_loss(guess, real))

row = torch.tensor([0.0, 0, 1, 1]).expand(1, 1, 4, 4)
close(steepness(row / 2, row), torch.tensor(0.5 / 3))  # by hand, above
close(steepness(row + 0.3, row), torch.tensor(0.0))  # too bright
close(steepness(1 - row, row), torch.tensor(0.0))  # a negative


# %% [markdown]
# ### The score

# %%
def decibels(guess, real, R=1.0):
    mse = (guess - real).square().mean((1, 2, 3))
    return 10 * torch.log10(R**2 / mse)


guess, real = foreseen[cart], videos[cart][4:]
close(
    decibels(guess, real), torch.tensor(metrics.psnr(guess, real)).float()
)
close(-decibels(guess, real), detector.anomaly_score(videos[cart])[4:])

grey = torch.full((1, 1, 8, 8), 0.5)
close(decibels(grey + 0.1, grey), torch.tensor([20.0]))  # MSE 0.01
inside = 2 * (grey + 0.1) - 1, 2 * grey - 1  # the same in [-1, 1]
close(decibels(*inside, R=2), torch.tensor([20.0]))
close(decibels(*inside, R=1), torch.tensor([20 - 6.0206]))  # the slip

# %% [markdown]
# ### The critic
#
# The number of verdicts, and the patch of one, measured: which pixels change the verdict in the middle?

# %% tags=["nbval-check-output"]
critic = PatchCritic(3, (8, 8, 8, 8))  # the widths change no size
frame = torch.rand(1, 3, 256, 256, requires_grad=True)
verdicts = critic(frame)
print("verdicts:", tuple(verdicts.shape[2:]))
verdicts[0, 0, 17, 17].backward()
reached = frame.grad.abs().sum((0, 1)) > 0
print("pixels across:", int(reached.any(0).sum()))

# %% [markdown]
# ### One training step
#
# The whole of training is this step, repeated. First the critic learns from a real frame and a guess, cut off from the
# graph by `detach`. Then the U-Net learns, through the critic and through the flow network, neither of which moves.

# %%
flow_network = SmallFlow.load()


def learn_from(clip, G, adam, D, adam_D, *, gd=1.0, op=0.0, adv=0.0):
    """One step on clips (B, 5, C, H, W) in [0, 1]. Returns the losses."""
    past, real = clip[:, :-1], clip[:, -1]
    guess = G(past)
    L_D = L_op = L_adv = torch.zeros(())
    if adv:  # L_D = 1/2 E (D(I) - 1)^2 + 1/2 E D(guess)^2
        L_D = ((D(real) - 1) ** 2).mean() + (D(guess.detach()) ** 2).mean()
        L_D = L_D / 2
        descend(L_D, adam_D)
    # In [-1, 1] squares are four times, differences twice as large
    L_int = 4 * ((guess - real) ** 2).mean()
    L_gd = 2 * steepness(guess, real)
    if op:
        L_op = flow_loss(flow_network, past[:, -1], guess, real)
    if adv:
        L_adv = ((D(guess) - 1) ** 2).mean() / 2
    descend(L_int + gd * L_gd + op * L_op + adv * L_adv, adam)
    losses = {"intensity": L_int, "gradient": L_gd, "flow": L_op}
    losses |= {"adversarial": L_adv, "critic": L_D}
    return {name: loss.item() for name, loss in losses.items()}


def descend(loss, optimiser):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


# %% [markdown]
# Three steps of ours against three of `adlib`, from the same start. A video of five frames has one clip, so both see the
# same.

# %% tags=["nbval-check-output"]
small = FutureFrameConfig.quick(
    width=4, critic=(4, 8), flow=0.02, epochs=3, steps=1, batch_size=1
)
burst = learn[0][20:25]
theirs = FutureFramePredictor(small, seed=0, device="cpu")
theirs.fit([burst], progress=False)

with seeded(0):
    G, D = UNet(4, 1, 4), PatchCritic(1, (4, 8))
adam = torch.optim.Adam(G.parameters(), small.learning_rate)
adam_D = torch.optim.Adam(D.parameters(), small.critic_rate)
for step, stored in enumerate(theirs.history_):
    ours = learn_from(burst[None], G, adam, D, adam_D, op=0.02, adv=0.05)
    alike = all(np.isclose(ours[k], stored[k], rtol=0.01) for k in stored)
    print(f"step {step}: all {len(stored)} losses alike: {alike}")


# %% [markdown]
# ### A stream
#
# A camera does not hand out videos. Frames come one by one, and each should be judged when it comes. The guess needs the
# last four frames only, so keep those:

# %% tags=["nbval-check-output"]
def watch(frames, G):
    """Yield a score for each frame from the fifth on."""
    kept = []
    for frame in frames:
        if len(kept) == 4:
            with torch.no_grad():
                guess = G(torch.stack(kept)[None])[0]
            yield 10 * float(torch.log10((guess - frame).square().mean()))
        kept = [*kept, frame][-4:]


stream = detector.stream()
pushed = [stream.push(frame) for frame in videos[cart]]
whole = detector.anomaly_score(videos[cart])
close(torch.tensor(pushed[4:]), whole[4:], atol=1e-3, rtol=0)
own = list(watch(videos[cart], detector.model_))
close(torch.tensor(own), whole[4:], atol=1e-3, rtol=0)
print("the first four:", pushed[:4])
print("frames read:", len(pushed), "instead of", 5 * (60 - 4))


# %% [markdown]
# A program that cuts a video into clips and scores each reads, decodes and resizes nearly every frame five times. Here
# each is read once. Nothing of the score waits for the future, either, which the mean over clips of {eq}`stae-error` did.
#
# ## Run it
#
# ### A guess that learns nothing
#
# The cheapest guess is that nothing changes, $\hat I_{t+1} = I_t$. It has no weights and no training. Its score is the
# mean squared difference of neighbouring frames, in dB: a plain motion detector. Both are scored by the mean over the
# frame, and by the worst square of {doc}`autoencoder`, `patch=16` here.

# %% tags=["hide-input"]
# The network against the last frame as the guess
def mean_score(error):
    """(T, H, W) to dB (T,)."""
    return 10 * error.mean((1, 2)).log10().numpy()


def square_score(error, side=16):
    """The same for the worst square, as with patch=16."""
    worst = F.avg_pool2d(error[:, None], side, 1).flatten(1).amax(1)
    return 10 * worst.log10().numpy()


labels = [video.labels.numpy()[4:] for video in walks.test]
changes = [(x[4:] - x[3:-1]).square()[:, 0] for x in videos]
guesses = {"network": maps, "last frame": changes}
scores = {
    (who, how): [f(error) for error in errors]
    for who, errors in guesses.items()
    for how, f in (("mean", mean_score), ("worst square", square_score))
}
rows = []
for (who, how), s in scores.items():
    plain = metrics.micro_macro_auroc(labels, s)
    high = metrics.micro_macro_auroc(labels, s, normalise="per_video")
    rows.append([who, how, plain.micro, plain.macro, high.micro])
plots.table(
    [
        "guess",
        "of a frame",
        "micro",
        "macro",
        "micro, each video stretched",
    ],
    rows,
    digits=3,
)

# %% tags=["hide-input"]
# What each of them gets wrong: still and moving pixels of normal videos
with torch.no_grad():
    clip = torch.cat(
        [video[t : t + 5][None] for video in later for t in range(5, 55, 5)]
    )
    past, real = clip[:, :-1], clip[:, -1]
    two = {"network": detector.model_(past), "last frame": past[:, -1]}
moving = (real - past[:, -1]).abs() > 0.1
rows = []
for who, guess in two.items():
    error = (guess - real).square()
    rows.append(
        [
            who,
            1000 * error.mean().item(),
            1000 * error[moving].mean().item(),
            1000 * error[~moving].mean().item(),
            float(metrics.psnr(guess, real).mean()),
        ]
    )
print(f"moving pixels: {100 * moving.float().mean():.1f} %")
plots.table(
    ["guess", "MSE, ‰", "moving pixels", "still pixels", "PSNR, dB"],
    rows,
    digits=2,
)

# %% [markdown]
# The two are level. The first thing to know about this network is that a subtraction does as well.
#
# The second table hints at why. Where something moves, less than one pixel in a hundred, the network's guess is the
# better one, though not by much. On the rest it is worse: it has to paint the paving anew through its convolutions and is
# a little off everywhere. Mind how the pixels were sorted: by the error of the last frame itself, which harms it in one
# column and flatters it in the other. The mean over all pixels is fair, and there, on normal videos, the network's PSNR
# is *lower* than that of the last frame.
#
# Most walkers here move by less than a pixel a frame. The last frame is then a good guess, with little left to foresee.
# What stands out in either score is that much moves, as with a cart or a runner. A prediction should gain where normal
# motion is large and orderly; these videos are not of that kind.

# %% tags=["hide-input"]
# By video
rows = []
for i in np.argsort(names):
    y = labels[i]
    area = [metrics.auroc(y, scores[key][i]) for key in scores]
    s = scores["network", "mean"][i]
    rows.append([names[i], s[y == 0].mean(), s[y == 1].mean(), *area])
means = [np.mean([row[k] for row in rows]) for k in range(3, 7)]
rows.append(["**mean**", None, None, *means])
plots.table(
    [
        "video",
        "normal, dB",
        "anomalous, dB",
        "AUROC, network",
        "its worst square",
        "last frame",
        "its worst square",
    ],
    rows,
    digits=2,
)

# %% [markdown]
# Carts, bicycles and runners stand out within their videos, with either guess. Fights do in part, and so does one walk
# over the lawn; the other is chance. With the network's guess the worst square finds one fight better and nothing else;
# over all videos it gains nothing here.
#
# ### Each loss in turn
#
# The paths of all four losses, each from the start for a few steps, as `adlib` trains them:

# %%
mixtures = {
    "intensity, gradient": {"flow": 0, "adversarial": 0},
    "with flow": {"adversarial": 0},
    "with adversarial": {"flow": 0},
    "all four": {},
}
rows = []
for name, changed in mixtures.items():
    tiny = FutureFrameConfig.quick(
        epochs=2, steps=5, batch_size=4, **changed
    )
    trial_run = FutureFramePredictor(tiny, seed=0, device="cpu")
    trial_run.fit(learn, progress=False)
    losses = "intensity", "gradient", "flow", "adversarial", "critic"
    for epoch, stored in enumerate(trial_run.history_):
        steps = f"{5 * epoch + 1} to {5 * epoch + 5}"
        rows.append([name, steps, *(stored.get(k) for k in losses)])
plots.table(["losses", "steps", *losses], rows, digits=3)

# %% [markdown]
# A loss that is not used is not computed: no flow, no flow network; no verdict, no critic. Ten steps show that the paths
# work, and no more.
#
# To see what a loss *asks for*, go on from the trained network: 12 more steps, the same clips, one loss changed at a
# time.

# %% tags=["hide-input"]
# On from the trained network, with one loss changed
MORE = {
    "intensity alone": {"gd": 0},
    "and gradient": {},
    "and flow, 0.02": {"op": 0.02},
    "and flow, 2": {"op": 2.0},
    "and adversarial": {"adv": 0.05},
}


def went_on(steps=12, **weights):
    G = copy.deepcopy(detector.model_).train()
    with seeded(0):
        D = PatchCritic(1, (16, 32, 64))
    adam = torch.optim.Adam(G.parameters(), 3e-4)
    adam_D = torch.optim.Adam(D.parameters(), 2e-4)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        numbers = torch.randint(len(clips), (4,), generator=generator)
        losses = learn_from(
            clips.batch(numbers), G, adam, D, adam_D, **weights
        )
    return G.eval(), losses["critic"]


def judged(guess):
    """PSNR, gradient loss, flow loss and sharpness of guesses."""
    with torch.no_grad():
        moved = flow_loss(flow_network, past[:, -1], guess, real)
    steep = guess.diff(dim=-1).abs().mean() / real.diff(dim=-1).abs().mean()
    return [
        float(metrics.psnr(guess, real).mean()),
        1000 * float(gradient_loss(guess, real)),
        1000 * float(moved),
        100 * float(steep),
    ]


rows = [["before", *judged(two["network"]), None]]
for name, weights in MORE.items():
    G, verdict = went_on(**weights)
    with torch.no_grad():
        guess = G(past)
    shown = verdict if "adv" in weights else None
    rows.append([name, *judged(guess), shown])
rows.append(["last frame", *judged(past[:, -1]), None])
plots.table(
    [
        "losses",
        "PSNR, dB",
        "gradient loss, ‰",
        "flow loss, ‰ px",
        "steepness, % of real",
        "critic",
    ],
    rows,
    digits=2,
)


# %% [markdown]
# Read the rows below *before* against each other: a new Adam with a larger rate unsettles the network, and most of them
# lose PSNR.
#
# - The **gradient loss** keeps edges a little steeper than intensity alone, at a cost in PSNR. A squared error prefers
#   the flatter edge.
# - The **flow loss** does lower the flow loss on videos that were not learnt from. A hundred times the weight lowers it
#   by less than that again, and costs half a dB or more.
# - The **adversarial loss** leaves the row of *and gradient* nearly as it was. The critic stands at the ¼ of
#   {eq}`ffp-quarter`: it has learnt next to nothing yet, so it has little to teach.
# - The **last frame** is best by PSNR and by flow, and as steep as a real frame, being one. Its flow loss is nearly that
#   of no flow at all. The network's guess is worse than that, since the small errors it leaves in plain areas look like
#   motion to the flow network ({doc}`flow` shows such areas).
#
# Whether a loss helps to *detect* takes equal budgets and several seeds, not 12 steps. That is measured below.
#
# ## Look at it
#
# ### What the network sees
#
# A video with a runner: the last frame that was given, the guess, what came, the squared error, and the flow from the
# last frame to the one that came. Press *Play*.

# %% tags=["hide-input"]
# Past, guess, truth, error and flow, and the score under them
def shade(ax, y, first=4):
    """The labelled stretch."""
    edges = np.flatnonzero(np.diff(np.pad(y, 1)))
    for start, end in edges.reshape(-1, 2):
        ax.axvspan(
            first + start - 0.5,
            first + end - 0.5,
            color=plots.ANOMALOUS,
            alpha=0.2,
            lw=0,
        )


def compose(parts, curve, y, every=2):
    """Frames of a player: panels above, the curve below."""
    fig = plt.figure(figsize=(7.2, 3.3), dpi=100)
    canvas = FigureCanvasAgg(fig)
    grid = fig.add_gridspec(2, len(parts), height_ratios=[1.5, 1.25])
    pictures = []
    for k, (title, part, look) in enumerate(parts):
        ax = fig.add_subplot(grid[0, k])
        pictures.append(ax.imshow(part[0], **look))
        ax.set_title(title, fontsize=11)
        bare(ax)
    below = fig.add_subplot(grid[1, :])
    shade(below, y)
    time = np.arange(4, 4 + len(curve))
    below.plot(time, curve, color="black")
    marker = below.axvline(4, color=plots.NORMAL, lw=2.5)
    below.set(xlabel="frame", ylabel="score, dB", xlim=(4, time[-1]))
    canvas.draw()
    fig.set_layout_engine("none")  # settled once, then nothing moves
    frames = []
    for t in range(0, len(curve), every):
        for picture, (_, part, _) in zip(pictures, parts):
            picture.set_data(part[t])
        marker.set_xdata([t + 4, t + 4])
        canvas.draw()
        frames.append(np.asarray(canvas.buffer_rgba())[..., :3] / 255)
    plt.close(fig)
    return np.stack(frames).transpose(0, 3, 1, 2)


runner = names.index("runner 1")
x = videos[runner]
with torch.no_grad():
    flow = flow_network(x[3:-1], x[4:])
light = {"cmap": "gray", "vmin": 0, "vmax": 1}
film = compose(
    [
        ("last given", x[3:-1, 0], light),
        ("guess", foreseen[runner][:, 0], light),
        ("real", x[4:, 0], light),
        ("error", maps[runner], {"cmap": "inferno", "vmax": 0.1}),
        ("flow", flow_to_colour(flow, 4.0).permute(0, 2, 3, 1), {}),
    ],
    scores["network", "mean"][runner],
    labels[runner],
)
plots.player(
    film,
    labels=labels[runner][::2],
    fps=6,
    width=616,
    alt="five panels: the last frame given, the guess, the real frame, the "
    "squared error, bright on a runner and his shadow, and the flow, "
    "where the runner is a patch of colour; below, the score in dB is "
    "high while the runner is there and falls by six dB when he has "
    "gone",
)

# %% [markdown]
# The guess of the runner is faint, as an average of several places would be. The brightest errors are on his shadow,
# which no mask covers ({doc}`/book/datasets/real_world`): it is darker than he is, and as fast. While he is in sight the
# score lies high, and it falls when he has gone. The flow shows him and his shadow as one patch of colour, beside pale
# blotches where nothing moves.

# %% mystnb={"image": {"alt": "Ten small curves of the score over 60 frames on one scale from about -40 to -23 dB, sorted by their mean on normal frames, with the labelled stretch shaded. Runners, bicycles and carts are higher by 3 to 10 dB inside the shade; both lawns are flat; fight 1 rises in its shade and stays high after it. A dashed curve, the last frame as the guess, runs along each, often a little lower where all is calm."}} tags=["hide-input"]
# The score of all ten videos on one scale
levels = [
    s[y == 0].mean() for s, y in zip(scores["network", "mean"], labels)
]
fig, axes = plt.subplots(2, 5, figsize=(7, 3.4), sharex=True, sharey=True)
for ax, i in zip(axes.flat, np.argsort(levels)):
    shade(ax, labels[i])
    ax.plot(
        np.arange(4, 60),
        scores["last frame", "mean"][i],
        color=plots.COLOURS[1],
        lw=1,
        ls="--",
    )
    ax.plot(
        np.arange(4, 60),
        scores["network", "mean"][i],
        color="black",
        lw=1.4,
    )
    ax.set_title(names[i], fontsize=10)
axes[0, 0].set(ylabel="score, dB", xlim=(4, 59))
axes[1, 0].set_ylabel("score, dB")
fig.supxlabel("frame; dashed: the last frame as the guess", fontsize=11);

# %% [markdown]
# In most videos the curve rises with the event. But look at the levels: the calm end of *fight 1* lies above the highest
# point of *bicycle 1*. No one threshold serves both. And look at the dashed curve, which runs beside the black one nearly
# everywhere.
#
# ### The catch of stretching each video
#
# Take four normal videos that nothing was learnt from, and do to them what the evaluation does to test videos.

# %% mystnb={"image": {"alt": "Top: the scores in dB of four normal videos, flat and below the dashed threshold, and of a video with a runner, which is higher in its shaded stretch. Bottom: the same stretched. All five now reach from 0 to 1, and all cross the dashed line at 0.5."}} tags=["hide-input"]
# Normal videos, as they are and stretched
detector.calibrate(held_out, false_positive_rate=0.05)
calm = [detector.anomaly_score(video)[4:].numpy() for video in later]
fig, axes = plt.subplots(2, 5, figsize=(7, 3.6), sharex=True)
odd = names.index("runner 1")
columns = [
    *zip([f"normal {v.name[:2]}_{v.name[3:]}" for v in later], calm),
    (names[odd], scores["network", "mean"][odd]),
]
for k, (title, s) in enumerate(columns):
    frames = np.arange(4, 60)
    for ax, curve, level in zip(
        axes[:, k], (s, metrics.min_max(s)), (detector.threshold_, 0.5)
    ):
        if k == 4:
            shade(ax, labels[odd])
        ax.plot(frames, curve, color="black", lw=1.4)
        ax.axhline(level, color=plots.ANOMALOUS, ls="--", lw=1.2)
    axes[0, k].set_title(title, fontsize=10)
    axes[0, k].set_ylim(-42, -20)
    axes[1, k].set_ylim(-0.05, 1.05)
    if k:
        axes[0, k].set_yticklabels([])
        axes[1, k].set_yticklabels([])
axes[0, 0].set_ylabel("score, dB")
axes[1, 0].set_ylabel("stretched")
fig.supxlabel("frame", fontsize=11);

# %% tags=["nbval-check-output"]
tops = [metrics.min_max(s).max() for s in calm]
print("largest score of each normal video:", *tops)

# %% tags=["hide-input"]
# Shares of frames above the dashed lines, and micro AUROC with and without
rows = [
    [
        video.name,
        f"{100 * (s > detector.threshold_).mean():.0f} %",
        f"{100 * (metrics.min_max(s) > 0.5).mean():.0f} %",
    ]
    for video, s in zip(later, calm)
]
plots.table(
    ["normal video", "above the threshold", "stretched, above 0.5"], rows
)

# %% [markdown]
# A stretch gives the worst frame of *every* video a 1. That of a video in which nothing happens, too. And no frame has
# its value before the last one has come.
#
# Each of our ten test videos holds an event, and there the stretch even helps (on our Ped1, below, it harms): it takes
# out the level of the video, which {doc}`autoencoder` found to be most of what a low micro AUROC is about. But that each
# video holds an event is itself knowledge of the test set. Add the four normal videos to the ten:

# %% tags=["hide-input"]
# Micro AUROC, with normal videos among the test videos
ten = scores["network", "mean"]
zeros = [np.zeros(56, int)] * len(calm)
rows = []
for name, s, y in [
    ("ten videos with an event", ten, labels),
    ("and four without", [*ten, *calm], [*labels, *zeros]),
]:
    both = [
        metrics.micro_macro_auroc(y, s, normalise=how).micro
        for how in ("none", "per_video")
    ]
    rows.append([name, *both])
plots.table(
    ["test videos", "micro, as they are", "each stretched"], rows, digits=3
)

# %% [markdown]
# As they are, the four quiet videos cost a little. Stretched, they cost about three times as much, since each brings
# frames with the highest scores there are. On the first row the stretch looks like a better detector. It is not: it has
# been told that something happens in each video.
#
# The authors of the method say as much when asked: for real use they do not normalise the PSNR. Others report one
# normalisation over all videos, which changes no AUROC at all and so is the same as none.
#
# ### A threshold
#
# So a camera needs a threshold in dB. It comes from held-out normal videos alone, by {eq}`conformal`, as on the page of
# the autoencoder; 5 % of false alarms were asked for.

# %% tags=["hide-input"]
# Alarms, in frames
rows = []
for i in np.argsort(names):
    y = labels[i]
    alarm = scores["network", "mean"][i] > detector.threshold_
    rows.append(
        [
            names[i],
            f"{alarm[y == 1].sum()} of {y.sum()}",
            f"{alarm[y == 0].sum()} of {(1 - y).sum()}",
        ]
    )
quiet = np.concatenate(calm) > detector.threshold_
rows.append(["four normal videos", "", f"{quiet.sum()} of {len(quiet)}"])
plots.table(["video", "anomalous frames found", "false alarms"], rows)

# %% [markdown]
# On the four normal videos there is no false alarm, or next to none. The price is on the other side: the carts are found
# almost throughout, runners and bicycles in part or not at all, the lawn never. The two videos of fights bring all false
# alarms, *fight 1* most of them: its people are near the camera, and their ordinary steps are large.
#
# ## Where it fails
#
# ### What is foreseen is normal
#
# Somebody walks over the lawn. The place is wrong, the motion is not, and the guess is as good as for anybody on the
# path:

# %% mystnb={"image": {"alt": "A frame with somebody on the lawn at its right border, outlined; the guess, much like it; the squared error, black but for a few specks; and the scores of two such videos over time, level through the labelled stretch or less than two dB higher, far below the dashed threshold."}} tags=["hide-input"]
# Somebody on the lawn
lawn = names.index("lawn 1")
mask = walks.test[lawn].masks[:][4:]
t = int(mask.flatten(1).sum(1).argmax())
fig, axes = plt.subplots(
    1, 5, figsize=(7.2, 2.1), width_ratios=[1, 1, 1, 1.2, 1.2]
)
axes[0].imshow(videos[lawn][t + 4, 0], vmin=0, vmax=1)
axes[0].contour(mask[t], [0.5], colors=plots.ANOMALOUS, linewidths=1)
axes[1].imshow(foreseen[lawn][t, 0], vmin=0, vmax=1)
axes[2].imshow(maps[lawn][t], cmap="inferno", vmin=0, vmax=0.03)
bare(axes[:3])
for ax, title in zip(axes, ("real", "guess", "error")):
    ax.set_title(title, fontsize=11)
for ax, name in zip(axes[3:], ("lawn 1", "lawn 3")):
    i = names.index(name)
    shade(ax, labels[i])
    ax.axhline(detector.threshold_, color=plots.ANOMALOUS, ls="--", lw=1.2)
    ax.plot(np.arange(4, 60), scores["network", "mean"][i], color="k")
    ax.set(xlabel="frame", ylim=(-40, -25))
    ax.set_title(f"{name}, dB", fontsize=11)
axes[4].set_yticklabels([]);

# %% [markdown]
# The curve rises by a dB or not at all, where a runner brings six. Nothing in the losses of this page asks *where*
# something may be. People on the lawn walk as people walk.
#
# ### What the camera does
#
# The busiest of the four normal videos, with five things done to it:

# %% mystnb={"image": {"alt": "Six curves of the score of one normal video with the threshold dashed. As filmed: about -30, below it. Frozen from frame 30: falls to a constant at -37. Frames lost: a single spike to -25. A fifth of the light lost: a spike to -20, gone after four frames. The light fades slowly: sinks from -30 to -34. A noisy sensor: constant at -24, above the threshold throughout."}} tags=["hide-input"]
# Five things that happen to a normal video
busy = int(np.argmax([s.mean() for s in calm]))
plain = later[busy][:]
generator = torch.Generator().manual_seed(0)
dark, slow = plain.clone(), torch.linspace(1, 0.6, 60)
dark[30:] *= 0.8
happenings = {
    "as filmed": plain,
    "frozen from 30 on": torch.cat(
        [plain[:30], plain[29:30].expand(30, -1, -1, -1)]
    ),
    "frames 30 to 32 lost": torch.cat([plain[:30], plain[33:]]),
    "a fifth of the light lost at 30": dark,
    "the light fades slowly": plain * slow[:, None, None, None],
    "a noisy sensor": (
        plain + 0.05 * torch.randn(plain.shape, generator=generator)
    ).clamp(0, 1),
}
fig, axes = plt.subplots(2, 3, figsize=(7, 3.9), sharex=True, sharey=True)
for ax, (title, x) in zip(axes.flat, happenings.items()):
    s = detector.anomaly_score(x)[4:]
    ax.axhline(detector.threshold_, color=plots.ANOMALOUS, ls="--", lw=1.2)
    ax.plot(np.arange(4, len(x)), s, color="black", lw=1.4)
    ax.set_title(title, fontsize=10)
for ax in axes[:, 0]:
    ax.set_ylabel("score, dB")
fig.supxlabel("frame; dashed: the threshold", fontsize=11);

# %% [markdown]
# - **Frozen.** The score falls below all others: a picture that does not move is the easiest to foresee. A camera that
#   hangs, or somebody who lies on the ground, is the most normal thing of all. Watch for scores that are too *low* as
#   well.
# - **Lost frames.** Three frames are missing, so every step is four times as long, once. To the network that is a jump of
#   everybody. It is over with the next frame.
# - **A sudden change of light** is an alarm until the past is dark as well: four frames, with $n = 4$.
# - **A slow one** goes unseen, and the score *falls* with the contrast: the same event would score lower in the evening.
# - **Noise** cannot be foreseen by anybody. All frames lie above the threshold. A threshold belongs to a camera and to
#   its settings.
#
# ### The first frames

# %% tags=["nbval-check-output"]
first = detector.anomaly_score(videos[cart])[:5]
print("one score for the first five:", len(set(first.tolist())) == 1)
print("one a frame:", len(detector.anomaly_score(videos[cart])) == 60)

# %% [markdown]
# Four frames of each video have a borrowed score. In bursts of four seconds that is one frame in fifteen. In a stream it
# happens once, at the start, and `push` says `None`.
#
# ### More motion, more error
#
# Is the score anything but the amount of motion? For each frame of the test videos, the score against the share of
# pixels that changed by more than 0.05 since the last frame:

# %% mystnb={"image": {"alt": "Scatter of the score in dB against the share of changed pixels, both on log scales. Normal and anomalous frames lie in one narrow rising band from lower left to upper right; the anomalous ones fill its upper half, the normal ones its lower, with a wide overlap.", "width": "480px"}} tags=["hide-input"]
# The score against the share of changed pixels
share = [(c.sqrt() > 0.05).float().mean((1, 2)).numpy() for c in changes]
y = np.concatenate(labels)
s = np.concatenate(scores["network", "mean"])
moved = 100 * np.concatenate(share)
fig, ax = plt.subplots(figsize=(5, 3.3))
for value, colour, marker, name in [
    (0, plots.NORMAL, "o", "normal"),
    (1, plots.ANOMALOUS, "^", "anomalous"),
]:
    ax.scatter(
        moved[y == value],
        s[y == value],
        s=14,
        color=colour,
        marker=marker,
        alpha=0.6,
        label=name,
    )
ax.set(xscale="log", xlabel="pixels that changed, %", ylabel="score, dB")
ax.set_xticks([0.5, 1, 2, 5, 10], [0.5, 1, 2, 5, 10])
ax.minorticks_off()
ax.legend()
ranks = [np.argsort(np.argsort(v)) for v in (moved, s)]
print(f"rank correlation: {np.corrcoef(ranks)[0, 1]:.2f}")

# %% [markdown]
# Hardly. A video with much motion can score higher throughout than another does during its event, as *fight 1* against
# *bicycle 1* above. For the kind of motion there is only the thickness of the band.
#
# ## What was measured
#
# ### On this page
#
# Seed 0 for videos and network, 120 steps of eight clips, ten test videos of four seconds; {doc}`/book/reference/times`
# has the seconds. Differences of a few hundredths mean nothing here.
#
# ### The papers
#
# AUROC of frames in per cent, micro and with each video stretched, as quoted in several other public documents (surveys
# and read-me files); we have not seen the paper's table itself:
#
# | | Avenue | Ped1 | Ped2 | ShanghaiTech |
# |:---|---:|---:|---:|---:|
# | {cite:t}`liu2018` | 85.1 | 83.1 | 95.4 | 72.8 |
# | the same, run again by its authors for a later paper | 89.2 | | | 73.4 |
# | convolutional autoencoder, as run by {cite:t}`liu2018` | 80.0 | | | 60.9 |
#
# A 96.4 for Ped2, in one table of the PyAnomaly project, stands against five other places with 95.4. The settings in the
# authors' code note 84.9 on Avenue with $\lambda_{int} = 1$, and that 0.001 may reach 85.1. The read-me of that code says
# that the model is chosen by its result on the *test set*. What such a choice adds is not known; in this book the last
# checkpoint counts.
#
# Others have tried. What their read-me files and code say, as we read them:
#
# | | Avenue | Ped2 | ShanghaiTech |
# |:---|---:|---:|---:|
# | feiyuhuahuo/Anomaly_Prediction | 84.6 | 95.6 | |
# | fjchange's port | 85.6 | | |
# | PyAnomaly | 86.7 | 93.9 | 69.9 |
#
# In the first the flow of the guess is detached, so its flow loss teaches nothing. The second has no flow loss, and one
# normalisation for all videos. The newer evaluation of the third takes the mean over videos, and the best of several
# smoothings on the test set.
#
# Three lines, three protocols. That figures without a working flow loss lie so near to the paper's does not prove that
# the flow loss is useless. It does say that these figures cannot prove the contrary.
#
# ### Ours
#
# The same budget for all: 400 steps of eight clips. The last frame as the guess needs none.

# %% tags=["hide-input"]
# The records of the book
COLUMNS = {
    "micro_auroc": "micro",
    "macro_auroc": "macro",
    "micro_auroc_per_video": "micro, stretched",
    "micro_auroc_square": "micro, square",
    "pixel_auroc": "pixel",
}


def records_of(dataset):
    rows, stored = [], []
    for method in ("future_frame", "conv_autoencoder"):
        try:
            records = load_results(method, dataset)
        except FileNotFoundError as error:
            print(error)
            continue
        stored += records
        for variant in dict.fromkeys(r["variant"] for r in records):
            own = [r["metrics"] for r in records if r["variant"] == variant]
            values = [[m[k] for m in own if k in m] for k in COLUMNS]
            means = [100 * np.mean(v) if v else None for v in values]
            rows.append([variant, len(own), *means])
    return rows, stored


header = ["on the plaza, %", "runs", *COLUMNS.values()]
on_plaza, of_plaza = records_of("plaza")
plots.table(header, on_plaza, digits=1) if on_plaza else None

# %% tags=["hide-input"]
# The same on our Ped1
header[0] = "on our Ped1, %"
on_ped1, of_ped1 = records_of("ped1")
plots.table(header, on_ped1, digits=1) if on_ped1 else None

# %% tags=["hide-input"]
# Where it was measured, and how far the runs lie apart
for key in ("command", "machine", "commit"):
    values = {str(r[key])[:100] for r in of_plaza + of_ped1}
    print(f"{key}:", "; ".join(sorted(values)) or "nothing stored yet")
spread = {}
for r in of_plaza:
    spread.setdefault(r["variant"], []).append(r["metrics"]["micro_auroc"])
for variant, values in spread.items():
    print(
        f"{variant}: micro on the plaza from {min(values):.3f} to "
        f"{max(values):.3f}"
    )

# %% [markdown]
# A line that begins with "nothing measured" names the command that would make the missing rows.
#
# Read the tables in this order. First the last frame as the guess: what a trained network has above it is what learning
# has brought. On the plaza that is half a point of micro AUROC. On our Ped1 it is *less than nothing*: after 400 steps
# the network ranks frames worse than the change from one frame to the next does, by micro and by macro. Only with each
# video stretched it is ahead.
#
# Then the spread over the runs, printed under the tables. A difference between two mixtures of losses that is smaller
# than this spread is no difference, and on the plaza none is larger. With this budget no loss that was added to intensity
# and gradient helps there, and none harms. On our Ped1 there is one run of each, and no spread to judge by.
#
# Against the {doc}`autoencoder` with the same number of steps, prediction is far ahead on the plaza. On our Ped1 the two
# are level: one is ahead by micro, the other by macro. The aim that this project had set itself for the plaza, a micro
# AUROC of 90 %, is missed by two points. Stretched video by video it is met, which is no merit of the method.
#
# The worst square is behind the mean of the frame on both sets.
#
# **Our Ped1 is not the official Ped1.** The official training clips were not at hand. We train on normal stretches of the
# test clips 18 to 36 and test on clips 1 to 17. So our figures compare our own methods with each other. They must not be
# held against those of a paper, nor those against ours.

# %%
if FULL:  # our Ped1, the network and the weights of the paper
    # Grey; the paper has three equal channels
    ped1 = ucsd("ped1", size=256, channels=1)
    full = FutureFramePredictor(FutureFrameConfig.paper("ped1"), seed=0)
    full.fit(ped1.train)
    curves = [full.anomaly_score(v)[4:].numpy() for v in ped1.test]
    truth = [v.labels.numpy()[4:] for v in ped1.test]
    print(metrics.micro_macro_auroc(truth, curves))

# %% [markdown]
# ## Exercises
#
# ```{exercise} The small critic
# :label: ex-ffp-patch
#
# `quick` has a critic of three widths, (16, 32, 64): strides 2, 2, 1, 1. For frames of 64 x 64 pixels, how many verdicts
# are there, and how wide is the patch of each? Is "patch" still a good name?
# ```
#
# ````{solution-start} ex-ffp-patch
# :class: dropdown
# ````
#
# By {eq}`ffp-side` 64, 33, 17, 18, 19: 19 x 19 verdicts. By {eq}`ffp-patch` $1 \to 4 \to 7 \to 16 \to 34$. A verdict sees
# 34 of 64 pixels a side, more than a quarter of the frame: rather a region than a patch.

# %%
m, r = 64, 1
for stride in (2, 2, 1, 1):
    m = m // stride + 1
for stride in (1, 1, 2, 2):  # backwards
    r = stride * (r - 1) + 4
assert (m, r) == (19, 34)
critic = PatchCritic(1, (16, 32, 64))
frame = torch.rand(1, 1, 64, 64, requires_grad=True)
verdicts = critic(frame)
assert verdicts.shape == (1, 1, 19, 19)
verdicts[0, 0, 9, 9].backward()
assert int((frame.grad[0, 0].abs().sum(0) > 0).sum()) == 34


# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} The border
# :label: ex-ffp-border
#
# Write the gradient loss with a zero after the last column and below the last row, as the authors' code has it. A guess
# of 0.7 everywhere stands against a real frame of 0.1 everywhere. What does each version say? How much does a frame of
# 64 x 64 pixels pay?
# ```
#
# ````{solution-start} ex-ffp-border
# :class: dropdown
# ````
#
# Inside the frame all differences are 0, so ours is 0. With a zero beside the last column, its difference is the pixel
# itself: 0.7 against 0.1, so 0.6, on one column of 64, and the same on one row. The loss is $2 \cdot 0.6 / 64$. The
# padded version is no pure loss of edges: it knows the brightness at the border.

# %%
def padded_loss(guess, real):
    loss = 0
    for axis, pad in ((-1, (0, 1, 0, 0)), (-2, (0, 0, 0, 1))):
        a, b = (F.pad(x, pad).diff(dim=axis).abs() for x in (guess, real))
        loss = loss + (a - b).abs().mean()
    return loss


flat = torch.full((1, 1, 64, 64), 0.7)
level = torch.full_like(flat, 0.1)
assert gradient_loss(flat, level) == 0
close(padded_loss(flat, level), torch.tensor(2 * 0.6 / 64))

# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} How far can a square lift a score?
# :label: ex-ffp-square
#
# An anomaly of 40 pixels in a frame of 64 x 64 has a squared error ten times that of all other pixels. By how many dB
# does the score of the whole frame rise? By how many that of a 16 x 16 square that holds the anomaly, against one that
# does not? Why may the second still be the worse score?
# ```
#
# ````{solution-start} ex-ffp-square
# :class: dropdown
# ````
#
# Let $p$ be the share of the anomaly: $40/4096$ or $40/256$. The mean error grows by the factor $1 + 9p$ (compare
# {eq}`stae-rise`): 0.37 dB for the frame, 3.8 dB for the square. But the square's score is a maximum. Over normal frames
# a maximum varies more than a mean: one near walker lifts the worst square as the anomaly does.

# %%
frame, square = (10 * np.log10(1 + 9 * 40 / n) for n in (4096, 256))
assert round(frame, 2) == 0.37 and round(square, 1) == 3.8
worst = [square_score(detector.anomaly_map(v)[4:]) for v in later]
spread = [np.std(np.concatenate(s)) for s in (calm, worst)]
print(
    f"standard deviation over normal frames: {spread[0]:.1f} dB for the "
    f"mean, {spread[1]:.1f} dB for the square"
)
error = torch.full((1, 64, 64), 0.001)
raised = error.clone()
raised[:, 20:25, 20:28] *= 10
for score, rise in ((mean_score, frame), (square_score, square)):
    assert abs(score(raised) - score(error) - rise) < 1e-3


# %% [markdown]
# ````{solution-end}
# ````
#
# ```{exercise} A stretch without a future
# :label: ex-ffp-causal
#
# Replace the minimum and the maximum in {eq}`ffp-stretch` by those of the frames *so far*. Which frames get a 1 now?
# Write it, and show that the values of the past do not change when more frames come, as those of `min_max` do.
# ```
#
# ````{solution-start} ex-ffp-causal
# :class: dropdown
# ````
#
# Every frame that is worse than all before it gets a 1, and the second frame of a video gets 0 or 1, whatever it shows.
# It can be run on a stream, but is worse still as an alarm: early frames set it off. Only a scale from other, normal
# videos serves a threshold.

# %%
def stretch_so_far(s):
    low, high = np.minimum.accumulate(s), np.maximum.accumulate(s)
    return (s - low) / np.where(high > low, high - low, 1)


s = scores["network", "mean"][cart]
half = len(s) // 2
early = stretch_so_far(s[:half])
np.testing.assert_array_equal(early, stretch_so_far(s)[:half])
records = np.flatnonzero(s == np.maximum.accumulate(s))[1:]
assert (stretch_so_far(s)[records] == 1).all()
assert stretch_so_far(s)[1] in (0, 1)
rising = np.array([0.0, 1, 2, 4])
assert not np.allclose(
    metrics.min_max(rising)[:3], metrics.min_max(rising[:3])
)

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
            "question": "Why hide the frame and predict it, instead of rebuilding it?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "A network that copies its input rebuilds anomalies too; a frame it has not seen it cannot copy",
                    "correct": True,
                    "feedback": "Yes. What can still be copied is whatever did not change since the last frame.",
                },
                {
                    "answer": "A prediction is faster than a reconstruction",
                    "correct": False,
                    "feedback": "That depends on the network, not on the task.",
                },
                {
                    "answer": "A prediction has a larger error, so scores are larger",
                    "correct": False,
                    "feedback": "The level does not matter. What matters is which frames lie above which.",
                },
            ],
        },
        {
            "question": "The critic's loss stays at 0.25 all through training. What does it most likely do?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "It says about ½ to every patch, real or drawn, and teaches nothing",
                    "correct": True,
                    "feedback": "Yes: ½ · ¼ + ½ · ¼. It may be too slow, or the guesses too good for it.",
                },
                {
                    "answer": "It is perfect",
                    "correct": False,
                    "feedback": "A perfect critic has the loss 0.",
                },
                {
                    "answer": "It takes every guess for real",
                    "correct": False,
                    "feedback": "Saying 1 to everything costs ½.",
                },
            ],
        },
        {
            "question": "The MSE of a guess, measured in [0, 1], is 0.01. Someone reports 26 dB. What went wrong?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "The range 2 of [-1, 1] in the formula",
                    "correct": True,
                    "feedback": "Yes: 10 log10(4 / 0.01) = 26.02.",
                },
                {
                    "answer": "Natural logarithms",
                    "correct": False,
                    "feedback": "10 ln 100 would be 46.",
                },
                {
                    "answer": "Nothing, 26 dB is right",
                    "correct": False,
                    "feedback": "With the range 1 of [0, 1] it is 10 log10(1 / 0.01) = 20.",
                },
            ],
        },
        {
            "question": "Each video's scores are stretched to [0, 1]. Which follow? (several)",
            "type": "many_choice",
            "answers": [
                {
                    "answer": "The worst frame of a video without any event gets 1",
                    "correct": True,
                    "feedback": "Yes, whatever it shows.",
                },
                {
                    "answer": "No frame can be judged before the video has ended",
                    "correct": True,
                    "feedback": "Yes: minimum and maximum may still come.",
                },
                {
                    "answer": "The macro AUROC rises",
                    "correct": False,
                    "feedback": "Within a video the order stays, so macro stays.",
                },
                {
                    "answer": "The micro AUROC may rise",
                    "correct": True,
                    "feedback": "Yes, if each video holds an event and their levels differ.",
                },
            ],
        },
        {
            "question": "A network reaches a micro AUROC of 0.85 on some videos. What do you ask first?",
            "type": "multiple_choice",
            "answers": [
                {
                    "answer": "What the last frame as the guess reaches on the same videos",
                    "correct": True,
                    "feedback": "Yes. Only what lies above it was learnt.",
                },
                {
                    "answer": "Whether more training would reach 0.9",
                    "correct": False,
                    "feedback": "Perhaps, but without a baseline you do not know what 0.85 is worth.",
                },
                {
                    "answer": "Whether the paper has more",
                    "correct": False,
                    "feedback": "Other videos, another protocol: it says little about this 0.85.",
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
# 1. The next frame is guessed from the last four; the score is the squared error of the guess in dB, known as soon as
#    the frame has come.
# 2. A U-Net hands edges across its levels; what does not change can be handed across as well, so only change is judged.
# 3. Intensity wants the mean, gradient wants edges, flow wants the motion, the critic wants what looks real. With our
#    budget, flow and critic changed the result by no more than the spread over seeds.
# 4. Stretching each video uses its future and the knowledge that an event is there; a threshold comes from other normal
#    videos.
# 5. The last frame as the guess detects motion without learning. Print it beside every figure of a network.
#
# **Further reading.** {cite:t}`liu2018` is the method. {cite:t}`mathieu2016` asks why predicted frames are blurred and
# introduces the gradient loss; {cite:t}`ronneberger2015` is the U-Net, {cite:t}`isola2017` the critic of patches,
# {cite:t}`mao2017` its loss.

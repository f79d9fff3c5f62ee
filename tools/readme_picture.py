"""Draw the picture of the README, book/_static/readme.png: what a detector answers, by three examples from the pages.

python tools/readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from adlib import SVDD, plots
from adlib.baselines import MeanPicture
from adlib.datasets import one_class


def cloth(count: int, seed: int) -> torch.Tensor:
    """Woven cloth with grain, (count, 1, 48, 48) in [0, 1], as in the first chapter."""
    y, x = np.mgrid[:48, :48]
    weave = 0.55 + 0.13 * np.sin(2 * np.pi * x / 6) + 0.13 * np.sin(2 * np.pi * y / 8)
    noise = np.random.default_rng(seed).normal(0, 0.05, (count, 1, 48, 48))
    return torch.tensor(weave + noise, dtype=torch.float32).clamp(0, 1)


def main() -> None:
    """Write the picture."""
    with plots.style():
        figure = plt.figure(figsize=(9.6, 2.7), layout="constrained")
        bounded, ranked, located = figure.subplots(1, 3, width_ratios=[1.1, 1.5, 2.06])

    # Learn threes, sort everything: the most normal and the most anomalous test pictures
    digits = one_class("digits", 3)
    train, test = (torch.as_tensor(part) for part in (digits.train, digits.test))
    svdd = SVDD(nu=0.1, gamma="nearest").fit(train.flatten(1).numpy())
    order = np.argsort(svdd.anomaly_score(test.flatten(1).numpy()))
    chosen = test[np.concatenate([order[:12], order[-12:]])][:, 0].reshape(4, 6, 8, 8)
    sheet = torch.nn.functional.pad(chosen, (1, 0, 1, 0), value=0.35).permute(0, 2, 1, 3).reshape(36, 54)
    ranked.imshow(sheet, cmap="gray", vmin=0, vmax=1)
    ranked.axhline(17.5, color=plots.ANOMALOUS, linewidth=2.5)
    ranked.set(title="which pictures?", xticks=[], yticks=[], xlabel="above the line: normal threes")

    # Learn cloth, find the stain and the scratch
    y, x = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    stain = (x - 14) ** 2 + (y - 30) ** 2 <= 8**2
    scratch = ((x - y / 2 - 26).abs() < 1) & (y >= 8) & (y < 16)
    flawed = (cloth(1, seed=1) - 0.18 * stain + 0.3 * scratch).clamp(0, 1)
    found = MeanPicture().fit(cloth(100, seed=2)).anomaly_map(flawed)[0]
    smooth = torch.nn.functional.avg_pool2d(found[None, None], 3, stride=1, padding=1)[0, 0]
    gap = torch.full((48, 3), float("nan"))
    located.imshow(torch.cat([flawed[0, 0], gap, gap, found * float("nan")], 1), cmap="gray", vmin=0, vmax=1)
    located.imshow(torch.cat([flawed[0, 0] * float("nan"), gap, gap, smooth], 1), cmap="inferno", vmax=15)
    located.set(title="which pixels?", xticks=[], yticks=[], xlabel="a picture and its anomaly map")

    # The boundary around the normal class
    rng = np.random.default_rng(3)
    angle = rng.uniform(0, 1.25 * np.pi, 100)
    arc = np.column_stack([np.cos(angle), np.sin(angle)]) * (2 + 0.25 * rng.normal(size=(100, 1)))
    xs, ys, grid = plots.plane(arc, margin=0.25)
    boundary = SVDD(nu=0.1, gamma=0.5).fit(arc)
    plots.decision_map(bounded, xs, ys, boundary.anomaly_score(grid).reshape(len(ys), len(xs)))
    plots.points(bounded, arc)
    bounded.set(title="what is normal?", xticks=[], yticks=[], aspect="equal", xlabel="nearly all inside the line")

    out = Path(__file__).resolve().parents[1] / "book" / "_static" / "readme.png"
    figure.savefig(out, dpi=110, metadata={"Software": None})
    print(f"wrote {out.name}, {out.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()

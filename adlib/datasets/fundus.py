"""Colour fundus photographs drawn by chance: healthy eyes and glaucoma, in the layout of LAG.

Each eye is built in millimetres and then photographed: disc, cup and rim, the vessel tree, fovea, nerve fibres,
choroid; light, lens, camera. Glaucoma enlarges the cup, mostly upwards and downwards. It may cut a notch into the rim,
cause a haemorrhage there, thin a bundle of nerve fibres, widen the pale crescent beside the disc, move the trunk of the
vessels to the nasal side and bend them at the edge of the cup.

**The label is the class that an eye was drawn from**, not a threshold on its cup-to-disc ratio. The two distributions
of that ratio overlap: some healthy eyes have a larger cup than some with glaucoma.

**Age is a confounder, on purpose**: eyes with glaucoma are older on average, old eyes have a hazier, yellower lens and
a smaller pupil, so their pictures are duller, less evenly lit and more often marred by a reflex. A detector can pick
this up without a look at the disc. The table of the set holds the age of each eye, so that it can be found out.

From the literature, as mean and standard deviation:

- area of the disc 2.65 (0.57) mm2, https://bjo.bmj.com/content/90/3/353; here 2.65 (0.5), cut at 1.6 and 4.2;
- disc to fovea 4.76 (0.34) mm, R. A. Jonas et al., 2015, https://doi.org/10.1371/journal.pone.0138701; the fovea lies
  5.6 (3.3) degrees below, https://iovs.arvojournals.org/article.aspx?articleid=2163282;
- vertical cup-to-disc ratio 0.34 (0.12) in 28,377 healthy Koreans, Y. J. Kim et al., 2015,
  https://doi.org/10.3341/kjo.2015.29.5.336. Its median grows from 0.31 to 0.56 as discs grow from 1.2 to 1.9 mm in
  height, Crowston et al., 2004, https://doi.org/10.1136/bjo.2003.028548; here by 0.3 a millimetre;
- the rim is widest below, then above, nasal, temporal (ISNT) in 77 % of healthy eyes and 27 % with glaucoma,
  https://ekjo.org/journal/view.php?number=1387; here in about 82 % and 20 %;
- haemorrhages at the disc in 9.4 % of right eyes with open-angle glaucoma and 0.9 % without,
  https://doi.org/10.1038/s41433-018-0263-4; here 10 % and 1 %.

Our choice, without a source: ratios of 0.40 (0.11) in healthy eyes and 0.70 (0.11) with glaucoma, which together with
the ages decide how hard the set is; how often there are notches, defects of the nerve fibres and crescents; colours.

The pictures are drawings. They stand in for the real set where it is not at hand; a figure measured on them says
nothing about the real one, and nothing about patients.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from adlib import _checks
from adlib.datasets._fundus.eye import Eye, eye
from adlib.datasets._fundus.retina import draw
from adlib.datasets._generated import generate
from adlib.datasets.catalogue import data_folder

KINDS = ("non_glaucoma", "suspicious_glaucoma")
"""The two folders of the set, named as in LAG. The first is normal."""

_ABOUT = """Colour fundus photographs, drawn by chance by adlib.datasets.fundus in the layout of LAG. Licence: CC0 1.0.
They are drawings, not photographs, and show nobody. There are no attention maps: nobody looked.
outlines/disc and outlines/cup hold the pixels of disc and cup (255), eyes.csv what each eye was drawn with."""

_COLUMNS = ("picture", "glaucoma", "eye", "cup_to_disc", "age", "notch", "haemorrhage", "fibre_defect")


class Fundus(NamedTuple):
    """One picture of :func:`sample`.

    picture: (H, W, 3) float32 in [0, 1]. disc, cup: (H, W) bool, the optic disc and the cup inside it. cup_to_disc:
    height of the cup over height of the disc, as drawn; the two masks give it to within a pixel of either height.

    Taught in :doc:`/book/datasets/real_world`.
    """

    picture: NDArray[np.float32]
    disc: NDArray[np.bool_]
    cup: NDArray[np.bool_]
    cup_to_disc: float


def _size(size: int) -> int:
    return _checks.integer("size", size, 64, 512)


def _picture(glaucoma: bool, size: int, seed: int, index: int) -> tuple[Fundus, Eye]:
    """A generator of its own for each picture: asking for more of them changes none."""
    rng = np.random.default_rng([seed, int(glaucoma), index])
    drawn = eye(rng, glaucoma)
    return Fundus(*draw(drawn, rng, size), drawn.cup_to_disc), drawn


def sample(glaucoma: bool, *, size: int = 128, seed: int = 0) -> Fundus:
    """One picture as it leaves the camera: nothing is written, and no JPEG comes between.

    glaucoma: the class that the eye is drawn from. size: H and W in pixels, 64 to 512; the same seed gives the same eye
    at every size. seed: everything that is random; this is the first picture of its class that :func:`make_fundus`
    writes with the same seed.

    Returns :class:`Fundus`. Raises ValueError for a bad argument.

    Taught in :doc:`/book/datasets/real_world`.
    """
    if not isinstance(glaucoma, (bool, np.bool_)):
        raise ValueError(f"glaucoma must be True or False, got {glaucoma!r}")
    return _picture(bool(glaucoma), _size(size), _checks.seed(seed), 0)[0]


def _save(mask: NDArray[np.bool_], path: Path) -> None:
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def make_fundus(
    root: str | os.PathLike[str] | None = None,
    *,
    size: int = 128,
    healthy: int = 160,
    glaucoma: int = 80,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Draw a set of fundus photographs and write it to ``fundus`` in a data folder. Returns the path of the set.

    Layout, that of LAG: ``non_glaucoma/image/0001.jpg`` and ``suspicious_glaucoma/image/0002.jpg``, with
    ``label/0001.txt`` (0 or 1) beside ``image``. One numbering runs over both classes: healthy eyes have odd numbers,
    glaucoma even ones. LAG's third folder, ``attention_map``, is left out: it shows where physicians looked, and none
    has looked at these. :func:`adlib.datasets.medical.lag` reads the set, with ``root`` set to the path returned.

    Beside the two classes, and passed over by that reader: ``outlines/disc/0001.png`` and ``outlines/cup/0001.png``,
    grey, 255 on disc or cup, 0 elsewhere; ``eyes.csv`` with the columns picture, glaucoma (0, 1), eye (left, right),
    cup_to_disc (ratio of the heights in the picture), age (0 young to 1 old), and notch, haemorrhage, fibre_defect (0,
    1). Outlines and table are what was drawn, not what a detector may see.

    root: the data folder; else the environment variable ``ADLIB_DATA``, else ``data/cache``. size: H and W of the
    pictures in pixels, 64 to 512. healthy, glaucoma: how many pictures of each class, at least 1. seed: everything that
    is random; a picture depends on the seed, its class and its own number, so that asking for more of them changes
    none. progress: show a bar.

    A set with the same settings that is there already is left as it is. An interrupted run leaves nothing behind.
    Raises ValueError for a bad argument, and where ``fundus`` holds anything else.

    Taught in :doc:`/book/datasets/real_world`.
    """
    size, seed = _size(size), _checks.seed(seed)
    counts = _checks.integer("healthy", healthy, 1), _checks.integer("glaucoma", glaucoma, 1)
    _checks.boolean(progress=progress)
    jobs = sorted((index, label) for label in (0, 1) for index in range(counts[label]))

    def build(folder: Path) -> None:
        for place in [f"{kind}/{part}" for kind in KINDS for part in ("image", "label")] + [
            "outlines/disc",
            "outlines/cup",
        ]:
            (folder / place).mkdir(parents=True)
        rows = []
        for index, label in tqdm(jobs, desc="fundus", unit="picture", disable=not progress):
            name = f"{2 * index + label + 1:04d}"
            fundus, drawn = _picture(bool(label), size, seed, index)
            picture = Image.fromarray((fundus.picture * 255).round().astype(np.uint8))
            picture.save(folder / KINDS[label] / "image" / f"{name}.jpg", quality=95, subsampling=0)
            (folder / KINDS[label] / "label" / f"{name}.txt").write_text(f"{label}\n", encoding="utf-8")
            _save(fundus.disc, folder / "outlines" / "disc" / f"{name}.png")
            _save(fundus.cup, folder / "outlines" / "cup" / f"{name}.png")
            side, signs = "right" if drawn.right else "left", (drawn.notch, drawn.haemorrhage, drawn.defect)
            found = [int(sign is not None) for sign in signs]
            rows.append([name, label, side, f"{drawn.cup_to_disc:.4f}", f"{drawn.age:.3f}", *found])
        with (folder / "eyes.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([_COLUMNS, *rows])

    settings = {"set": "fundus", "size": size, "healthy": counts[0], "glaucoma": counts[1], "seed": seed}
    return generate(data_folder(root) / "fundus", settings, build, _ABOUT)

"""From a cast of actors to frames: light, shadows, depth order, camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from adlib.datasets._plaza.cast import Actor
from adlib.datasets._plaza.crowd import crowd
from adlib.datasets._plaza.places import SCENES
from adlib.datasets._plaza.shapes import Array, Polygons, View, picture, shadow
from adlib.datasets._plaza.stage import FINE, Stage, fixed_shadows, stage
from adlib.datasets._plaza.ways import RATE

VISIBLE = 8  # pixels: with fewer of an anomalous actor in sight, a frame counts as normal
SHADE = np.array([0.5, 0.53, 0.6])  # what the sky alone gives, of full light
Film = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def _light(frames: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Strength of the sun (T,) in [0, 1], exposure (T,), tint (3,). Clouds come and go over seconds."""
    times = np.arange(frames) / RATE
    clear = rng.choice([rng.uniform(0.75, 1.0), rng.uniform(0.2, 0.6)], p=[0.75, 0.25])
    wave = np.sin(2 * np.pi * times / rng.uniform(5, 14) + rng.uniform(0, 2 * np.pi))
    strength = np.clip(clear + rng.uniform(0, 0.22) * wave, 0, 1)
    # the camera opens under clouds, but not all the way, and drifts
    exposure = rng.uniform(0.94, 1.12) * (1.45 - 0.45 * strength) + 0.02 * np.sin(times * rng.uniform(0.3, 1.2))
    return strength, exposure, 1 + rng.uniform(-0.04, 0.04) * np.array([1, 0.2, -1])


@dataclass(frozen=True)
class _Played:
    """An actor in the fine picture: polygons of body and shadow, when it may touch the picture, how far in the shade.

    near, away, shade: (T,), away in metres, shade in [0, 1].
    """

    body: Polygons
    shadow: list[Array]
    near: NDArray[np.bool_]
    away: Array
    shade: Array
    odd: NDArray[np.bool_]


def _played(actor: Actor, view: View, sun: Array, shade: NDArray[np.uint8]) -> _Played:
    shapes = actor.body()
    angles = np.arange(8) * np.pi / 4  # bodies and shadows reach less than 4 m
    around = np.concatenate([[[0, 0]], 4 * np.stack([np.cos(angles), np.sin(angles)], -1)])
    # a body is as light as the ground it stands on
    columns, rows = view.project(np.pad(actor.place, ((0, 0), (0, 1))))[0].astype(int).T
    level = shade[np.clip(rows, 0, shade.shape[0] - 1), np.clip(columns, 0, shade.shape[1] - 1)]
    return _Played(
        body=picture(shapes, view, sun),
        shadow=shadow(shapes, view, sun),
        near=np.any(view.sees(actor.place[:, None] + around), axis=-1),
        away=actor.place[:, 1],
        shade=level / 255,
        odd=actor.odd,
    )


def _ground(
    place: Stage, shaded: Image.Image, fixed: Image.Image, actors: list[_Played], t: int, sun: float
) -> Image.Image:
    """The scene with all shadows, without the actors (RGBA, alpha 0). sun: its strength, in [0, 1]."""
    moving, none = Image.new("L", fixed.size, 0), Image.new("L", fixed.size, 0)
    pencil = ImageDraw.Draw(moving)
    for actor in actors:
        for corners in actor.shadow:
            pencil.polygon(corners[t].tolist(), fill=255)
    soft = moving.filter(ImageFilter.BoxBlur(0.8 * place.view.size[0] / (96 * FINE)))
    dark = ImageChops.lighter(fixed, Image.composite(soft, none, place.open_ground))
    # 255 where no sun arrives, in a shadow or under clouds
    dark = dark.point([round(255 - (255 - level) * sun) for level in range(256)])
    canvas = Image.composite(shaded, place.lit, dark).convert("RGBA")
    canvas.putalpha(0)
    return canvas


def _people(canvas: Image.Image, place: Stage, shaded: Image.Image, actors: list[_Played], t: int, sun: float) -> None:
    """Draw actors and fixed things from far to near. The alpha channel becomes 255 on anomalous actors in sight."""
    pencil = ImageDraw.Draw(canvas)
    order = [(actor.away[t], 1, index) for index, actor in enumerate(actors)]
    order += [(each.away, 0, index) for index, each in enumerate(place.occluders)]
    for _, acts, index in sorted(order, reverse=True):
        if not acts:
            thing = place.occluders[index]
            body = Image.blend(shaded.crop(thing.box), place.lit.crop(thing.box), sun).convert("RGBA")
            body.putalpha(0)
            canvas.paste(body, thing.box[:2], thing.mask)
            continue
        actor = actors[index]
        light = SHADE + (1 - SHADE) * sun * (1 - actor.shade[t])
        colours = (255 * actor.body.colours * light).astype(int).tolist()
        mark = 255 if actor.odd[t] else 0
        for part in np.argsort(-actor.body.depth[t], kind="stable").tolist():
            pencil.polygon(actor.body.corners[part][t].tolist(), fill=(*colours[part], mark))


def film(index: int, kind: str | None, frames: int, size: tuple[int, int], rng: np.random.Generator) -> Film:
    """Frames (T, H, W, 3) uint8, labels (T,) uint8 and masks (T, H, W) uint8 of one video of scene number index."""
    place = stage(index, size)
    # the sun goes through the south, which lies elsewhere for each camera
    angle, slope = 1.3 + 2.1 * index + rng.uniform(-1.1, 1.1), np.radians(rng.uniform(32, 60))
    sun = np.array([np.cos(angle), np.sin(angle)]) / np.tan(slope)
    strength, exposure, tint = _light(frames, rng)
    grain = rng.uniform(1.0, 2.2)
    groups = round(int(rng.integers(1, 7)) * (0.5 + 0.5 * frames / 60))  # those who come and go, and those who stay
    actors = crowd(SCENES[index], SCENES[index].view(size), frames, groups, kind, rng)

    fixed, shade = fixed_shadows(place, sun)
    shaded = Image.fromarray((np.asarray(place.lit) * SHADE).astype(np.uint8))
    played = [_played(actor, place.view, sun, np.asarray(shade)) for actor in actors]
    pictures, masks = np.empty((frames, *size, 3), np.uint8), np.zeros((frames, *size), np.uint8)
    for t in range(frames):
        present = [actor for actor in played if actor.near[t]]
        canvas = _ground(place, shaded, fixed, present, t, strength[t])
        _people(canvas, place, shaded, present, t, strength[t])
        masks[t] = np.asarray(canvas.getchannel("A").reduce(FINE)) >= 128
        small = canvas.convert("RGB").reduce(FINE).filter(ImageFilter.GaussianBlur(0.4))  # the lens
        noise = rng.standard_normal((*size, 3), dtype=np.float32) + rng.standard_normal((*size, 1), dtype=np.float32)
        seen = np.asarray(small, np.float32) * (exposure[t] * tint) + grain * noise
        pictures[t] = np.clip(seen, 0, 255).astype(np.uint8)
    labels = (masks.sum((1, 2)) >= VISIBLE).astype(np.uint8)
    return pictures, labels, masks * labels[:, None, None]

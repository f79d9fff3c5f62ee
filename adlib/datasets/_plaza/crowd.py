"""Everybody in a video: walkers who keep clear of each other, of things and of the actors of an anomaly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adlib.datasets._plaza.cast import Actor, anomaly, person, standers, walkers
from adlib.datasets._plaza.places import Scene, on_lawn
from adlib.datasets._plaza.shapes import Array, View
from adlib.datasets._plaza.ways import RATE, times_of


def _blocked(scene: Scene, places: Array, room: float, view: View, lawns: bool = True) -> bool:
    """Whether a body at places (..., 2) would walk into a thing or onto a lawn, as far as the picture shows."""
    shown = places[view.sees(places)]
    if lawns and on_lawn(scene, shown).any():
        return True
    for kind, place, size, _ in scene.things:
        away = np.abs(shown - place)
        wide = {"tree": 0.25, "hedge": 0.5, "row": size / 2, "bench": size / 2}.get(kind, size)
        deep = {"tree": 0.25, "hedge": size / 2, "row": 0.5, "bench": 0.35}.get(kind, size)
        if (np.maximum(away - [wide, deep], 0) ** 2).sum(-1).min(initial=9) < room**2:
            return True
    return False


def _well_seen(actor: Actor, view: View, large: bool) -> bool:
    """Whether an anomaly lasts for a part of the video, near enough to be made out.

    large: whether it is so large that it must not come too near, or the sum of all changed pixels would tell.
    """
    shown = actor.odd & view.sees(actor.place)
    if not min(0.2 * len(shown), RATE) <= shown.sum() <= 0.66 * len(shown):
        return False
    _, depth = view.project(np.pad(actor.place[shown], ((0, 0), (0, 1))))
    low, high = (0.15, 0.26) if large else (0.16, 1)  # 1.7 m, in heights of the picture
    return bool(low < np.median(1.7 * view.focal / depth) < high)


def _too_close(places: Array, room: float, others: Sequence[Actor]) -> bool:
    return any((np.linalg.norm(places - each.place, axis=-1) < room + each.room).any() for each in others)


def crowd(
    scene: Scene, view: View, frames: int, groups: int, kind: str | None, rng: np.random.Generator
) -> list[Actor]:
    """Up to so many groups of people, and the actors of an anomaly of a kind where one is asked for."""
    times, _ = times_of(frames)
    actors: list[Actor] = []
    if kind is not None:
        for _ in range(1000):
            actors = anomaly(kind, scene, view, frames, rng)
            clear = not any(_blocked(scene, each.place, 0.6 * each.room, view, kind != "lawn") for each in actors)
            if clear and _well_seen(actors[0], view, kind == "cart"):
                break
        else:
            raise ValueError(f"found no room for a {kind} in {frames} frames of {view.size} pixels: try another seed")
    for _ in range(groups):
        for _ in range(25):
            stands = rng.random() < 0.25
            tracks = standers(scene, frames, rng) if stands else walkers(scene, view, frames, rng)
            places = [track.at(times)[1] for track, _ in tracks]
            if not any(_blocked(scene, each, 0.3, view) or _too_close(each, 0.32, actors) for each in places):
                actors += [person(track, frames, rng, stature) for track, stature in tracks]
                break
    return actors

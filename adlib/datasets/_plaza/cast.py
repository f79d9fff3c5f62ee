"""The people of the plaza, and the actors of each kind of anomaly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from adlib.datasets._plaza.bodies import bicycle, cart, dressed, looks
from adlib.datasets._plaza.gait import FIGHT, RUN, WALK, Track, on_foot
from adlib.datasets._plaza.places import Scene, on_lawn
from adlib.datasets._plaza.shapes import Array, Colour, Shapes, View
from adlib.datasets._plaza.ways import RATE, STEP, Way, seen, somewhere, stride, times_of, way

PAINTS: tuple[Colour, ...] = (
    (0.6, 0.12, 0.1),
    (0.1, 0.2, 0.45),
    (0.85, 0.85, 0.82),
    (0.12, 0.12, 0.12),
    (0.2, 0.45, 0.3),
)


@dataclass(frozen=True)
class Actor:
    """A body over T frames. place: (T, 2) where it stands. room: metres to keep clear of. body: draws it up.

    odd: (T,) when it is an anomaly.
    """

    place: Array
    room: float
    body: Callable[[], Shapes]
    odd: NDArray[np.bool_]


# normal people


def walkers(scene: Scene, view: View, frames: int, rng: np.random.Generator) -> list[tuple[Track, float]]:
    """One or two people on their way, as tracks with statures; some stop for a while."""
    _, fine = times_of(frames)
    line = somewhere(scene, rng)
    start, stop = seen(line, view)
    speed = float(np.clip(rng.normal(1.25, 0.16), 0.85, 1.55))
    pace = speed * (1 + 0.06 * np.sin(fine * rng.uniform(0.6, 1.4) + rng.uniform(0, 6)))
    halt = rng.random() < 0.12
    middle = rng.uniform(0.1, 0.9) * frames / RATE
    if halt:
        rest = rng.uniform(1.0, 3.0)
        slow = np.clip(np.minimum(np.abs(fine - middle) - rest / 2, 0.8) / 0.8, 0, 1)
        pace = pace * slow * slow * (3 - 2 * slow)
    distance = np.cumsum(pace) * STEP
    moment = middle if halt else rng.uniform(-0.1, 1.1) * frames / RATE
    low, high = (0.25, 0.75) if halt else (0, 1)
    distance += start + rng.uniform(low, high) * (stop - start) - np.interp(moment, fine, distance)
    tracks = []
    for beside in (-0.36, 0.36) if rng.random() < 0.36 else (0.0,):
        stature = rng.uniform(1.55, 1.88)
        place, heading = line.at(distance, beside)
        # the phase is such that somebody who stops has one foot beside the other
        rest_at = np.interp(middle, fine, distance) if halt else rng.uniform(0, 2)
        cycle = (distance - rest_at) / stride(speed, stature) + WALK.duty / 2
        tracks.append((Track(fine, cycle, place, heading), stature))
    return tracks


def standers(scene: Scene, frames: int, rng: np.random.Generator) -> list[tuple[Track, float]]:
    """One to three people who talk to each other; one may turn round, stepping on the spot."""
    _, fine = times_of(frames)
    middle = np.array(scene.spots[rng.integers(len(scene.spots))]) + rng.uniform(-0.5, 0.5, 2)
    count = int(rng.choice([1, 2, 3], p=[0.35, 0.4, 0.25]))
    first = rng.uniform(0, 2 * np.pi)
    tracks = []
    for index in range(count):
        angle = first + 2 * np.pi * index / count
        place = middle + (0.0 if count == 1 else 0.52) * np.array([np.cos(angle), np.sin(angle)])
        turn = rng.choice([0, 1]) * rng.uniform(0.7, 1.8) * rng.choice([-1, 1]) if count < 3 else 0.0
        begin = rng.uniform(0, frames / RATE)
        part = np.clip((fine - begin) / 1.4, 0, 1)
        cycle = WALK.duty / 2 + (2 * part if turn else 0 * part)
        heading = angle + np.pi + turn * part * part * (3 - 2 * part)
        stays = np.broadcast_to(place, (len(fine), 2))
        tracks.append((Track(fine, cycle, stays, heading), rng.uniform(1.55, 1.88)))
    return tracks


def person(track: Track, frames: int, rng: np.random.Generator, stature: float) -> Actor:
    """Somebody normal on a track: some hold a telephone, some talk with their hands, all look about."""
    times, _ = times_of(frames)
    who = looks(rng, stature)
    look = 0.35 * np.sin(times * rng.uniform(0.3, 1.0) + rng.uniform(0, 6)) * rng.uniform(0, 1.5)
    raised = elbow = None
    habit = rng.random()
    if habit < 0.22:  # a telephone in the right hand, before the chest
        raised, elbow = np.full((2, frames, 2), np.nan)
        raised[:, 1], elbow[:, 1] = 0.35, 1.75
    elif habit < 0.34:  # somebody who talks with the hands
        raised, elbow = np.full((2, frames, 2), np.nan)
        speed = rng.uniform(2, 4)
        raised[:, 0] = 0.3 + 0.2 * np.sin(speed * times)
        elbow[:, 0] = 1.3 + 0.4 * np.sin(speed * times + 1)
    pose = on_foot(track, times, WALK, who.stature, raised=raised, elbow=elbow, look=look)
    return Actor(track.at(times)[1], 0.32, partial(dressed, pose, who), np.zeros(frames, bool))


# anomalies


def _on_its_way(
    kind: str, scene: Scene, view: View, frames: int, speed: float, rng: np.random.Generator
) -> tuple[Way, Array]:
    """A way, and the distance along it at the fine times, of somebody in sight for about half of the video.

    Who needs longer than that is still there at the end, or there already at the start.
    """
    _, fine = times_of(frames)
    if kind == "lawn":
        points = np.array(scene.shortcuts[rng.integers(len(scene.shortcuts))], float)[:: rng.choice([-1, 1])]
        line = way(points + rng.uniform(-0.3, 0.3, 2))
    else:
        line = somewhere(scene, rng)
    start, stop = seen(line, view)
    length, takes = frames / RATE, (stop - start) / speed
    part = rng.uniform(0.35, 0.6) * length
    if takes <= part:
        enters = rng.uniform(0.1 * length, 0.9 * length - takes)
    else:
        enters = rng.choice([length - part, part - takes])
    return line, start + speed * (fine - enters)


def _on_wheels(kind: str, scene: Scene, view: View, frames: int, rng: np.random.Generator) -> list[Actor]:
    times, fine = times_of(frames)
    speed, radius = (rng.uniform(4.2, 5.6), 0.34) if kind == "bicycle" else (rng.uniform(3.5, 4.8), 0.24)
    line, distance = _on_its_way(kind, scene, view, frames, speed, rng)
    track = Track(fine, distance / (2 * np.pi * radius), *line.at(distance))
    body = partial(bicycle if kind == "bicycle" else cart, track, times, looks(rng), PAINTS[rng.integers(len(PAINTS))])
    return [Actor(track.at(times)[1], 0.75 if kind == "bicycle" else 1.4, body, np.ones(frames, bool))]


def _on_feet(kind: str, scene: Scene, view: View, frames: int, rng: np.random.Generator) -> list[Actor]:
    times, fine = times_of(frames)
    gait, speed = (RUN, rng.uniform(3.7, 4.8)) if kind == "runner" else (WALK, rng.uniform(1.2, 1.6))
    line, distance = _on_its_way(kind, scene, view, frames, speed, rng)
    who = looks(rng)
    track = Track(fine, distance / stride(speed, who.stature) + rng.uniform(0, 1), *line.at(distance))
    place = track.at(times)[1]
    odd = on_lawn(scene, place) if kind == "lawn" else np.ones(frames, bool)
    return [Actor(place, 0.4, lambda: dressed(on_foot(track, times, gait, who.stature), who), odd)]


def _fight(scene: Scene, view: View, frames: int, rng: np.random.Generator) -> list[Actor]:
    """Two people stand and quarrel, grapple and strike, and part."""
    times, fine = times_of(frames)
    length = frames / RATE
    begin = rng.uniform(0.2, 0.35) * length
    end = begin + rng.uniform(0.4, 0.5) * length
    middle = np.array(scene.arenas[rng.integers(len(scene.arenas))]) + rng.uniform(-0.4, 0.4, 2)
    first = rng.choice([0, np.pi]) + rng.uniform(-0.6, 0.6)  # side by side, so that the camera sees both
    during = np.clip((fine - begin) / (end - begin), 0, 1)
    window = np.clip(np.minimum(fine - begin, end - fine) / 0.3, 0, 1)
    drift = np.stack([np.sin(2.1 * (fine - begin) + first), np.sin(2.7 * (fine - begin) + 2 * first)], -1)
    drift = 0.45 * (drift - drift[np.searchsorted(fine, begin)]) * window[:, None]
    axis = first + rng.uniform(0.3, 0.9) * rng.choice([-1, 1]) * during
    struck = [rng.uniform(0, 6) for _ in range(2)]
    speed = float(rng.uniform(1.3, 1.6))
    actors = []
    for index in range(2):
        who = looks(rng)
        side = axis + np.pi * index
        out = np.stack([np.cos(side), np.sin(side)], -1)
        push = 0.2 * np.sin(2 * np.pi * 1.6 * fine + struck[0]) * window
        close = 0.6 - 0.2 * np.clip((fine - begin) / 0.3, 0, 1)
        fought = middle + drift + (close + (push if index else -push))[:, None] * out
        # afterwards each walks off, in a straight line from where he stood
        after = np.clip(fine - end, 0, None)
        gone = speed * (after + 0.25 * (np.exp(-after / 0.25) - 1))  # gets going within a quarter of a second
        place = fought + gone[:, None] * out
        heading = side + np.pi + np.pi * np.clip(after / 0.6, 0, 1)
        inside_fight = np.clip(fine, begin, end) - begin
        steps = np.ceil((end - begin) * 1.7)  # whole cycles, so that both ends have the same phase
        cycle = FIGHT.duty / 2 + gone / stride(speed, who.stature) + steps * inside_fight / (end - begin)
        cycle += 0.5 * np.clip(after / 0.6, 0, 1)
        track = Track(fine, cycle, place, heading)
        fights = (times >= begin) & (times <= end)
        beat = 2 * np.pi * rng.uniform(1.9, 2.5) * times + struck[index]
        blow = np.stack([np.sin(beat), np.sin(beat + 2.2)], -1)
        weight = np.interp(times, fine, window)[:, None]
        raised = np.where(fights[:, None], weight * (1.25 + 0.75 * blow), np.nan)
        elbow = np.where(fights[:, None], weight * (0.9 - 0.8 * blow) + 0.1, np.nan)
        apart = 0.13 + weight * (0.15 + 0.3 * np.roll(blow, 1, axis=1))
        lean = 0.05 + weight[:, 0] * (0.22 + 0.32 * np.sin(2 * np.pi * 1.6 * times + struck[0] + np.pi * index))
        pose = on_foot(track, times, FIGHT, who.stature, raised=raised, elbow=elbow, apart=apart, lean=lean)
        actors.append(Actor(track.at(times)[1], 0.45, partial(dressed, pose, who), fights))
    return actors


def anomaly(kind: str, scene: Scene, view: View, frames: int, rng: np.random.Generator) -> list[Actor]:
    """The actors of a kind of anomaly."""
    if kind == "fight":
        return _fight(scene, view, frames, rng)
    return (_on_wheels if kind in ("bicycle", "cart") else _on_feet)(kind, scene, view, frames, rng)

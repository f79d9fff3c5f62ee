"""How people of the plaza move: tracks over the ground, footfalls, joints.

A track ties where a body is to a phase of the gait, in cycles of two steps. A foot on the ground stands where the body
is at the middle of that stance, so it cannot slide, whatever speed, curve or turn the body makes: legs follow from hips
and feet by the law of cosines, not from a table of angles. Lengths of the segments are parts of the stature, after
Drillis and Contini, 1966.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adlib.datasets._plaza.shapes import Array

THIGH, SHANK, ANKLE, UPPER_ARM, FOREARM = 0.245, 0.246, 0.039, 0.186, 0.146  # of the stature
HIP_HALF, SHOULDER_HALF, TRUNK, HEAD = 0.052, 0.108, 0.288, 0.065
SOLE, TOES = 0.105, 0.035  # ball of the foot to heel, and to the tip


@dataclass(frozen=True)
class Track:
    """A way over the ground in fine steps of time. time: (N,) seconds, rising. cycle: (N,) phase, never falling.

    place: (N, 2) metres, equal wherever the phase is equal. heading: (N,) radians, not wrapped.
    """

    time: Array
    cycle: Array
    place: Array
    heading: Array

    def at(self, times: Array) -> tuple[Array, Array, Array]:
        """Phase (T,), place (T, 2) and heading (T,) at times (T,) in seconds."""
        place = [np.interp(times, self.time, self.place[:, axis]) for axis in (0, 1)]
        phase = np.interp(times, self.time, self.cycle)
        return phase, np.stack(place, -1), np.interp(times, self.time, self.heading)


@dataclass(frozen=True)
class Gait:
    """duty: part of a cycle that a foot stands. lift: height of the swinging foot, m. swing, elbow, lean: radians.

    reach: height of the hips, of the length of the straight leg. bounce: m, up when both feet fly.
    """

    duty: float = 0.62
    lift: float = 0.05
    swing: float = 0.42
    elbow: float = 0.25
    lean: float = 0.03
    reach: float = 0.985
    bounce: float = 0.0


WALK = Gait()
RUN = Gait(duty=0.36, lift=0.24, swing=0.85, elbow=1.6, lean=0.16, reach=0.93, bounce=0.035)
FIGHT = Gait(duty=0.7, lift=0.07, lean=0.2, reach=0.93)


@dataclass
class Pose:
    """Joints over T frames in metres; pairs are (T, 2, 3), left first. lean is that of the trunk, (T,) radians."""

    heading: Array
    facing: Array  # (T,) of the head
    pelvis: Array
    neck: Array
    head: Array
    hips: Array
    knees: Array
    heels: Array
    toes: Array
    ankles: Array
    shoulders: Array
    elbows: Array
    wrists: Array


def ahead(heading: Array) -> Array:
    """Unit vectors (..., 3) along headings (...)."""
    return np.stack([np.cos(heading), np.sin(heading), np.zeros_like(heading)], -1)


def leftward(heading: Array) -> Array:
    return np.stack([-np.sin(heading), np.cos(heading), np.zeros_like(heading)], -1)


UP = np.array([0.0, 0.0, 1.0])


def footfalls(track: Track, times: Array, gait: Gait, half_width: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The ball of each foot (T, 2, 3), how far it has swung (T, 2), 0 in stance, and whether it stands (T, 2).

    Foot 0, the left, stands for phases [k, k + duty), foot 1 half a cycle later. It stands beside the place of the body
    at phase k + duty / 2, and swings from one such place to the next without speed at either end.
    """
    phase, _, _ = track.at(times)
    offset = np.array([0.0, 0.5])
    count = np.floor(phase[:, None] + offset)
    part = phase[:, None] + offset - count
    middle = count - offset + gait.duty / 2

    def ground(at: Array) -> Array:
        heading = np.interp(at, track.cycle, track.heading)
        place = np.stack([np.interp(at, track.cycle, track.place[:, axis]) for axis in (0, 1)], -1)
        side = np.array([half_width, -half_width])[:, None]
        return place + side * leftward(heading)[..., :2] + 0.05 * ahead(heading)[..., :2]

    swung = np.clip((part - gait.duty) / (1 - gait.duty), 0, 1)
    moved = (swung - np.sin(2 * np.pi * swung) / (2 * np.pi))[..., None]
    rate = np.abs(np.interp(times + 0.05, track.time, track.cycle) - np.interp(times - 0.05, track.time, track.cycle))
    height = gait.lift * np.minimum(1, rate / 0.04)[:, None] * np.sin(np.pi * swung)  # who stands has both feet down
    balls = np.concatenate([ground(middle) * (1 - moved) + ground(middle + 1) * moved, height[..., None]], -1)
    return balls, swung, part < gait.duty


def two_bones(start: Array, end: Array, first: float, second: float, bend: Array) -> Array:
    """The joint (..., 3) between two bones from start to end, on the side of the direction bend (..., 3).

    A distance longer than both bones leaves the joint on the straight line.
    """
    line = end - start
    distance = np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-6)
    line = line / distance
    distance = np.clip(distance, abs(first - second) + 1e-6, first + second)
    # law of cosines: the joint lies this far along the line, and the rest of the first bone beside it
    along = (first**2 - second**2 + distance**2) / (2 * distance)
    beside = np.sqrt(np.maximum(first**2 - along**2, 0))
    side = bend - (bend * line).sum(-1, keepdims=True) * line
    side = side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-6)
    return start + along * line + beside * side


def upper_body(
    pelvis: Array, heading: Array, lean: Array, stature: float, twist: Array | float = 0.0, look: Array | float = 0.0
) -> dict[str, Array]:
    """Neck, head and shoulders above the pelvis (T, 3). twist: of the shoulders, look: of the head, radians."""
    forward = ahead(heading)
    spine = np.sin(lean)[:, None] * forward + np.cos(lean)[:, None] * UP
    neck = pelvis + TRUNK * stature * spine
    head = neck + stature * (0.085 * UP + 0.012 * forward + 0.05 * np.sin(lean)[:, None] * forward)
    side = leftward(heading + twist)[:, None] * np.array([[1], [-1]]) * SHOULDER_HALF * stature
    shoulders = neck[:, None] - 0.02 * stature * UP + side
    return {"neck": neck, "head": head, "shoulders": shoulders, "facing": heading + twist + look}


def arms(
    shoulders: Array, heading: Array, raised: Array, elbow: Array, apart: Array, stature: float
) -> tuple[Array, Array]:
    """Elbows and wrists (T, 2, 3). raised: angle of the upper arm forward from straight down, elbow: its flexion.

    apart: angle of the arm away from the body. All (T, 2), radians.
    """
    forward, side = ahead(heading)[:, None], leftward(heading)[:, None] * np.array([[1], [-1]])

    def along(angle: Array, out: Array) -> Array:
        down = np.cos(angle)[..., None] * -UP + np.sin(angle)[..., None] * forward
        return np.cos(out)[..., None] * down + np.sin(out)[..., None] * side

    elbows = shoulders + UPPER_ARM * stature * along(raised, apart)
    # with a flexed elbow the hand comes in, towards the middle
    return elbows, elbows + (FOREARM + 0.02) * stature * along(raised + elbow, apart - 0.35 * np.minimum(elbow, 1.2))


def legs(pelvis: Array, heading: Array, ankles: Array, stature: float, spread: float = 0.0) -> tuple[Array, Array]:
    """Hips and knees (T, 2, 3) of legs that end at the ankles. spread: how far knees point outwards."""
    side = leftward(heading)[:, None] * np.array([[1], [-1]])
    hips = pelvis[:, None] + HIP_HALF * stature * side
    return hips, two_bones(hips, ankles, THIGH * stature, SHANK * stature, ahead(heading)[:, None] + spread * side)


def on_foot(
    track: Track,
    times: Array,
    gait: Gait,
    stature: float,
    *,
    raised: Array | None = None,
    elbow: Array | None = None,
    apart: Array | None = None,
    lean: Array | None = None,
    look: Array | float = 0.0,
) -> Pose:
    """A person who stands, walks, runs or fights along a track at times (T,). Arms that are not given swing."""
    phase, place, heading = track.at(times)
    balls, swung, stands = footfalls(track, times, gait, 0.8 * HIP_HALF * stature)
    forward = ahead(heading)[:, None]
    part = (phase[:, None] + [0.0, 0.5]) % 1
    rate = np.interp(times + 0.1, track.time, track.cycle) - np.interp(times - 0.1, track.time, track.cycle)
    moving = np.clip(rate / 0.1, 0, 1)
    # the heel leaves the ground in the last third of the stance, and the foot swings through level
    late = np.clip((part / gait.duty - 0.65) / 0.35, 0, 1)
    pitch = np.where(stands, 0.6 * late, 0.6 * (1 - swung) + (1.1 if gait.bounce else 0.3) * np.sin(np.pi * swung) ** 2)
    pitch = pitch * moving[:, None]
    back = -np.cos(pitch)[..., None] * forward + np.sin(pitch)[..., None] * UP  # from the ball towards the heel
    over = np.sin(pitch)[..., None] * forward + np.cos(pitch)[..., None] * UP
    heels = balls + stature * (SOLE * back + 0.012 * over)
    toes = balls + stature * TOES * forward + 0.02 * UP
    ankles = balls + stature * (0.075 * back + ANKLE * over)
    # hips as high as both legs allow, an inverted pendulum over the standing foot
    length = (THIGH + SHANK) * stature
    away = np.linalg.norm(ankles[..., :2] - place[:, None], axis=-1)
    allowed = (ankles[..., 2] + np.sqrt(np.maximum((0.995 * length) ** 2 - away**2, 0.25 * length**2))).min(-1)
    height = gait.reach * length + ANKLE * stature
    height = height - moving * gait.bounce * np.cos(4 * np.pi * (phase - gait.duty / 2))
    pelvis = np.concatenate([place, np.minimum(allowed, height)[:, None]], -1)
    lean = gait.lean * moving + 0.02 if lean is None else lean
    swing = np.stack([np.cos(2 * np.pi * (part[:, 0] - 0.08)), np.cos(2 * np.pi * (part[:, 1] - 0.08))], -1)
    upper = upper_body(pelvis, heading, lean, stature, 0.12 * moving * swing[:, 0], look)
    given = np.zeros((len(times), 2))
    swinging = -gait.swing * moving[:, None] * swing + 0.08  # the arm goes back while its foot is in front
    bent = given + gait.elbow + 0.3 * np.maximum(swinging, 0)
    raised = swinging if raised is None else np.where(np.isnan(raised), swinging, raised)
    elbow = bent if elbow is None else np.where(np.isnan(elbow), bent, elbow)
    apart = given + 0.1 if apart is None else apart
    elbows, wrists = arms(upper["shoulders"], heading, raised, elbow, apart, stature)
    hips, knees = legs(pelvis, heading, ankles, stature)
    return Pose(
        heading=heading, pelvis=pelvis, hips=hips, knees=knees, ankles=ankles, heels=heels, toes=toes,
        elbows=elbows, wrists=wrists, **upper,
    )  # fmt: skip


def seated(
    place: Array, heading: Array, seat: float, lean: float, ankles: Array, wrists: Array, stature: float, spread: float
) -> Pose:
    """A person on a saddle or a seat: hips seat metres up at places (T, 2), feet and hands where they are told."""
    pelvis = np.concatenate([place, np.full((len(place), 1), seat)], -1)
    upper = upper_body(pelvis, heading, np.full(len(place), lean), stature)
    hips, knees = legs(pelvis, heading, ankles, stature, spread)
    side = leftward(heading)[:, None] * np.array([[1], [-1]])
    elbows = two_bones(upper["shoulders"], wrists, UPPER_ARM * stature, (FOREARM + 0.02) * stature, 0.5 * side - UP)
    forward = ahead(heading)[:, None] * stature
    return Pose(
        heading=heading, pelvis=pelvis, hips=hips, knees=knees, ankles=ankles, elbows=elbows, wrists=wrists,
        heels=ankles - 0.03 * forward - [0, 0, 0.05], toes=ankles + 0.1 * forward - [0, 0, 0.05], **upper,
    )  # fmt: skip

"""What stands and moves on the plaza as shapes: people in their clothes, a bicycle with its rider, a golf cart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from adlib.datasets._plaza.gait import UP, Pose, Track, ahead, leftward, seated
from adlib.datasets._plaza.shapes import Array, Colour, Shapes, dimmed, turned

SKINS: tuple[Colour, ...] = ((0.86, 0.68, 0.56), (0.78, 0.58, 0.45), (0.6, 0.42, 0.31), (0.4, 0.27, 0.2))
HAIRS: tuple[Colour, ...] = (
    (0.08, 0.07, 0.07),
    (0.16, 0.11, 0.08),
    (0.3, 0.2, 0.12),
    (0.62, 0.5, 0.3),
    (0.5, 0.5, 0.5),
)
TOPS: tuple[Colour, ...] = (
    (0.1, 0.1, 0.12), (0.15, 0.18, 0.3), (0.82, 0.82, 0.8), (0.55, 0.14, 0.13), (0.42, 0.44, 0.46), (0.2, 0.3, 0.22),
    (0.66, 0.56, 0.4), (0.3, 0.45, 0.62), (0.7, 0.4, 0.45), (0.8, 0.68, 0.3), (0.3, 0.2, 0.3), (0.88, 0.86, 0.82),
)  # fmt: skip
BOTTOMS: tuple[Colour, ...] = (
    (0.12, 0.12, 0.14), (0.2, 0.25, 0.36), (0.3, 0.36, 0.48), (0.5, 0.45, 0.36), (0.28, 0.27, 0.26), (0.6, 0.58, 0.54),
)  # fmt: skip
BAGS: tuple[Colour, ...] = ((0.1, 0.1, 0.1), (0.35, 0.12, 0.12), (0.15, 0.2, 0.35), (0.4, 0.3, 0.2), (0.25, 0.3, 0.2))


@dataclass(frozen=True)
class Looks:
    """Stature in metres, girth about 1, clothes. cut: trousers, shorts, skirt, coat. bag: "", backpack, sling, hand."""

    stature: float
    girth: float
    skin: Colour
    hair: Colour
    long_hair: bool
    top: Colour
    sleeves: bool
    bottom: Colour
    cut: str
    shoes: Colour
    bag: str
    bag_colour: Colour


def looks(rng: np.random.Generator, stature: float | None = None) -> Looks:
    """Somebody by chance, of a given stature in metres where one is given."""

    def one_of(colours: tuple[Colour, ...]) -> Colour:
        colour = np.array(colours[rng.integers(len(colours))])
        colour = colour + rng.uniform(0, 0.4) * (colour.mean() - colour)  # washed out
        red, green, blue = np.clip(colour * rng.uniform(0.8, 1.15) * rng.uniform(0.97, 1.03, 3), 0, 0.95)
        return float(red), float(green), float(blue)

    woman = rng.random() < 0.5
    cuts, chances = (
        ("trousers", "shorts", "skirt", "coat"),
        (0.55, 0.12, 0.2, 0.13) if woman else (0.7, 0.18, 0, 0.12),
    )
    return Looks(
        stature=float(np.clip(rng.normal(1.65 if woman else 1.78, 0.07), 1.5, 1.95)) if stature is None else stature,
        girth=float(rng.uniform(0.88, 1.2)),
        skin=one_of(SKINS),
        hair=one_of(HAIRS),
        long_hair=bool(woman and rng.random() < 0.7),
        top=one_of(TOPS),
        sleeves=bool(rng.random() < 0.6),
        bottom=one_of(BOTTOMS),
        cut=str(rng.choice(cuts, p=chances)),
        shoes=one_of(((0.08, 0.08, 0.08), (0.7, 0.7, 0.7), (0.3, 0.2, 0.14))),
        bag=str(rng.choice(["", "backpack", "sling", "hand"], p=[0.42, 0.33, 0.13, 0.12])),
        bag_colour=one_of(BAGS),
    )


def dressed(pose: Pose, who: Looks, shapes: Shapes | None = None) -> Shapes:
    """A posed person in clothes, added to shapes where they are given."""
    shapes = Shapes() if shapes is None else shapes
    tall, wide = who.stature / 1.75, who.girth * who.stature / 1.75
    covered = who.cut in ("trousers", "coat")
    for side in (0, 1):
        # the two legs and arms differ a little in tone, or they would melt into one
        cloth, sleeve = (dimmed(colour, 0.88 if side else 1) for colour in (who.bottom, who.top))
        knee, ankle = pose.knees[:, side], pose.ankles[:, side]
        shapes.limb(pose.hips[:, side], knee, (0.085 * wide, 0.06 * wide), who.skin if who.cut == "skirt" else cloth)
        shapes.limb(knee, ankle, (0.058 * wide, 0.042 * wide), cloth if covered else who.skin)
        shapes.limb(pose.heels[:, side] + [0, 0, 0.03], pose.toes[:, side] + [0, 0, 0.02], 0.04 * tall, who.shoes, 0.02)
        elbow, wrist = pose.elbows[:, side], pose.wrists[:, side]
        shapes.limb(pose.shoulders[:, side], elbow, (0.056 * wide, 0.045 * wide), sleeve, 0.02)
        shapes.limb(elbow, wrist, (0.042 * wide, 0.034 * wide), sleeve if who.sleeves else who.skin, 0.02)
        hand = wrist + 0.25 * (wrist - elbow)
        shapes.limb(hand, hand, 0.04 * tall, who.skin, 0.02)
        if who.bag == "hand" and side == 1:
            shapes.limb(hand - [0, 0, 0.16], hand - [0, 0, 0.3], (0.06, 0.11), who.bag_colour, 0.05)
    # trunk: from the hips through waist and chest to the shoulders
    spine = pose.neck - pose.pelvis
    cross = pose.shoulders[:, 0] - pose.shoulders[:, 1]
    turn = np.arctan2(cross[:, 1], cross[:, 0])
    levels = np.array([-0.14, 0.12, 0.45, 0.8, 0.93, 1.0])
    axis = pose.pelvis[:, None] + levels[:, None] * spine[:, None]
    half = wide * np.array([[0.155, 0.115], [0.16, 0.115], [0.145, 0.1], [0.185, 0.115], [0.17, 0.1], [0.075, 0.07]])
    shapes.tube(axis, half, turn, who.top)
    if who.cut in ("skirt", "coat"):
        hem = 0.58 if who.cut == "skirt" else 0.72
        down = np.linspace(0.15, 1, 3)[:, None] * hem * UP * tall
        middle = pose.knees.mean(1) - pose.pelvis
        sway = np.linspace(0, 0.7, 3)[:, None] * (middle * [1, 1, 0])[:, None]
        waist = pose.pelvis[:, None] + 0.12 * UP - down + sway
        sides = wide * np.array([[0.155, 0.12], [0.18, 0.15], [0.2, 0.18]])
        shapes.tube(waist, sides, turn, who.bottom if who.cut == "skirt" else who.top, 0.06)
    # head: hair all over, the face in front of it, so that a head seen from behind is dark
    gaze = ahead(pose.facing)
    shapes.limb(pose.neck, pose.head, 0.05 * wide, who.skin)
    crown = pose.head + 0.03 * UP - 0.015 * gaze
    shapes.limb(crown, crown + 0.01 * UP, 0.104 * tall, who.hair)
    shapes.limb(pose.head + 0.05 * gaze - 0.025 * UP, pose.head + 0.045 * gaze + 0.025 * UP, 0.075 * tall, who.skin)
    if who.long_hair:
        shapes.limb(crown - 0.05 * gaze, pose.neck - 0.06 * gaze - 0.04 * UP, (0.09 * tall, 0.08 * tall), who.hair)
    forward = ahead(pose.heading)
    if who.bag == "backpack":
        pack = pose.pelvis + 0.62 * spine - 0.2 * forward
        shapes.limb(pack + 0.11 * UP, pack - 0.14 * UP, (0.12, 0.145), who.bag_colour)
    if who.bag == "sling":
        at = pose.hips[:, 1] - 0.17 * leftward(pose.heading) + 0.04 * UP
        shapes.limb(at - 0.05 * forward, at + 0.05 * forward, 0.1, who.bag_colour, 0.04)
        shapes.limb(pose.shoulders[:, 0], at, 0.02, who.bag_colour, 0.12)
    return shapes


def _frame(points: list[tuple[float, float, float]], place: Array, heading: Array) -> list[Array]:
    whole = turned(np.array(points), place, heading)
    return [whole[:, index] for index in range(len(points))]


def bicycle(track: Track, times: Array, who: Looks, paint: Colour) -> Shapes:
    """A bicycle ridden along a track whose phase counts turns of a wheel of radius 0.34 m."""
    phase, place, heading = track.at(times)
    shapes, radius = Shapes(), 0.34
    tyre: Colour = (0.07, 0.07, 0.07)
    rear, front, bracket, saddle, head, fork, bar = _frame(
        [(-0.52, 0, radius), (0.53, 0, radius), (-0.06, 0, 0.29), (-0.24, 0, 0.93), (0.33, 0, 0.86), (0.36, 0, 0.75),
         (0.36, 0, 1.05)],
        place, heading,
    )  # fmt: skip
    forward = ahead(heading)
    for hub in (rear, front):
        rim = [hub + radius * (np.cos(a) * forward + np.sin(a) * UP) for a in np.linspace(0, 2 * np.pi, 13)]
        for start, end in pairwise(rim):
            shapes.limb(start, end, 0.032, tyre)
        for spoke in range(3):
            angle = (-2 * np.pi * phase + spoke * np.pi / 3)[:, None]  # rolls forward
            out = 0.9 * radius * (np.cos(angle) * forward + np.sin(angle) * UP)
            shapes.limb(hub - out, hub + out, 0.014, (0.6, 0.6, 0.6))
    for start, end in (
        (rear, bracket), (rear, saddle), (bracket, saddle), (bracket, fork), (saddle, head), (head, front), (bar, fork),
    ):  # fmt: skip
        shapes.limb(start, end, 0.026, paint)
    side = leftward(heading)[:, None] * np.array([[1], [-1]])
    grips = bar[:, None] + 0.24 * side + 0.02 * UP - 0.04 * forward[:, None]
    shapes.limb(grips[:, 0], grips[:, 1], 0.02, tyre)
    shapes.limb(saddle - 0.1 * forward, saddle + 0.12 * forward, 0.045, tyre)
    crank = (-2 * np.pi * 0.55 * phase)[:, None] + [0, np.pi]
    pedals = bracket[:, None] + 0.1 * side
    pedals = pedals + 0.17 * (np.cos(crank)[..., None] * forward[:, None] + np.sin(crank)[..., None] * UP)
    ankles = pedals - 0.06 * forward[:, None] + 0.1 * UP
    rider = seated(saddle[:, :2], heading, 0.99, 0.55, ankles, grips, who.stature, 0.1)
    return dressed(rider, who, shapes)


def cart(track: Track, times: Array, who: Looks, paint: Colour) -> Shapes:
    """A golf cart, 2.4 m long, with a driver, along a track whose phase counts turns of a wheel of radius 0.24 m."""
    phase, place, heading = track.at(times)
    shapes = Shapes()
    dark: Colour = (0.1, 0.1, 0.11)
    shapes.box((0, 0, 0.32), (2.3, 1.1, 0.16), place, heading, dark, -0.8)  # under the feet
    shapes.box((0.95, 0, 0.62), (0.5, 1.1, 0.6), place, heading, paint)
    shapes.box((-0.75, 0, 0.58), (0.9, 1.14, 0.5), place, heading, paint)
    shapes.box((-0.2, 0, 0.6), (0.5, 1.0, 0.3), place, heading, (0.45, 0.36, 0.26))
    shapes.box((-0.5, 0, 0.95), (0.1, 1.0, 0.4), place, heading, (0.45, 0.36, 0.26))
    posts = [(x, y, z) for x in (-0.95, 0.72) for y in (-0.52, 0.52) for z in (0.8, 1.84)]
    ends = _frame(posts, place, heading)
    for low, high in zip(ends[::2], ends[1::2], strict=True):
        shapes.limb(low, high, 0.025, dark)
    wheels = _frame([(x, y, 0.24) for x in (-0.78, 0.82) for y in (-0.56, 0.56)], place, heading)
    forward, side = ahead(heading), leftward(heading)
    for index, hub in enumerate(wheels):
        out = side * (0.06 if index % 2 else -0.06)
        circle = np.linspace(0, 2 * np.pi, 11)[:-1]
        for size, colour, at in ((0.24, (0.06, 0.06, 0.06), out), (0.12, (0.55, 0.55, 0.55), 1.2 * out)):
            disc = [hub + at + size * (np.cos(a) * forward + np.sin(a) * UP) for a in circle]
            shapes.sheet(np.stack(disc, 1), colour, 0.05)
        angle = (-2 * np.pi * phase)[:, None]
        spoke = 0.2 * (np.cos(angle) * forward + np.sin(angle) * UP)
        shapes.limb(hub + 1.25 * out - spoke, hub + 1.25 * out + spoke, 0.025, (0.4, 0.4, 0.4), 0.05)
    left = np.array([[0.0, 0.28, 0.0]])
    at = turned(left - [[0.2, 0, 0]], place, heading)[:, 0]
    ankles = np.stack(_frame([(0.45, 0.36, 0.42), (0.45, 0.18, 0.42)], place, heading), 1)
    wrists = np.stack(_frame([(0.32, 0.4, 1.05), (0.32, 0.16, 1.05)], place, heading), 1)
    driver = seated(at[:, :2], heading, 0.82, -0.05, ankles, wrists, min(who.stature, 1.75), 0.1)
    dressed(driver, who, shapes)
    shapes.box((-0.12, 0, 1.87), (2.0, 1.2, 0.07), place, heading, (0.74, 0.72, 0.66), 1.0)  # above all else
    return shapes

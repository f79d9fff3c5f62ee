"""The plaza: its layout, its geometry, and that it is neither trivial nor impossible."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import uniform_filter

from adlib.baselines import MeanPicture
from adlib.datasets import plaza
from adlib.datasets._plaza import film as filming
from adlib.datasets._plaza.bodies import dressed, looks
from adlib.datasets._plaza.cast import Actor
from adlib.datasets._plaza.crowd import crowd
from adlib.datasets._plaza.gait import FIGHT, RUN, WALK, Track, footfalls, on_foot, two_bones
from adlib.datasets._plaza.places import SCENES, inside, on_lawn
from adlib.datasets._plaza.shapes import Shapes, View, outline, picture, shadow
from adlib.datasets._plaza.ways import RATE, seen, somewhere
from adlib.datasets.campus import video_folder
from adlib.metrics import auroc

SIZE, SMALL = (96, 128), (48, 64)
KINDS = ("bicycle", "runner", "cart", "lawn", "fight")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The default set but for 6 training videos, read back: the data, and the kind of each test video."""
    folder = plaza.make_plaza(tmp_path_factory.mktemp("plaza"), train=6, progress=False)
    return folder, video_folder(folder), plaza.video_kinds(15)


# the set on disk


def test_the_layout_is_read_back(whole):
    folder, data, _ = whole
    assert folder.name == "plaza" and not data.skipped
    assert [video.name for video in data.train] == [
        f"{scene:02}_{number:03}" for scene in (1, 2, 3) for number in (1, 2)
    ]
    assert [video.name for video in data.test] == [f"{scene:02}_{n:04}" for scene in (1, 2, 3) for n in (1, 2, 3, 4, 5)]
    assert all(len(video) == 60 and video[0].shape == (3, *SIZE) for video in data.train + data.test)
    assert Image.open(folder / "training/frames/01_001/000.jpg").format == "JPEG"
    pixels = np.load(folder / "testing/test_pixel_mask/02_0003.npy")
    assert pixels.shape == (60, *SIZE) and pixels.dtype == np.uint8


def test_a_frame_is_anomalous_where_its_mask_has_eight_pixels(whole):
    _, data, _ = whole
    for video in data.test:
        labels, masks = np.asarray(video.labels), np.asarray(video.masks[:])
        assert len(labels) == len(masks) == len(video)
        count = masks.sum((1, 2))
        np.testing.assert_array_equal(labels == 1, count >= 8)
        np.testing.assert_array_equal(labels == 0, count == 0)
        assert 0.1 <= labels.mean() <= 0.8  # part of the video, in every one


def test_every_kind_is_in_every_scene(whole):
    _, _, kinds = whole
    assert {(name[:2], kind) for name, kind in kinds.items()} == {(s, k) for s in ("01", "02", "03") for k in KINDS}
    assert plaza.KINDS == KINDS
    assert plaza.video_kinds(2) == {"01_0001": "bicycle", "02_0001": "runner"}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_seeds_and_prefixes(tmp_path):
    def made(name, **settings):
        return plaza.make_plaza(tmp_path / name, frames=20, size=SMALL, progress=False, **settings)

    first, again, more, other = (
        contents(made(name, train=train, test=test, seed=seed))
        for name, train, test, seed in (("a", 2, 1, 5), ("b", 2, 1, 5), ("c", 3, 2, 5), ("d", 2, 1, 6))
    )
    assert first == again
    pictures = [name for name in first if name != "readme.txt"]
    assert all(more[name] == first[name] for name in pictures) and len(more) > len(first)
    jpegs = [name for name in pictures if name.endswith(".jpg")]
    assert len(jpegs) == 60 and not any(other[name] == first[name] for name in jpegs)
    told = json.loads(first["readme.txt"].decode().splitlines()[-1])
    assert told["seed"] == 5 and told["size"] == [48, 64]
    assert b"01_0001 bicycle" in first["readme.txt"]


def test_a_set_is_whole_or_absent_and_made_once(tmp_path, monkeypatch):
    settings = dict(train=1, test=1, frames=20, size=SMALL, progress=False)
    calls = []

    def breaks(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise RuntimeError("power cut")
        return filming.film(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(plaza, "film", breaks)
        with pytest.raises(RuntimeError, match="power cut"):
            plaza.make_plaza(tmp_path, **settings)
    assert list(tmp_path.iterdir()) == []
    folder = plaza.make_plaza(tmp_path, **settings)
    monkeypatch.setattr(plaza, "film", None)  # a second run draws nothing
    assert plaza.make_plaza(tmp_path, **settings) == folder
    with pytest.raises(ValueError, match="generated with other settings"):
        plaza.make_plaza(tmp_path, **settings | {"seed": 1})


def test_the_data_folder_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ADLIB_DATA", str(tmp_path))
    assert plaza.make_plaza(train=1, test=1, frames=20, size=48, progress=False) == tmp_path / "plaza"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": 0}, "train must be an integer of at least 1, got 0"),
        ({"test": True}, "test must be an integer of at least 1, got True"),
        ({"frames": 19}, "frames must be an integer of at least 20, got 19"),
        ({"size": (40, 64)}, "size must be an integer of at least 48, got 40"),
        ({"size": (96.0, 128)}, r"size must be an integer of at least 48, got 96\.0"),
        ({"size": (128, 96)}, r"size must be as wide as high or up to 2.5 times as wide, got \(128, 96\)"),
        ({"size": (48, 121)}, "up to 2.5 times as wide"),
        ({"size": "96x128"}, r"size must be one side in pixels or \(height, width\), got '96x128'"),
        ({"size": (96, 128, 3)}, r"size must be one side .* got \(96, 128, 3\)"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"progress": 1}, "progress must be True or False, got 1"),
        ({"root": 3}, "root must be the path of a folder, got 3"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        plaza.make_plaza(**({"root": tmp_path} | arguments))
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments_of_the_others():
    with pytest.raises(ValueError, match="kind must be None or one of bicycle, runner, cart, lawn, fight; got 'car'"):
        plaza.sample("car")
    with pytest.raises(ValueError, match="frames must be an integer of at least 20, got 0"):
        plaza.sample(None, frames=0)
    with pytest.raises(ValueError, match="seed must be an integer of at least 0, got None"):
        plaza.sample(None, seed=None)
    with pytest.raises(ValueError, match="test must be an integer of at least 1, got 0"):
        plaza.video_kinds(0)


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_a_sample_has_the_promised_shapes_and_ranges(kind):
    frames, labels, masks = plaza.sample(kind, frames=24, size=SMALL, seed=3)
    assert (frames.shape, labels.shape, masks.shape) == ((24, *SMALL, 3), (24,), (24, *SMALL))
    assert (frames.dtype, labels.dtype, masks.dtype) == (np.float32, np.int64, np.uint8)
    assert 0 <= frames.min() < 0.2 and 0.6 < frames.max() <= 1
    assert set(np.unique(labels)) == ({0} if kind is None else {0, 1})
    np.testing.assert_array_equal(labels, masks.any((1, 2)))
    np.testing.assert_array_equal(plaza.sample(kind, frames=24, size=SMALL, seed=3)[0], frames)


# neither trivial nor impossible


def together(parts, videos):
    return np.concatenate([np.asarray(parts[video.name]) for video in videos])


def motion(video):
    """The strongest change between frames over 9 x 9 pixels, after the light of each frame was divided out."""
    grey = video.mean(1).numpy()
    grey = grey / grey.mean((1, 2), keepdims=True)
    change = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    change[0] = change[1]
    return np.array([uniform_filter(each, 9).max() for each in change])


def test_the_mean_picture_does_not_solve_it_and_motion_goes_a_long_way(whole):
    """All frames together: the pixel mean stays between 0.5 and 0.85; the fast kinds stand out by motion alone."""
    _, data, kinds = whole
    pixels = {video.name: video[:] for video in data.train + data.test}
    labels = {video.name: video.labels for video in data.test}

    def scored(train, test):
        mean = MeanPicture(device="cpu").fit(torch.cat([pixels[video.name] for video in train]), progress=False)
        return {video.name: mean.anomaly_score(pixels[video.name]).numpy() for video in test}

    whole_set = scored(data.train, data.test)
    by_scene = {}
    for scene in ("01", "02", "03"):
        train, test = ([v for v in part if v.name.startswith(scene)] for part in (data.train, data.test))
        by_scene |= scored(train, test)
    truth = together(labels, data.test)
    for scores in (whole_set, by_scene):
        assert 0.5 < auroc(truth, together(scores, data.test)) < 0.85
    moved = {video.name: motion(pixels[video.name]) for video in data.test}
    assert auroc(truth, together(moved, data.test)) > 0.05 + auroc(truth, together(whole_set, data.test))
    fast = [video for video in data.test if kinds[video.name] in ("bicycle", "runner", "cart")]
    reached = auroc(together(labels, fast), together(moved, fast))
    assert reached > 0.85 and reached > 0.1 + auroc(together(labels, fast), together(whole_set, fast))


def test_light_and_crowds_vary(whole):
    _, data, _ = whole
    light = [float(video[30].mean()) for video in data.train]
    assert max(light) / min(light) > 1.15
    slow = [np.ptp([float(video[t].mean()) for t in range(0, 60, 10)]) for video in data.train]
    assert max(slow) > 0.01


# how people move


def random_track(draw):
    """A way with a changing speed, a stop and turns, and the phase that goes with it."""
    time = np.arange(-3, 7, 0.01)
    speed = draw(st.floats(0.6, 4.5)) * (1 + 0.5 * np.sin(time * draw(st.floats(0.2, 2))))
    if draw(st.booleans()):
        speed = speed * np.clip(np.abs(time - draw(st.floats(0, 3))) - 0.5, 0, 1)
    heading = draw(st.floats(0, 6)) + draw(st.floats(-1, 1)) * np.sin(time)
    step = speed[:, None] * 0.01 * np.stack([np.cos(heading), np.sin(heading)], -1)
    distance = np.cumsum(speed) * 0.01
    cycle = distance / draw(st.floats(1.0, 2.6)) + draw(st.floats(0, 1))
    return Track(time, cycle, np.cumsum(step, 0), heading)


tracks = st.composite(random_track)()


@settings(max_examples=40, deadline=None)
@given(tracks, st.sampled_from([WALK, RUN, FIGHT]))
def test_a_foot_that_stands_does_not_slide(track, gait):
    times = np.arange(0, 4, 1 / RATE)
    balls, swung, stands = footfalls(track, times, gait, 0.07)
    number = np.floor(track.at(times)[0][:, None] + [0, 0.5])
    for foot in (0, 1):
        for step in np.unique(number[:, foot]):
            down = stands[:, foot] & (number[:, foot] == step)
            if down.any():
                assert np.ptp(balls[down, foot], axis=0).max() < 1e-9
                assert np.abs(balls[down, foot, 2]).max() < 1e-12
    assert (swung[stands] == 0).all() and (balls[..., 2] >= -1e-12).all()
    if gait.duty > 0.5:
        assert stands.any(1).all()  # who walks always has a foot on the ground
    # left and right by turns, and never far from the body
    assert np.linalg.norm(balls[..., :2] - track.at(times)[1][:, None], axis=-1).max() < 2.6


def test_a_runner_flies_and_a_walker_who_stops_has_his_feet_together():
    time = np.arange(-3, 7, 0.01)
    forward = np.stack([2.0 * time, 0 * time], -1)
    _, _, stands = footfalls(Track(time, time, forward, 0 * time), np.arange(0, 4, 1 / 30), RUN, 0.07)
    assert (~stands).all(1).any()
    still = Track(time, np.full_like(time, WALK.duty / 2), 0 * forward, 0 * time)
    balls, _, _ = footfalls(still, np.zeros(1), WALK, 0.07)
    np.testing.assert_allclose(balls[0, 0] * [1, -1, 1], balls[0, 1], atol=1e-12)
    np.testing.assert_allclose(balls[0, :, 2], 0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(tracks, st.floats(1.5, 1.95))
def test_bones_keep_their_lengths(track, stature):
    times = np.arange(0, 3, 1 / RATE)
    slow = Track(track.time, track.cycle, 0.3 * track.place, track.heading)
    pose = on_foot(slow, times, WALK, stature)

    def length(first, second):
        return np.linalg.norm(first - second, axis=-1) / stature

    np.testing.assert_allclose(length(pose.hips, pose.knees), 0.245, atol=1e-6)
    np.testing.assert_allclose(length(pose.shoulders, pose.elbows), 0.186, atol=1e-6)
    assert np.abs(length(pose.knees, pose.ankles) - 0.246).max() < 0.02  # a stretched leg may fall short by a little
    assert (pose.head[:, 2] > 0.8 * stature).all() and (pose.head[:, 2] < stature).all()


@given(st.floats(0.1, 0.95), st.floats(0, 6))
def test_the_joint_of_two_bones(part, angle):
    end = part * np.array([np.cos(angle), 0, np.sin(angle)])
    joint = two_bones(np.zeros(3), end, 0.55, 0.45, np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose([np.linalg.norm(joint), np.linalg.norm(end - joint)], [0.55, 0.45], atol=2e-6)
    assert joint[1] > 0


# perspective, shadow, occlusion


def homography(view):
    """The 3 x 4 matrix of the camera, from the textbook: K [R | -R C], with X right, Y away, Z up."""
    tilt = np.radians(view.tilt)
    rotation = np.array([[1, 0, 0], [0, -np.sin(tilt), -np.cos(tilt)], [0, np.cos(tilt), -np.sin(tilt)]])
    focal = view.focal * view.size[0]
    inner = np.array([[focal, 0, view.size[1] / 2], [0, focal, view.size[0] / 2], [0, 0, 1]])
    return inner @ rotation @ np.concatenate([np.eye(3), [[0], [0], [-view.height]]], 1)


@given(st.integers(0, 2), st.floats(-4, 4), st.floats(8, 30), st.floats(0, 2))
def test_points_are_seen_where_the_camera_matrix_says(scene, x, y, z):
    view = SCENES[scene].view(SIZE)
    u, v, w = homography(view) @ [x, y, z, 1]
    pixel, depth = view.project(np.array([x, y, z]))
    np.testing.assert_allclose(pixel, [u / w, v / w], atol=1e-9)
    np.testing.assert_allclose(depth, w, atol=1e-9)
    ground = view.project(np.array([x, y, 0]))[0]
    np.testing.assert_allclose(view.ground(ground), [x, y], atol=1e-7)


def standing(x, y, frames=1, odd=True):
    """Somebody of 1.7 m without a bag who stands at a place."""
    time = np.arange(-5.0, 10.0, 0.1)
    who = looks(np.random.default_rng(8), 1.7)
    track = Track(time, np.full_like(time, WALK.duty / 2), np.broadcast_to([x, y], (len(time), 2)), 0 * time - 1.6)
    body = dressed(on_foot(track, np.arange(frames) / RATE, WALK, 1.7), who)
    return Actor(np.full((frames, 2), [float(x), float(y)]), 0.3, lambda: body, np.full(frames, odd))


@pytest.mark.parametrize("scene", [0, 1, 2])
def test_heights_follow_the_ground_plane(scene):
    view = SCENES[scene].view((960, 1280))
    heights = []
    for y in (10.0, 14.0, 20.0):
        drawn = picture(standing(0.3, y).body(), view, np.array([0.5, 0.5]))
        rows = np.concatenate([corners[0, 1::2] for corners in drawn.corners])
        (_, foot, w0), (_, head, w1) = (homography(view) @ [0.3, y, z, 1] for z in (0, 1.7))
        expected = foot / w0 - head / w1
        assert abs(np.ptp(rows) / expected - 1) < 0.08
        assert abs(rows.max() - foot / w0) < 0.12 * expected  # nobody floats
        heights.append(np.ptp(rows))
    assert heights[0] > 1.15 * heights[1] > 1.15 * 1.15 * heights[2]


@given(st.floats(-2, 2), st.floats(9, 20), st.floats(0, 2), st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_shadows_start_at_what_touches_the_ground(x, y, z, sun_x, sun_y):
    view, sun = View(6.5, 26, 2.0, SIZE), np.array([sun_x, sun_y])
    square = np.array([[0, 0, 0], [0.2, 0, 0], [0.2, 0.2, 0], [0, 0.2, 0]]) + [x, y, 0]
    flat, raised = Shapes(), Shapes()
    flat.sheet(square[None], (1, 1, 1))
    raised.sheet(square[None] + [0, 0, z], (1, 1, 1))
    np.testing.assert_allclose(shadow(flat, view, sun)[0], picture(flat, view, sun).corners[0], atol=1e-9)
    moved = view.project(square + [z * sun_x, z * sun_y, 0])[0] + 0.5
    np.testing.assert_allclose(shadow(raised, view, sun)[0], moved.reshape(1, -1), atol=1e-9)


def test_an_outline_keeps_its_distance():
    points = outline(np.array([[0.0, 0.0], [4.0, 3.0]]), np.array([1.0, 0.5]), 7)
    to_ends = np.linalg.norm(points[:, None] - [[0, 0], [4, 3]], axis=-1)
    np.testing.assert_allclose(to_ends[:7, 0], 1)
    np.testing.assert_allclose(to_ends[7:, 1], 0.5)
    assert (points[:7] @ [4, 3] <= 1e-9).all()


def staged(monkeypatch, actors, scene=0, frames=2):
    monkeypatch.setattr(filming, "crowd", lambda *_: actors)
    return filming.film(scene, None, frames, SIZE, np.random.default_rng(1))


def test_what_stands_in_front_hides_pixels_of_the_mask(monkeypatch):
    """A bin at (3.6, 19) of the first scene, and another person; the shadow is never part of a mask."""
    _, _, free = staged(monkeypatch, [standing(2.6, 19.8, 2)])
    _, _, behind = staged(monkeypatch, [standing(3.6, 19.7, 2)])
    _, _, before = staged(monkeypatch, [standing(3.6, 18.4, 2)])
    assert 0.2 * free[0].sum() < behind[0].sum() < 0.75 * free[0].sum() < before[0].sum()
    _, _, alone = staged(monkeypatch, [standing(0, 12, 2)])
    _, _, hidden = staged(monkeypatch, [standing(0, 12, 2), standing(0.1, 11.5, 2, odd=False)])
    assert hidden[0].sum() < 0.7 * alone[0].sum() and not (hidden[0] & ~alone[0] & 1).any()
    _, _, hiding = staged(monkeypatch, [standing(0, 12, 2), standing(0.1, 12.5, 2, odd=False)])
    np.testing.assert_array_equal(hiding, alone)


def test_masks_are_the_pixels_of_the_actor_and_not_of_the_shadow(monkeypatch):
    empty, _, _ = staged(monkeypatch, [])
    there, labels, masks = staged(monkeypatch, [standing(0, 12, 2)])
    assert labels.tolist() == [1, 1]
    change = np.abs(there[0].astype(int) - empty[0]).max(-1)
    body = masks[0] == 1
    assert 60 < body.sum() < 220
    assert (change[body] > 12).mean() > 0.8
    beyond = (change > 12) & ~body  # the shadow, and the edge of the body
    assert beyond.sum() > 15
    rows, columns = np.nonzero(beyond)
    low = np.nonzero(body)[0].max()
    feet = np.nonzero(body[low])[0]
    assert np.hypot(rows - low, columns - feet.mean()).min() <= 3  # it touches the feet


# who walks where


def casts(count):
    for index in range(count):
        kind = (None, *KINDS)[index % 6]
        scene = SCENES[index // 6 % 3]
        yield kind, scene, scene.view(SIZE), crowd(scene, scene.view(SIZE), 60, 6, kind, np.random.default_rng(index))


def test_nobody_walks_through_anybody_and_nobody_normal_treads_on_a_lawn():
    for kind, scene, view, actors in casts(36):
        shown = [view.sees(actor.place) for actor in actors]
        for index, actor in enumerate(actors):
            for other in actors[:index]:
                assert np.linalg.norm(actor.place - other.place, axis=-1).min() > 0.45
            normal = shown[index] & ~actor.odd
            assert not on_lawn(scene, actor.place[normal]).any()
        odd = [actor for actor in actors if actor.odd.any()]
        assert len(odd) == {None: 0, "fight": 2}.get(kind, 1)
        if kind == "lawn":
            assert on_lawn(scene, odd[0].place[odd[0].odd]).all()


def test_the_fast_kinds_are_at_least_twice_as_fast_as_anybody_else():
    slowest, fastest = np.inf, 0.0
    for kind, _, view, actors in casts(36):
        for actor in actors:
            speed = np.linalg.norm(np.diff(actor.place, axis=0), axis=-1) * RATE
            speed = speed[view.sees(actor.place)[1:]]
            if actor.odd.any() and kind in ("bicycle", "runner"):
                slowest = min(slowest, np.median(speed))
            elif kind not in ("cart", "fight"):
                fastest = max(fastest, np.median(speed) if len(speed) else 0)
    assert slowest > 2 * fastest > 2 * 1.2


def test_ways_begin_and_end_out_of_sight():
    for scene in SCENES:
        view, rng = scene.view(SIZE), np.random.default_rng(3)
        for _ in range(40):
            line = somewhere(scene, rng)
            start, stop = seen(line, view)
            assert 0 < start < stop < line.distance[-1]
            assert not view.sees(line.points[[0, -1]]).any()


@given(st.floats(-2, 3), st.floats(-2, 3))
def test_inside_a_polygon(x, y):
    shape = ((0, 0), (2, 0), (2, 2), (1, 0.5), (0, 2))  # a notch from above
    notch = max(2 - 1.5 * x, 2 - 1.5 * (2 - x))
    expected = 0 < x < 2 and 0 < y < notch
    border = min(abs(v) for v in (x, y, x - 2, y - notch)) < 1e-6
    assert border or bool(inside(shape, np.array([x, y]))) == expected

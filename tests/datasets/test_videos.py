"""Videos as sequences: over picture files, over movies made here with PyAV, with masks of every kind."""

import pickle
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from adlib.datasets import _movies, videos
from adlib.datasets.videos import Video, VideoData, VideoMasks

try:
    import av
except ImportError:
    av = None
needs_av = pytest.mark.skipif(av is None, reason="no PyAV")


def numbered(count: int, height: int = 12, width: int = 16) -> np.ndarray:
    """Frames (T, H, W, 3), each with its number written in its pixels, in all three channels differently."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    frames[..., 0] = (np.arange(count) % 250)[:, None, None]
    frames[..., 1] = np.linspace(0, 255, width).astype(np.uint8)
    frames[..., 2] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    return frames


def write_pictures(folder: Path, frames: np.ndarray, name: str = "{:03d}.png") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name.format(i) for i in range(len(frames))]
    for file, frame in zip(files, frames, strict=True):
        Image.fromarray(frame).save(file)
    return files


def write_movie(path: Path, frames: np.ndarray, codec: str = "ffv1", pixels: str = "bgr0", **options: str) -> Path:
    """ffv1 loses nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        stream.options = options
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def tensor(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(frames.transpose(0, 3, 1, 2) / np.float32(255))


def same(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.fixture(params=["pictures", pytest.param("movie", marks=needs_av)])
def made(request, tmp_path):
    """The same 40 frames as pictures and as a movie."""
    frames = numbered(40)
    if request.param == "movie":
        return write_movie(tmp_path / "a.avi", frames), tensor(frames)
    return write_pictures(tmp_path / "a", frames), tensor(frames)


# a sequence


def test_a_video_is_a_sequence_of_frames(made):
    files, frames = made
    video = Video("a", files)
    assert len(video) == 40 and video.shape == (40, 3, 12, 16) and video.name == "a"
    assert video[0].dtype == torch.float32
    same(video[7], frames[7])
    same(video[-1], frames[-1])
    same(video[np.int64(3)], frames[3])
    same(video[:], frames)
    same(torch.stack(list(video)), frames)  # ends by IndexError
    same(video.labels, torch.zeros(40, dtype=torch.int64))
    assert video.masks is None
    for index in (40, -41):
        with pytest.raises(IndexError, match="outside of a video of 40 frames"):
            video[index]
    for index in (1.0, "1", None, [1, 2]):
        with pytest.raises(TypeError, match="an index must be a whole number or a slice"):
            video[index]


BOUNDS = st.one_of(st.none(), st.integers(-50, 50))


@pytest.fixture(scope="module")
def forty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forty")
    frames = numbered(40)
    made = [Video("a", write_pictures(folder / "a", frames), size=(6, 8))]
    if av is not None:
        made.append(Video("a", write_movie(folder / "a.avi", frames), size=(6, 8)))
    return made, torch.stack(list(made[0]))


@settings(deadline=None, max_examples=40)
@given(start=BOUNDS, stop=BOUNDS, step=st.one_of(st.none(), st.integers(-7, 7).filter(bool)))
def test_slices_are_those_of_the_whole_tensor(forty, start, stop, step):
    made, frames = forty
    index = list(range(40))[start:stop:step]
    for video in made:
        same(video[start:stop:step], frames[index])


@settings(deadline=None, max_examples=40)
@given(indices=st.lists(st.integers(-40, 39), max_size=12))
def test_any_order_of_access_gives_the_same_frames(forty, indices):
    made, frames = forty
    for video in made:
        for index in indices:
            same(video[index], frames[index])


def test_size_and_channels(made):
    files, frames = made
    assert Video("a", files, size=8).shape == (40, 3, 8, 8)
    video = Video("a", files, size=(6, 9), channels=1)
    assert video.shape == (40, 1, 6, 9) and video[5].shape == (1, 6, 9) and video[4:4].shape == (0, 1, 6, 9)
    grey = Video("a", files, channels=1)[5]
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]  # ITU-R 601
    torch.testing.assert_close(grey, (frames[5] * weights).sum(0, keepdim=True), rtol=0, atol=1 / 255)


@needs_av
def test_a_movie_is_scaled_as_pictures_are(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3)).astype(np.uint8)
    movie = Video("a", write_movie(tmp_path / "a.avi", frames), size=(16, 24))
    same(movie[:], Video("a", write_pictures(tmp_path / "a", frames), size=(16, 24))[:])


def test_labels_and_their_number(made):
    files, _ = made
    given = np.arange(40) % 2
    for labels in (given, given.astype(bool), given.tolist(), torch.tensor(given)):
        video = Video("a", files, labels=labels)
        assert video.labels.dtype == torch.int64
        assert video.labels.tolist() == given.tolist()
    with pytest.raises(ValueError, match=r"video a has 40 frames, but labels of shape \(39,\)"):
        Video("a", files, labels=given[:39])
    with pytest.raises(ValueError, match="labels must be 0 or 1, got the value 2"):
        Video("a", files, labels=given + 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 2}, "channels must be 1 or 3, got 2"),
        ({"channels": True}, "channels must be 1 or 3, got True"),
        ({"size": 0}, "size must be a whole number of pixels"),
        ({"size": (4, 4, 4)}, "size must be a whole number of pixels"),
        ({"on_corrupt": "skip"}, 'on_corrupt must be "raise" or "previous", got \'skip\''),
        ({"frames": []}, "frames must hold one file or more, got none"),
        ({"masks": []}, "masks must hold one file or more, got none"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    given = {"frames": write_pictures(tmp_path, numbered(2))} | arguments
    with pytest.raises(ValueError, match=message):
        Video("a", **given)


# pictures


def test_pictures_are_decoded_once_and_only_when_asked_for(tmp_path, monkeypatch):
    asked = []
    read = videos.read_picture
    monkeypatch.setattr(videos, "read_picture", lambda path, **how: asked.append(path.name) or read(path, **how))
    video = Video("a", write_pictures(tmp_path, numbered(9)), labels=np.zeros(9))
    assert len(video) == 9 and video.shape[0] == 9 and not asked
    for _ in video:
        pass
    assert asked == [f"{i:03d}.png" for i in range(9)]


def corrupt(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def test_a_corrupt_picture_is_an_error_that_names_it_and_the_way_on(tmp_path):
    files = write_pictures(tmp_path, numbered(6))
    corrupt(files[3])
    video = Video("a", files)
    same(video[:3], tensor(numbered(6))[:3])
    with pytest.raises(ValueError, match=r'cannot be read as a picture.*on_corrupt="previous" shows') as caught:
        video[2:5]
    assert str(files[3]) in str(caught.value)


def test_previous_keeps_frames_and_labels_in_step(tmp_path):
    files = write_pictures(tmp_path, numbered(6))
    for i in (3, 4):
        corrupt(files[i])
    video = Video("a", files, labels=[0, 0, 0, 1, 1, 0], on_corrupt="previous")
    with pytest.warns(UserWarning, match=r"00[34]\.png.*The frame before it is shown instead"):
        frames = video[:]
    same(frames, tensor(numbered(6))[[0, 1, 2, 2, 2, 5]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(video[5], tensor(numbered(6))[5])
    corrupt(files[0])
    with pytest.raises(ValueError, match=r"000.png.*it is the first frame"):
        Video("a", files, on_corrupt="previous", size=8)[0]


@pytest.mark.filterwarnings("ignore:.*The frame before it is shown:UserWarning")
def test_previous_goes_back_as_far_as_it_takes(tmp_path):
    (first,) = write_pictures(tmp_path, numbered(1))
    empty = tmp_path / "empty.png"
    empty.touch()
    same(Video("a", [first] + [empty] * 1200, on_corrupt="previous")[1200], tensor(numbered(1))[0])


def test_a_missing_picture_is_never_replaced(tmp_path):
    files = write_pictures(tmp_path, numbered(3))
    files[1].unlink()
    with pytest.raises(FileNotFoundError):
        Video("a", files, on_corrupt="previous")[1]


def test_frames_of_unequal_size(tmp_path):
    files = write_pictures(tmp_path, numbered(4))
    Image.fromarray(numbered(1, 10, 16)[0]).save(files[2])
    with pytest.raises(
        ValueError, match=r"002.png has 10 x 16 pixels .* the first frame of video a 12 x 16; give a size"
    ):
        Video("a", files)[:]
    assert Video("a", files, size=8)[:].shape == (4, 3, 8, 8)


# movies


@needs_av
@pytest.mark.parametrize(
    ("suffix", "codec", "pixels", "options"),
    [
        (".avi", "mpeg4", "yuv420p", {}),
        (".avi", "mpeg4", "yuv420p", {"bf": "2"}),
        (".mp4", "mpeg4", "yuv420p", {"bf": "2", "g": "40"}),
        (".AVI", "mjpeg", "yuvj444p", {}),
        (".avi", "rawvideo", "bgr24", {}),
    ],
)
def test_codecs_with_frames_out_of_order(tmp_path, suffix, codec, pixels, options):
    """With B-frames, packets come in another order than frames, and the last frames only when the file has ended.

    Each frame shows its number in six black or white bars, which outlive the losses of compression.
    """
    bits = (np.arange(50)[:, None] >> np.arange(6)) & 1
    frames = np.tile(np.repeat(bits, 8, axis=1)[:, None, :, None], (1, 32, 1, 3)).astype(np.uint8) * 255
    video = Video("a", write_movie(tmp_path / f"a{suffix}", frames, codec, pixels, **options))
    assert len(video) == 50
    bars = video[:].mean((1, 2)).reshape(50, 6, 8).mean(2) > 0.5
    assert (bars.int() * 2 ** torch.arange(6)).sum(1).tolist() == list(range(50))


@needs_av
def test_the_number_of_frames_is_not_taken_from_the_header(tmp_path):
    path = write_movie(tmp_path / "a.avi", numbered(20))
    content = bytearray(path.read_bytes())
    avih, strh = content.index(b"avih"), content.index(b"strh")
    assert content[avih + 24 : avih + 28] == content[strh + 40 : strh + 44] == struct.pack("<I", 20)
    for place in (avih + 24, strh + 40):
        content[place : place + 4] = struct.pack("<I", 23)
    path.write_bytes(bytes(content))
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 23
    video = Video("a", path)
    assert len(video) == 20 and len(list(video)) == 20


def count_decoded(monkeypatch) -> list[int]:
    counted = []
    decode = _movies.Movie._decode

    def counting(self):
        frame = decode(self)
        if frame is not None:
            counted.append(self._next)
        return frame

    monkeypatch.setattr(_movies.Movie, "_decode", counting)
    return counted


@needs_av
def test_streaming_decodes_every_frame_once(tmp_path, monkeypatch):
    decoded = count_decoded(monkeypatch)
    video = Video("a", write_movie(tmp_path / "a.avi", numbered(60)))
    for start in range(56):  # windows of five frames, as predicting the next one from four needs them
        assert video[start : start + 5].shape[0] == 5
    assert decoded == list(range(60))


@needs_av
def test_going_back_far_starts_anew(tmp_path, monkeypatch):
    video = Video("a", write_movie(tmp_path / "a.avi", numbered(60)))
    video[59]
    decoded = count_decoded(monkeypatch)
    same(video[10], tensor(numbered(60))[10])
    assert decoded == list(range(11))
    same(video[::-1], tensor(numbered(60)).flip(0))  # reversed, yet decoded forwards
    assert decoded == [*range(11), *range(60)]


def memory() -> int:
    """Bytes this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@needs_av
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_constant_while_a_long_movie_streams(tmp_path):
    video = Video("a", write_movie(tmp_path / "a.avi", np.tile(numbered(100, 120, 160), (8, 1, 1, 1))))
    assert len(video) == 800
    for i in range(100):
        video[i]
    before = memory()
    for i in range(100, 800):
        video[i]
    whole = 700 * 120 * 160 * 3  # were the frames kept, at a byte for each value
    assert memory() - before < whole / 4


@needs_av
def test_a_video_with_an_open_decoder_can_be_pickled(tmp_path):
    video = Video("a", write_movie(tmp_path / "a.avi", numbered(30)), labels=np.arange(30) % 2)
    video[20]
    copy = pickle.loads(pickle.dumps(video))
    same(copy[5], tensor(numbered(30))[5])
    same(copy[21], video[21])
    assert copy.labels.tolist() == video.labels.tolist()


@pytest.mark.skipif(sys.platform == "win32", reason="cannot fork")
@pytest.mark.parametrize("kind", ["pictures", pytest.param("movie", marks=needs_av)])
def test_forked_workers_read_for_themselves(tmp_path, kind):
    """They must not share the position in the file with their parent, nor wait for threads of its decoder."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3)).astype(np.uint8)  # more than a buffer holds
    frames = tensor(noise)
    made = write_movie(tmp_path / "a.avi", noise) if kind == "movie" else write_pictures(tmp_path / "a", noise)
    video = Video("a", made)
    same(video[3], frames[3])
    batches = []
    for batch in DataLoader(video, batch_size=5, num_workers=2, multiprocessing_context="fork"):
        batches.append(batch)
        same(video[3 + 4 * len(batches)], frames[3 + 4 * len(batches)])
    same(torch.cat(batches), frames)


@needs_av
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"cannot be read as a movie: the file is empty \(0 bytes\)"),
        (b"<html>not found</html>" * 100, "cannot be read as a movie"),
    ],
)
def test_what_is_no_movie(tmp_path, content, message):
    path = tmp_path / "a.avi"
    path.write_bytes(content)
    for ask in (len, lambda video: video[0], lambda video: video.shape):
        with pytest.raises(ValueError, match=message) as caught:
            ask(Video("a", path))
        assert str(path) in str(caught.value)


@needs_av
def test_a_missing_movie_and_one_without_pictures(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"b\.avi does not exist"):
        len(Video("b", tmp_path / "b.avi"))
    with av.open(str(tmp_path / "c.avi"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match=r"c\.avi holds no video stream"):
        len(Video("c", tmp_path / "c.avi"))


@needs_av
def test_an_unknown_codec_is_told(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode())
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content.replace(b"mp4v", b"zzzz").replace(b"esds", b"zzzz"))
    with pytest.raises(ValueError, match=r"a\.mp4 is encoded in a way that PyAV cannot decode: .* extract its frames"):
        len(Video("a", tmp_path / "a.mp4"))


@needs_av
def test_a_corrupt_frame_of_a_movie(tmp_path):
    """ffv1 checks its slices; here the packet of frame 12 is overwritten."""
    path = write_movie(tmp_path / "a.avi", numbered(20))
    with av.open(str(path)) as container:
        packet = bytes([p for p in container.demux(container.streams.video[0]) if p.size][12])
    path.write_bytes(path.read_bytes().replace(packet, b"\xff" * len(packet)))
    video = Video("a", path)
    assert len(video) == 20
    same(video[:12], tensor(numbered(20))[:12])
    with pytest.raises(
        ValueError, match=r"cannot be decoded whole.*fetch it again or extract its frames: ffmpeg"
    ) as caught:
        video[:]
    assert str(path) in str(caught.value)


@needs_av
@pytest.mark.parametrize(("counted", "message"), [(25, "ends after 20"), (15, "goes on after them")])
def test_packets_and_frames_must_agree_in_number(tmp_path, counted, message):
    video = Video("a", write_movie(tmp_path / "a.avi", numbered(20)))
    video._movie.count = counted
    with pytest.raises(ValueError, match=f"it should hold {counted} frames, but {message}"):
        video[:]


def test_without_pyav_the_remedies_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    video = Video("a", tmp_path / "01_001.avi")
    for ask in (len, lambda video: video[0], lambda video: video.shape, lambda video: video.labels):
        with pytest.raises(ImportError, match=r"pip install av\. Or extract its frames: ffmpeg -r 1 -i 01_001\.avi"):
            ask(video)


# masks


def some_masks(count: int = 5, height: int = 12, width: int = 16) -> np.ndarray:
    masks = np.zeros((count, height, width), np.uint8)
    for i in range(1, count, 2):
        masks[i, 2 + i : 6 + i, 3 : 8 + i] = 1
    return masks


def write_masks(folder: Path, masks: np.ndarray, kind: str) -> Path | list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "pictures":
        return write_pictures(folder, masks * np.uint8(255), "{:03d}.bmp")
    if kind == "mat":
        cells = np.empty((1, len(masks)), object)
        cells[0] = list(masks)
        scipy.io.savemat(folder / "1_label.mat", {"volLabel": cells}, do_compression=True)
        return folder / "1_label.mat"
    np.save(folder / "1.npy", masks.astype(kind))
    return folder / "1.npy"


KINDS = ["pictures", "mat", "uint8", "bool", "float64"]


@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_every_kind(tmp_path, kind):
    masks = some_masks()
    files = write_pictures(tmp_path / "frames", numbered(5))
    video = Video("a", files, masks=write_masks(tmp_path / "masks", masks, kind))
    assert isinstance(video.masks, VideoMasks) and len(video.masks) == 5
    assert video.masks[3].dtype == torch.uint8
    np.testing.assert_array_equal(video.masks[:], masks)
    np.testing.assert_array_equal(video.masks[-2], masks[3])
    assert video.labels.tolist() == [0, 1, 0, 1, 0]
    assert video.labels.dtype == torch.int64
    assert Video("a", files, masks=video.masks.files, labels=[1] * 5).labels.tolist() == [1] * 5
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(video)).masks[1], masks[1])


@pytest.mark.parametrize("kind", ["pictures", "uint8"])
@pytest.mark.parametrize("size", [(6, 8), (24, 32), (7, 5), (12, 16)])
def test_masks_are_scaled_by_nearest_neighbour_and_stay_0_and_1(tmp_path, kind, size):
    masks = (np.random.default_rng(1).random((3, 12, 16)) < 0.3).astype(np.uint8)
    files = write_pictures(tmp_path / "frames", numbered(3))
    video = Video("a", files, masks=write_masks(tmp_path / "masks", masks, kind), size=size)
    reference = [np.asarray(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST)) for mask in masks]
    np.testing.assert_array_equal(video.masks[:], np.stack(reference))
    assert video.labels.tolist() == masks.any((1, 2)).astype(int).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_another_number_or_size(tmp_path, kind):
    files = write_pictures(tmp_path / "frames", numbered(5))
    masks = write_masks(tmp_path / "few", some_masks(4), kind)
    with pytest.raises(ValueError, match=r"video a has 5 frames, but 4 masks in .*few"):
        Video("a", files, masks=masks)
    video = Video("a", files, masks=write_masks(tmp_path / "small", some_masks(5, 12, 15), kind), size=8)
    with pytest.raises(ValueError, match=r"small.* must hold masks as large as the frames, 12 x 16 .*, got 12 x 15"):
        video.masks[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("1.npy", b"", "cannot be read as a .npy array"),
        ("1.npy", b"\x93NUMPY" + b"x" * 200, "cannot be read as a .npy array"),
        ("1.mat", b"", "cannot be read as a MATLAB file"),
        ("1.mat", b"MATLAB 5.0 MAT-file" + b" " * 200, "cannot be read as a MATLAB file"),
        (
            "1.mat",
            b"MATLAB 7.3 MAT-file, Platform: PCWIN64".ljust(124) + b"\0\2IM" + b"\x89HDF\r\n",
            "save it with -v7",
        ),
    ],
)
def test_broken_masks_are_named(tmp_path, name, content, message):
    files = write_pictures(tmp_path / "frames", numbered(2))
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        Video("a", files, masks=path)
    assert str(path) in str(caught.value)


def test_masks_that_hold_other_things(tmp_path):
    files = write_pictures(tmp_path / "frames", numbered(2))
    np.save(tmp_path / "flat.npy", np.zeros(2))
    np.save(tmp_path / "words.npy", np.array([[["a"]]]))
    np.savez(tmp_path / "pack.npz", np.zeros((2, 12, 16)))
    (tmp_path / "pack.npz").rename(tmp_path / "pack.npy")
    scipy.io.savemat(tmp_path / "gt.mat", {"gt": np.zeros(2), "other": 1})
    scipy.io.savemat(tmp_path / "plain.mat", {"volLabel": np.zeros((1, 2))})
    for name, message in (
        ("flat.npy", r"must have the shape \(frames, height, width\), got \(2,\)"),
        ("words.npy", "must hold an array of numbers, got dtype <U1"),
        ("pack.npy", "must be one .npy array, got an archive of several"),
        ("gt.mat", "must hold the cells volLabel, got gt, other"),
    ):
        with pytest.raises(ValueError, match=message):
            Video("a", files, masks=tmp_path / name)
    with pytest.raises(ValueError, match="volLabel must hold masks of one size"):
        Video("a", files, masks=tmp_path / "plain.mat").masks[0]
    whole = write_masks(tmp_path / "whole", some_masks(2), "mat")
    cut = tmp_path / "cut.mat"
    cut.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"cut\.mat cannot be read as a MATLAB file"):
        Video("a", files, masks=cut).masks[0]


def test_masks_are_read_a_frame_at_a_time(tmp_path, monkeypatch):
    """A .npy of many frames is mapped into memory, not read."""
    path = write_masks(tmp_path / "masks", some_masks(), "uint8")
    loaded = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda *given, **how: loaded.append(how.get("mmap_mode")) or load(*given, **how))
    Video("a", write_pictures(tmp_path / "frames", numbered(5)), masks=path).masks[2]
    assert loaded and set(loaded) == {"r"}


# fingerprints


def test_the_fingerprint_sees_everything_but_paths(tmp_path):
    def made(place: str, **how) -> VideoData:
        files = write_pictures(tmp_path / place / "a", numbered(4))
        masks = write_masks(tmp_path / place / "m", some_masks(4), "uint8")
        return VideoData(place, (Video("a", files, **how),), (Video("b", files, masks=masks, **how),))

    digest = made("one").sha256()
    assert len(digest) == 64 and digest == made("two").sha256()
    assert len({made("one", **how).sha256() for how in ({}, {"size": 8}, {"channels": 1})}) == 3
    data = made("two")
    other = VideoData(
        "two", data.train, (Video("b", data.test[0].files, masks=data.test[0].masks.files, labels=[1] * 4),)
    )
    assert other.sha256() != digest
    assert VideoData("two", data.test, data.train).sha256() != digest
    Image.fromarray(numbered(9)[8]).save(data.train[0].files[2])
    changed = data.sha256()
    assert changed != digest
    np.save(data.test[0].masks.files[0], some_masks(4)[::-1])
    assert data.sha256() not in (changed, digest)


@needs_av
def test_the_fingerprint_of_a_movie(tmp_path):
    first = VideoData("a", (Video("a", write_movie(tmp_path / "a.avi", numbered(20))),), ())
    second = VideoData("a", (Video("a", write_movie(tmp_path / "b.avi", numbered(21))),), ())
    assert first.sha256() != second.sha256()


def test_nothing_is_printed_that_floods_a_notebook(tmp_path):
    video = Video("a", write_pictures(tmp_path / "a", numbered(3)))
    assert repr(video) == f"Video('a', {tmp_path / 'a'})"
    assert repr(VideoData("x", (video,) * 50, (video,) * 50)) == "VideoData(name='x')"


@pytest.mark.parametrize("value", [3, "a", (3,), (3, 0), (3, True), (3, 4.0), [3, 4, 5]])
def test_sizes_of_masks_are_height_and_width(tmp_path, value):
    for sizes, name in (((value,), "native"), (((8, 8), value), "size")):
        with pytest.raises(ValueError, match=rf"{name} must be (\(height, width\) in|an integer of at least 1)"):
            VideoMasks([tmp_path / "a.png"], *sizes)


def test_arguments_of_another_type(tmp_path):
    files = write_pictures(tmp_path, numbered(3))
    for name in (None, 3, b"a"):
        with pytest.raises(ValueError, match="name must be a text, got"):
            Video(name, files)
    for frames in (None, 3, [3], [None]):
        with pytest.raises(ValueError, match=r"frames must be (a sequence of paths|the path of a file), got"):
            Video("a", frames)
        if frames is not None:
            with pytest.raises(ValueError, match=r"masks must be (a sequence of paths|the path of a file), got"):
                Video("a", files, masks=frames)
    for channels in (1.0, True, torch.tensor(3)):
        with pytest.raises(ValueError, match="channels must be 1 or 3, got"):
            Video("a", files, channels=channels)
    same(Video("a", files)[torch.tensor(1)], tensor(numbered(3))[1])

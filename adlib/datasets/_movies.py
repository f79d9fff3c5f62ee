"""Frames out of a movie file, one after the other, through PyAV (``av``), which brings the FFmpeg libraries.

Only :class:`adlib.datasets.videos.Video` uses this module. PyAV is an optional dependency, imported when needed.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from adlib.datasets._decoding import scaled

SUFFIXES = (".avi", ".mp4")
"""Suffixes of movie files, in lower case."""

_EXTRACT = (
    "extract its frames: ffmpeg -r 1 -i {name} -r 1 -start_number 0 -q:v 2 FOLDER/%04d.jpg (the two -r 1 keep every "
    "frame exactly once)"
)
_KEEP = 32  # frames: more than the windows that methods slide over a video


def _pyav(path: Path) -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise ImportError(
            f"{path} is a movie, and reading movies takes PyAV: pip install av. Or {_EXTRACT.format(name=path.name)}"
        ) from error
    return av


def _rgb(frame: Any) -> np.ndarray:
    """(H, W, 3) uint8, without threads: a forked process has none of them and would wait for them for ever."""
    try:
        return frame.to_ndarray(format="rgb24", threads=1)
    except TypeError:  # PyAV before 17 has no such argument, and no threads here
        return frame.to_ndarray(format="rgb24")


class Movie:
    """The frames of a movie file in order: going on is cheap, going back opens the file anew.

    At most ``_KEEP`` decoded frames are held, so that overlapping windows decode each frame once and memory does not
    grow with the length. size: (height, width) of what comes out, None for the movie's own. channels: 1 or 3.
    """

    def __init__(self, path: Path, size: tuple[int, int] | None, channels: int) -> None:
        self.path, self.size, self.channels = path, size, channels
        self._close()

    def _close(self) -> None:
        self._container: Any = None
        self._decoded: Iterator[Any] = iter(())
        self._next = 0
        self._recent: OrderedDict[int, np.ndarray] = OrderedDict()
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open file: a worker process opens it again."""
        state = self.__dict__.copy()
        for name in ("_container", "_decoded", "_next", "_recent", "_process"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._close()

    def _opened(self) -> tuple[Any, Any]:
        """A container, and its first video stream."""
        av = _pyav(self.path)
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path} does not exist")
        try:
            container = av.open(str(self.path), metadata_errors="replace")
        except av.FFmpegError as error:
            reason = "the file is empty (0 bytes)" if self.path.stat().st_size == 0 else error
            raise ValueError(f"{self.path} cannot be read as a movie: {reason}; unpack or fetch it again") from error
        if not container.streams.video:
            container.close()
            raise ValueError(f"{self.path} holds no video stream")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            container.close()
            raise ValueError(f"{self.path} is encoded in a way that PyAV cannot decode: {self._remedy}")
        stream.codec_context.thread_count = 1  # see _rgb
        return container, stream

    @cached_property
    def native_size(self) -> tuple[int, int]:
        """(height, width) in the file."""
        container, stream = self._opened()
        with container:
            return stream.codec_context.height, stream.codec_context.width

    @cached_property
    def count(self) -> int:
        """The number of frames, from the packets: what headers say is wrong in many AVI files. Nothing is decoded."""
        container, stream = self._opened()
        with container:
            count = sum(1 for packet in container.demux(stream) if packet.size)
        if not count:
            raise ValueError(f"{self.path} holds no frame; unpack or fetch it again")
        return count

    def read(self, index: int) -> np.ndarray:
        """Frame number index, 0 to count - 1, as (C, H, W) uint8. Raises ValueError where it cannot be decoded."""
        if self._process != os.getpid():  # a forked process shares the position in the file with its parent
            self._close()
        if index in self._recent:
            return self._recent[index]
        if self._container is None or index < self._next:
            self._close()
            self._container, stream = self._opened()
            self._decoded = self._container.decode(stream)
        while self._next <= index:
            frame = self._decode()
            if frame is None:
                raise self._broken(f"it should hold {self.count} frames, but ends after {self._next}")
            self._next += 1
        if self._next == self.count and self._decode() is not None:
            raise self._broken(f"it should hold {self.count} frames, but goes on after them")
        self._recent[index] = self._converted(frame)
        if len(self._recent) > _KEEP:
            self._recent.popitem(last=False)
        return self._recent[index]

    def _decode(self) -> Any:
        av = _pyav(self.path)
        try:
            return next(self._decoded, None)
        except av.FFmpegError as error:
            raise self._broken(f"frame {self._next} is corrupt ({error})") from error

    @property
    def _remedy(self) -> str:
        return f"fetch it again or {_EXTRACT.format(name=self.path.name)}"

    def _broken(self, problem: str) -> ValueError:
        self._close()
        return ValueError(f"{self.path} cannot be decoded whole: {problem}; {self._remedy}")

    def _converted(self, frame: Any) -> np.ndarray:
        if (frame.height, frame.width) != self.native_size:
            height, width = self.native_size
            raise self._broken(
                f"frame {self._next - 1} has {frame.height} x {frame.width} pixels (height x width), the first "
                f"{height} x {width}"
            )
        picture = Image.fromarray(_rgb(frame))
        if self.channels == 1:
            picture = picture.convert("L")
        pixels = np.asarray(scaled(picture, self.size, "stretch"))
        return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))

"""The contract of all video detectors: the verbs of :mod:`adlib.detector`, with a value for each frame.

A video: float Tensor (T, C, H, W) in [0, 1], or a Dataset whose slices give one, such as
:class:`adlib.datasets.videos.Video`. Scores: the higher, the more anomalous.
Taught in :doc:`/book/video/autoencoder`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from adlib.detector import DetectorBase, check_images, conformal_threshold

Frames = Tensor | Dataset


class VideoDetector(DetectorBase):
    """A detector of anomalous frames, learnt from normal videos alone.

    A method is a subclass with its constants in a frozen dataclass ``config_class``, the ``clip_length`` and five
    functions. ``_fit`` learns. ``_score`` takes the frames of one video in order, block by block (n, C, H, W), and
    yields (m,), in order too, until there is a value for each frame; ``_map`` likewise yields (m, H, W). How many
    come out at a time is free. ``_get_state`` and ``_set_state`` give and take what was learnt. The checks are made
    here, once.

    Each frame is read once, in slices of ``batch_size``, so memory does not grow with the length of a video, but for
    the result.

    config: an instance of ``config_class``, its defaults when None. seed: every random draw comes from it.
    device: ``"cpu"``, ``"cuda"``, ...; a GPU if there is one when None. Raises ``ValueError`` that names the argument.

    Learned: ``shape_`` (C, H, W) of the frames, ``threshold_`` once calibrated.
    Taught in :doc:`/book/video/autoencoder`.
    """

    batch_size: ClassVar[int] = 16  # frames read and scored at once

    @property
    @abstractmethod
    def clip_length(self) -> int:
        """Frames that are looked at together, the least that a video must have."""

    @abstractmethod
    def _fit(self, videos: Sequence[Frames], *, checkpoint: Path | None, progress: bool) -> None: ...

    @abstractmethod
    def _score(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]: ...

    @abstractmethod
    def _map(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]: ...

    def fit(
        self, videos: Sequence[Frames], *, checkpoint: str | Path | None = None, progress: bool = True
    ) -> VideoDetector:
        """Learn from normal videos alone. Returns self.

        videos: a sequence of videos, each a float Tensor (T, C, H, W) in [0, 1] or a Dataset whose slices give one,
        all with frames of one shape (C, H, W) and at least ``clip_length`` of them. checkpoint: a file in which the
        training leaves its state, and from which it goes on. progress: show a progress bar.
        """
        videos = check_videos(videos, least=self.clip_length)
        vars(self).pop("shape_", None)  # a fit that fails leaves a detector that is not fitted
        shape = tuple(next(frame_blocks(videos[0], 1, name="videos[0]")).shape[1:])
        self._fit(videos, checkpoint=Path(checkpoint) if checkpoint else None, progress=progress)
        self.shape_, self.threshold_ = shape, None
        return self

    def anomaly_score(self, video: Frames) -> Tensor:
        """One value a frame, the higher, the more anomalous. video: as in :meth:`fit`. Returns (T,) on the CPU."""
        return self._apply(self._score, video)

    def anomaly_map(self, video: Frames) -> Tensor:
        """One value a pixel, the higher, the more anomalous. video: as in :meth:`fit`. Returns (T, H, W) on the CPU."""
        return self._apply(self._map, video)

    def calibrate(self, held_out_normal: Sequence[Frames], false_positive_rate: float = 0.05) -> VideoDetector:
        """Set the threshold by :func:`adlib.detector.conformal_threshold` from frames of normal videos. Returns self.

        The promise is weaker than for pictures. Neighbouring frames are alike, so the n scores are worth far fewer
        independent ones, and the guarantee, which takes a new frame to be exchangeable with the n, does not hold. The
        rate is met about, on the mean over many videos; how nearly depends on the number of held-out videos, not of
        frames. Within one video false alarms come in runs: one video may have none, the next a hundred.

        held_out_normal: videos that fit has not seen, as it takes them. false_positive_rate: in (0, 1), of frames.
        """
        self._check_fitted()
        videos = check_videos(held_out_normal, name="held_out_normal", least=self.clip_length)
        scores = [self._apply(self._score, video, f"held_out_normal[{i}]") for i, video in enumerate(videos)]
        self.threshold_ = conformal_threshold(torch.cat(scores), false_positive_rate)
        return self

    @torch.no_grad()
    def _apply(
        self, function: Callable[[Iterable[Tensor]], Iterator[Tensor]], video: Frames, name: str = "video"
    ) -> Tensor:
        self._check_fitted()
        video = check_video(video, name=name, least=self.clip_length)
        read = frame_blocks(video, self.batch_size, name=name, shape=self.shape_)
        result = torch.cat([self._finite(part) for part in function(block.to(self.device) for block in read)])
        if len(result) != len(video):  # type: ignore[arg-type]
            raise AssertionError(f"{type(self).__name__} gave {len(result)} values for {len(video)} frames")  # type: ignore[arg-type]
        return result


def check_video(video: Any, *, name: str = "video", least: int = 1) -> Frames:
    """Return video if it is one of at least so many frames, else raise ``ValueError``.

    video: float Tensor (T, C, H, W) in [0, 1], checked at once, or a Dataset with a length; its frames are checked as
    :func:`frame_blocks` reads them. name: what to call it in the message. least: length of a clip.
    """
    if isinstance(video, IterableDataset):
        raise ValueError(f"{name} must be a Dataset with a length and slices, got {type(video).__name__}")
    if not isinstance(video, Dataset):
        video = check_images(video, name=name, first="T").detach()
    frames = len(video)  # type: ignore[arg-type]
    if frames < max(least, 1):
        raise ValueError(f"{name} must have at least {max(least, 1)} frames, the length of a clip, got {frames}")
    return video


def check_videos(videos: Any, *, name: str = "videos", least: int = 1) -> list[Frames]:
    """The videos as a list if they are a sequence of at least one, each as :func:`check_video` wants it.

    Raises ``ValueError`` that names the video, such as ``videos[3]``.
    """
    if not isinstance(videos, Sequence) or isinstance(videos, str | bytes):
        hint = "; put one video into a list" if isinstance(videos, Tensor | Dataset) else ""
        raise ValueError(f"{name} must be a sequence of videos, got {type(videos).__name__}{hint}")
    if not videos:
        raise ValueError(f"{name} must hold at least one video, got none")
    return [check_video(video, name=f"{name}[{i}]", least=least) for i, video in enumerate(videos)]


def frame_blocks(
    video: Frames, size: int, *, name: str = "video", shape: tuple[int, ...] | None = None
) -> Iterator[Tensor]:
    """The frames in order, (n, C, H, W) float32 with n at most ``size``, each read once.

    video: as :func:`check_video` returns it. name: what to call it in an error. shape: (C, H, W) that all frames must
    have, that of the first when None. Raises ``ValueError`` where a slice fails or gives something else.
    """
    for start in range(0, len(video), size):  # type: ignore[arg-type]
        stop = min(start + size, len(video))  # type: ignore[arg-type]
        block = _slice(video, start, stop, name)
        channels, sides = (shape[0], shape[1:]) if shape else (None, None)
        check_images(block, name=f"{name}[{start}:{stop}]", channels=channels, size=sides, first="T")
        if len(block) != stop - start:
            raise ValueError(f"{name}[{start}:{stop}] must hold {stop - start} frames, got {len(block)}")
        shape = tuple(block.shape[1:])
        yield block.float()


def _slice(video: Any, start: int, stop: int, name: str) -> Tensor:
    try:
        return video[start:stop]
    except (ValueError, TypeError, RuntimeError, LookupError) as error:  # a broken file, a Dataset that knows no slices
        raise ValueError(
            f"{name} must be a float Tensor (T, C, H, W) or a Dataset whose slices give one; {name}[{start}:{stop}] "
            f"raised {type(error).__name__}: {error}"
        ) from error

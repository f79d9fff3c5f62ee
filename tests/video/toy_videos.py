"""What several tests of video methods share: a toy street, and a video that keeps a record of its reading."""

import torch
from torch.utils.data import Dataset


def street(frames, seed=0, speed=1, jump=0, shape=(1, 16, 16)):
    """A square that walks to the right and comes in again on the left; every ``jump`` frames it skips 5 pixels."""
    height, width = shape[1:]
    generator = torch.Generator().manual_seed(seed)
    row, column = (int(torch.randint(high, (), generator=generator)) for high in (height - 4, width))
    video = torch.full((frames, *shape), 0.2)
    for t in range(frames):
        at = column + speed * t + (5 * (t // jump) if jump else 0)
        for i in range(at, at + 4):
            video[t, :, row : row + 4, i % width] = 0.9
    return video


class Recorded(Dataset):
    """Frames by slices, as a file gives them, with a record of what was asked for."""

    def __init__(self, frames):
        self.frames, self.asked, self.largest = frames, [], 0

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        assert isinstance(index, slice)
        numbers = range(len(self.frames))[index]
        self.asked += numbers
        self.largest = max(self.largest, len(numbers))
        return self.frames[index]

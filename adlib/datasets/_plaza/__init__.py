"""The parts of :mod:`adlib.datasets.plaza`, from shapes in space to the frames of a video."""

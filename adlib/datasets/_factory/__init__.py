"""How a picture of :mod:`adlib.datasets.factory` is made: surfaces and objects, their defects, the camera."""

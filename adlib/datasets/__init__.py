"""Data sets: loaders of the real sets, generators of the embedded ones. They know no method."""

from adlib.datasets.one_class import OneClassData, PictureFiles, one_class

__all__ = ["OneClassData", "PictureFiles", "one_class"]

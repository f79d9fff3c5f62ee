"""Data sets: loaders of the real sets, generators of those that need no download. They know no method.

Taught in :doc:`/book/datasets/real_world`.
"""

from adlib.datasets import corruptions
from adlib.datasets.campus import avenue, shanghaitech, ucsd, video_folder
from adlib.datasets.check import check
from adlib.datasets.download import download
from adlib.datasets.factory import make_factory
from adlib.datasets.files import MaskFiles, PictureData, PictureFiles, read_mask, read_picture
from adlib.datasets.fundus import make_fundus
from adlib.datasets.inspection import btad, mvtec, picture_folder
from adlib.datasets.medical import attention_maps, lag
from adlib.datasets.one_class import OneClassData, one_class
from adlib.datasets.plaza import make_plaza
from adlib.datasets.videos import Video, VideoData, VideoMasks

__all__ = [
    "MaskFiles",
    "OneClassData",
    "PictureData",
    "PictureFiles",
    "Video",
    "VideoData",
    "VideoMasks",
    "attention_maps",
    "avenue",
    "btad",
    "check",
    "corruptions",
    "download",
    "lag",
    "make_factory",
    "make_fundus",
    "make_plaza",
    "mvtec",
    "one_class",
    "picture_folder",
    "read_mask",
    "read_picture",
    "shanghaitech",
    "ucsd",
    "video_folder",
]

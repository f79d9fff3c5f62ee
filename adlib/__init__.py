"""adlib: visual anomaly detection and segmentation, the library of the course."""

from adlib import datasets, metrics, plots
from adlib.classification.deep_svdd import DeepSVDD
from adlib.classification.svdd import SVDD
from adlib.classification.svm import SoftMarginSVM
from adlib.detector import load_detector
from adlib.reconstruction.anogan import AnoGAN

__all__ = ["SVDD", "AnoGAN", "DeepSVDD", "SoftMarginSVM", "datasets", "load_detector", "metrics", "plots"]

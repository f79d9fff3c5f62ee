"""adlib: visual anomaly detection and segmentation, the library of the course."""

from adlib.classification.svdd import SVDD
from adlib.classification.svm import SoftMarginSVM

__all__ = ["SVDD", "SoftMarginSVM"]

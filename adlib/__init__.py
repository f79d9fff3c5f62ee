"""adlib: visual anomaly detection and segmentation, the library of the course."""

from adlib import datasets, metrics, plots
from adlib.classification.deep_svdd import DeepSVDD
from adlib.classification.svdd import SVDD
from adlib.classification.svm import SoftMarginSVM
from adlib.detector import load_detector
from adlib.reconstruction.anogan import AnoGAN
from adlib.self_supervised.cutpaste import CutPaste
from adlib.self_supervised.gaussian import GaussianDensity
from adlib.self_supervised.gradcam import GradCAM
from adlib.video.autoencoder import ConvAutoencoder
from adlib.video.future_frame import FutureFramePredictor

__all__ = [
    "SVDD",
    "AnoGAN",
    "ConvAutoencoder",
    "CutPaste",
    "DeepSVDD",
    "FutureFramePredictor",
    "GaussianDensity",
    "GradCAM",
    "SoftMarginSVM",
    "datasets",
    "load_detector",
    "metrics",
    "plots",
]

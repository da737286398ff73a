"""The one fine-tuning loop, its batches and its objectives."""

from shopkeeper.training.batching import Batches, Buckets, Tokens, pad
from shopkeeper.training.freezing import open_top, trainable_share
from shopkeeper.training.loop import FitReport, FitSettings, fit

__all__ = ["Batches", "Buckets", "FitReport", "FitSettings", "Tokens", "fit", "open_top", "pad", "trainable_share"]

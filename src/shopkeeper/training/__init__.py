"""The one fine-tuning loop, its batches and its objectives."""

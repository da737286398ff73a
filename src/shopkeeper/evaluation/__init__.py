"""Metrics, splits and honest comparisons."""

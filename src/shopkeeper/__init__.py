"""Shopkeeper (掌柜): a pretrained language model, fine-tuned on a shop's own words and behaviour, runs the shop."""

__version__ = "0.1.0"

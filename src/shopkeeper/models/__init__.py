"""Pretrained backbones, encoders, bundles and their registry."""

"""Benchmarks on public data and on the practice shop: `python -m bench list` explains each."""

"""Search systems side by side: each runs alone, in its own environment, as ``python -m bench.peers.NAME FOLDER``."""

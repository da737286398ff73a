"""The pen: `task` writes copy for items; facts, frames, checks, order and the way to the public."""

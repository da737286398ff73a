"""The log by visitor, and what it says about whether a human left it."""

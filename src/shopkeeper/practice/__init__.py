"""The practice shop: a simulated store with known truths."""

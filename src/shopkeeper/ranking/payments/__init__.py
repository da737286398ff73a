"""Payments as numbers, the same for learning and serving, and the model that judges them."""

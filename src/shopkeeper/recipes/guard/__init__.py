"""Fraud in payments and dishonest raters, with labels and without."""

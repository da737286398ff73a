"""Chances of clicks and sales from pages that were shown, and who is persuaded, from trials."""

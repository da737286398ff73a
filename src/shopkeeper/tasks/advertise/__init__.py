"""Sponsored places: `task` holds the auction of a page; who may show, chances, prices, what was spent."""

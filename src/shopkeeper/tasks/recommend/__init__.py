"""Recommendation: `task` answers; people, order, page and reasons, home shelves, buying again, e-mail to all."""

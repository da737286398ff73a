"""Customers: `task` folds a profile from the log; interests, tags, and the past that they rest on."""

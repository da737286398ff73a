"""Reasons for what is shown."""

"""The truth: items, events, customers, words and labels in SQLite or PostgreSQL."""

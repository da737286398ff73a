"""The shop's own language: a backbone that has read its texts, answers to its questions, and a small model that phrases."""

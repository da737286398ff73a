"""What search learns: an encoder of items and queries, its pairs and negatives, the share of words, a ranker."""

"""What is learnt of pictures: a bridge from words, and a fusion of all that shows an item."""

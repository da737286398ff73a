"""What is learnt of customers: propensities, next category, worth, segments, and whether this one buys that."""

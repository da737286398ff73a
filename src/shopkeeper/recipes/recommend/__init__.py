"""What recommendation learns: sources and their blend, what comes next, a ranker, all judged at the same moments."""

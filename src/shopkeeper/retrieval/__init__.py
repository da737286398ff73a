"""Finding candidates: lexical, by vector, hybrid, from behaviour."""

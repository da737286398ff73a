"""The shop as a graph of triples: neighbours, ways, paths and vectors."""

"""Who rates, what speaks for and against their honesty, and the model that weighs it."""

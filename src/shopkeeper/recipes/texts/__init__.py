"""Classes and mentions of texts: what teaches, fine-tuning beside a linear model, and going on later."""

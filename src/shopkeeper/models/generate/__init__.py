"""Language models that may phrase a text: one protocol, whatever is behind it."""

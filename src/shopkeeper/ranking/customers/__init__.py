"""What customers did as columns and numbers, and what they are likely to do next."""

"""What a customer means: a query read into words to search for, constraints, preferences and chips that show them."""

"""Import and export: shops' files in, records out, and the other way round."""

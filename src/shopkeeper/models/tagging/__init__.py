"""Mentions in texts: tags by character, from a backbone, from clues, or from both."""

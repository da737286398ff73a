"""Pictures and videos: opened safely, encoded, joined with words."""

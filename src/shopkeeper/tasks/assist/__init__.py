"""The service assistant: `task` answers a turn; the rest is what it reads, knows, does and says."""

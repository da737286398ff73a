"""The ear: `task` takes posts in and answers about them; reading, series, surges, alerts and their delivery."""

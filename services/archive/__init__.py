"""The journal: appends the histories to files by day and trims from Redis only what it has exported."""

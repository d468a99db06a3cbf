"""The journal in files: every fact of every history, by day, compressed, each exactly once."""

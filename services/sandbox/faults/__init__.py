"""Trouble on demand: what real vendors and networks do on bad days."""

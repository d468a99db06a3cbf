"""Hands each closed bar to the engines, fuses their views to one decision, and says why."""

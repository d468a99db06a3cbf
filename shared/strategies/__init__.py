"""Strategies: a window of bars and indicator lines in, convictions out, one file each.

A file here without a leading underscore is a strategy, found by its name: its `STRATEGY` says what it reads and how far back.
"""

from shared.strategies._registry import Strategy, names, strategy
from shared.strategies._window import Row, Window

__all__ = ["Row", "Strategy", "Window", "names", "strategy"]

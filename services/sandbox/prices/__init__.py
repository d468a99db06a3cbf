"""Prices: real history replayed onto the present, a pure function of seed, symbol and time."""

"""Providers of market data, one file each, found by name. The port, and what a file must have, is services/market_data/source.py."""

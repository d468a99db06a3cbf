"""Benchmarks: us and the peer (or the floor) side by side in one run; a table, then one JSON object as the last line."""

"""What a market and an account would have done: orders, fills, costs, ledger. Pure: no clock, no input or output, deterministic by seed.

`Account` (account.py) is the front door: submit, cancel, replace, advance over what was traded, read the books.
"""

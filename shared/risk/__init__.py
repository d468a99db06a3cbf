"""The last gate before a broker. Pure, fails closed, may only shrink."""

"""A simulated market and broker that speaks TAAPI's and Alpaca's own protocols, for the keyless demo and for tests."""

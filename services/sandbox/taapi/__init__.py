"""TAAPI's protocols, both generations, spoken about the simulated market."""

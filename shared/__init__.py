"""What every process shares: the facts, the pure functions that turn one into the next, the bus and the runtime."""

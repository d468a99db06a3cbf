"""Alpaca's trading and market data protocols, REST and WebSocket, spoken to the simulated market."""

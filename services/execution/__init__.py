"""From decisions and commands to orders, fills and positions. One active process an account; others stand by."""

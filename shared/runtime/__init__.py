"""What every process needs to run: settings, plugins, the loop with its one error policy, logging, the clock."""

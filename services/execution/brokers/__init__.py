"""Broker plugins, one file each: `connect(settings, clock) -> Broker`. Files that begin with an underscore are parts of one."""

"""Facts between processes: symbol-keyed latest values, histories, and a nudge when one is new."""

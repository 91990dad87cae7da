"""The gate: one call, one decision, within a deadline."""

"""Published ways to look for model extraction, which the benchmark runs beside the detector."""

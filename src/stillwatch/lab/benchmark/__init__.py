"""The benchmark: many simulated worlds, the detector and its rivals on each, and the page about them."""

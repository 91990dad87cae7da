"""The only room with ground truth: simulated traffic, and how well a run did on it."""

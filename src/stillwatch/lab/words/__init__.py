"""What simulated callers write: words by topic, sentence patterns, prompts. Written for the laboratory."""

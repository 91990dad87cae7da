"""One suspicion a file, named for what the adversary does."""

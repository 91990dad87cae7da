"""Extraction campaigns: one way to run them a file, each at any size."""

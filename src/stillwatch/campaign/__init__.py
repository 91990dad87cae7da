"""Marks and links → campaigns with a stated false-discovery rate."""

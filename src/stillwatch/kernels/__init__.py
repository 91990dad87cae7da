"""Arithmetic on Arrow buffers: no IO, no Python object per row."""

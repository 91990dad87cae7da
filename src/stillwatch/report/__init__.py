"""Findings → HTML and terminal."""

"""Honest groups that resemble a campaign: one class a file, each at any size."""

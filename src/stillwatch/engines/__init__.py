"""Where a run happens: same order, same answer."""

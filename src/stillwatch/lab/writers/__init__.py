"""The same simulated traffic in every dialect that an adapter reads; one dialect a file."""

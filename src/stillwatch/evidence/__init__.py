"""What can be proved to others: signatures, and what is signed."""

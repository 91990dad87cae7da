"""Additive GROUP BYs over traces, in SQL that every engine speaks."""

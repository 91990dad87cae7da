"""Stillwatch finds industrial-scale model distillation in API logs."""

__version__ = "0.1.0"

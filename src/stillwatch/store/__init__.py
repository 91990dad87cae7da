"""Traces kept from day to day: immutable parts, and manifests that say which of them count."""

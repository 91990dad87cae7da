"""Give memory back to the system as soon as it is free, so that a peak is what a run needs and not what it needed."""

from __future__ import annotations

import ctypes

import pyarrow as pa

MMAP_BYTES_MIN = 1 << 20
"""Blocks from this size on get pages of their own. glibc raises its bound to 32 MiB after the first large block that is
freed, and then keeps the arrays of every batch and thread in its arenas."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_no_large_blocks() -> None:
    """Tell glibc to give large blocks back when they are freed; elsewhere nothing is done."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES_MIN)
        mallopt(_M_TRIM_THRESHOLD, MMAP_BYTES_MIN)


def release() -> None:
    """Give back what Arrow and the C library hold without need."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

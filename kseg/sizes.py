"""`Size`: height and width of an image in pixels, in this order everywhere."""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["Size", "format_size"]

Size: TypeAlias = tuple[int, int]
"""Height and width, in pixels."""


def format_size(size: Size) -> str:
    """``480×640``: height × width, for messages."""
    return f"{size[0]}×{size[1]}"

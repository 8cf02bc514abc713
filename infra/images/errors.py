"""What goes wrong with images."""

from __future__ import annotations


class ImageError(Exception):
    """An image cannot be built as it is described; the message names it, the reason and the fix."""

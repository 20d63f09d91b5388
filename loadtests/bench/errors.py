"""What goes wrong in a measurement."""

from __future__ import annotations


class LoadError(Exception):
    """A case did not run as it must, so its figure means nothing."""

"""Pointsman: a GitOps controller for versioned inference services."""

__version__ = "0.1.0"

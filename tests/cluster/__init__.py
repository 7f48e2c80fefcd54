"""A real Kubernetes for tests, put together from its parts (see `node.py` for the order in which they start)."""

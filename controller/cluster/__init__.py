"""Kubernetes targets: the API over the `kubernetes` package, as a `ClusterClient`, and what only a real cluster has."""

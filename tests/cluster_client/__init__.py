"""The client for Kubernetes against a server whose every answer is written by the test."""

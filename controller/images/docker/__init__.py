"""Images built by a Docker Engine, from the same layers as those that are appended in a registry."""

"""Instances as containers of a Docker Engine, from their real base images."""

"""Images in registries: the distribution API, its credentials, base images, and the builder that pushes."""

"""`pointsman run`: what a configuration names, assembled and kept at work."""

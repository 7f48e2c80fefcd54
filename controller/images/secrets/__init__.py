"""Finds what nobody else should read in the code of an image: a layer is public to all who can pull it, for ever."""

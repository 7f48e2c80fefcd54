"""The declared state of one unit as the objects of its target. Pure: `renderer.render` is the entry point."""

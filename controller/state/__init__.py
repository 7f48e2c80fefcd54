"""Durable memory: the unit record on the target, and a disposable history beside the controller."""

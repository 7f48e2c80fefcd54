"""How well something runs, judged from what its status says. Pure: one file per kind, each answer an `Assessment`."""

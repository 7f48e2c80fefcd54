"""Which target a command works on, and the client that reads and writes it with the caller's own rights."""

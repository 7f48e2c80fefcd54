"""What the process's exit code says; 2 only where the user asked for it with `--exit-code`."""

OK = 0
ERROR = 1
DIFFERENCES = 2
USAGE = 64
INTERRUPTED = 130
TERMINATED = 143

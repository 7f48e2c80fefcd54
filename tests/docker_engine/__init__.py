"""Docker Engines that tests start: nothing of one remains, however its test ends."""

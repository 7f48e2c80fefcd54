"""The command line: reads the environment, assembles the parts, prints. One file per verb."""

"""The runtime: turns Deployments of the embedded store into what runs, and writes its real status."""

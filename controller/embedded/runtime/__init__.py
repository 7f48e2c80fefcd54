"""The process runtime: turns Deployments of the embedded store into processes and writes their real status."""

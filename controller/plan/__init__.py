"""DesiredState + ObservedState + UnitRecord + now -> Plan. Pure: `planner.plan` is the one entry point."""

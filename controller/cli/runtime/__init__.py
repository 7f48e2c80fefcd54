"""Which runtime an embedded target has, and the parts that go with it."""

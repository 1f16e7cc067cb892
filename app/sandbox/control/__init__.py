"""The levers of the simulator: JSON for tests, plain forms for people. No vendor has anything like it."""

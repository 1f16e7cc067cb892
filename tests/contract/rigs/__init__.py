"""Simulated clinics that stood before app/sandbox/stage, as a test of the kit holds them."""

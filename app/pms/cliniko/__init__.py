"""Cliniko, an Australian system for allied health: one key per user, a host per region."""

"""Runsheet: a telehealth run sheet fed from the practice's own management system."""

"""Ciphers, passwords and roles. Pure: nothing here knows a request, a table or a vendor."""

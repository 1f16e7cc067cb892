"""Vetspire, a veterinary system: one GraphQL address, one key for a whole organisation."""

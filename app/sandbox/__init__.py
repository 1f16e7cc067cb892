"""Simulators of the vendors, each a program of its own: `python -m app.sandbox` or `runsheet sandbox`.

Nothing here is shared with the adapters, so that the two share no mistake. Everybody in it is invented.
"""

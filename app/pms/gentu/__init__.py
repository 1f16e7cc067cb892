"""Gentu (Magentus Practice Management)."""

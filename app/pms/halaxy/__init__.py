"""Halaxy's public API: FHIR in shape, Halaxy's own in what matters."""

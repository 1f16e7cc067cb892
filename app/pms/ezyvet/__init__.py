"""ezyVet (IDEXX), the public REST API."""

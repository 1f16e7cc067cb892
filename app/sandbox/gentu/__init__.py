"""The simulated Gentu: the vendor's HTTP API, version 1, as far as it is known from outside."""

#: Everything of this vendor lies below this path; the host stands for the vendor's own.
BASE = "/gentu/v1"

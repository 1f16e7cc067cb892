"""Everything a vendor can do to us: one HTTP client, one error tree, one folder per vendor."""

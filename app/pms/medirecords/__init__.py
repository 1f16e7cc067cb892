"""MediRecords, Connect REST API."""

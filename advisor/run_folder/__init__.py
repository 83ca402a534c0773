"""What lies on disk of a run: each file by name, read into typed records and written whole."""

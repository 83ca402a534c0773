"""Base models: reading their files, building their networks, tokenizing."""

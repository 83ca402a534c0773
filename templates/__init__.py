"""Writes: our configuration and other trainers' files."""

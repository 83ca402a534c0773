"""Measurements and makers: each a script that writes its result, none of it a test."""

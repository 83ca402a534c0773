"""Talks: questions, conversation, views, command line, launching."""

"""Editing captions: functions from a caption to a caption, of which pictures, and what comes of it."""

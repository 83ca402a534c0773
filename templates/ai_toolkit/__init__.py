"""ai-toolkit, in both directions: its job files, their words, and ours."""

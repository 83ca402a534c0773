"""Model families, as code: how each is loaded and called."""

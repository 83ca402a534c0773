"""The conversation about pictures: what is wrong with them, their captions, and tagging."""

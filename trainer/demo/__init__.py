"""The demo: the embedded base model, its images, and the score of what it learned."""

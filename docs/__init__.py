"""The project's documents, and what writes those that follow from the code."""

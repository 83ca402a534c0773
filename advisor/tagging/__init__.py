"""Taggers: models that tell what a picture shows, and the captions that follow from what they tell."""

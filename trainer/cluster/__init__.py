"""Trainings on several machines, joined by Ray."""

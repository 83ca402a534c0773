"""Trains: loads a base model, teaches it the images, writes LoRAs."""

"""Trains: loads a base model, teaches it the pictures, writes LoRAs."""

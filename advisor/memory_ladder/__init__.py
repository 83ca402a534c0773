"""What to change when memory runs out, the least harmful first."""

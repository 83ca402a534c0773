"""The conversation about drawing: pictures while it trains, grids, and LoRAs to draw with."""

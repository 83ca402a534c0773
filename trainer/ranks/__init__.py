"""Several processes that train one run together (data-parallel): how they start, what they exchange, how they end."""

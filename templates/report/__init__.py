"""The report: a page of a run, or of several side by side, that needs nothing but itself."""

"""From facts to a plan: the rules applied, limits kept, warnings, totals, and how two plans differ."""

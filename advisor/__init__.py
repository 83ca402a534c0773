"""Knows: facts, settings, rules, estimates, plan."""

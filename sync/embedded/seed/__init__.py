"""Seed data of the sandbox org: the same for the same seed, whatever the process. Looks like a real org, oddities included."""

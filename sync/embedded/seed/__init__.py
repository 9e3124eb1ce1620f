"""Seed data of the sandbox org: the same for the same seed in every process; a real-looking org, oddities included."""

"""Measurements, not tests: ``make bench`` runs them, writes results.json and the README's tables."""

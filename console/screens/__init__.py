"""Screens: view state in, lines out, keys up to the app. A screen never imports another screen."""

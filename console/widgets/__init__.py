"""Widgets that paint lines; they know tones and cells, never the shell and never a screen."""

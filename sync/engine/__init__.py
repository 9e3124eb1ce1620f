"""The engine: reads both sides, plans, guards, applies. Drives ports and store; never knows HTTP or a screen."""

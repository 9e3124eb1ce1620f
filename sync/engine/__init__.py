"""The engine: reads both sides, plans, guards, applies. Drives the ports and the store; never knows HTTP or a screen."""

"""The servers and the state of the engine's tests, shared by all cases."""

from tests.engine.conftest import servers, state, world

__all__ = ["servers", "state", "world"]

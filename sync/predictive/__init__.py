"""The Predictive side: the service's ``/v1`` over the one transport.

May import the ports, the model and ``sync.http``; nothing of the engine or the store.
"""

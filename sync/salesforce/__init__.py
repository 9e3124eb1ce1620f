"""The Salesforce side: login, queries, Composite, Collections, Bulk API 2.0, all through the one transport.

May import the ports, the model, the mapping, packing and ``sync.http``; nothing of the engine or the store.
"""

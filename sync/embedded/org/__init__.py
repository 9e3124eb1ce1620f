"""A Salesforce-compatible org: the REST API as real clients expect it, over SQLite.

What is documented is followed; what nobody could verify on a live org is a switch in ``settings``.
Imports nothing of the engine; they meet over HTTP only.
"""

"""The servers that come with the program: a Salesforce-compatible org and the Predictive service.

They run in a process of their own and are reached over HTTP only. Nothing here imports the engine, its adapters,
its model or its store (``sync.clock`` aside), so that a mistake on one side is never hidden by the other.
"""

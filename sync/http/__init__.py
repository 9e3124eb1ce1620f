"""The one transport for both sides: time-outs, pool, ledger, one retry budget, one session refresh.

May import ``sync.errors``, ``sync.ports``, ``sync.model`` and ``sync.clock``; knows nothing of Salesforce's or the
service's resources.
"""

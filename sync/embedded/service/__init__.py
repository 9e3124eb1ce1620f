"""The embedded Predictive service: campaigns, editions, members, sending, tracking, over HTTP + JSON.

May import the standard library, SQLAlchemy, msgspec, starlette, jinja2 and ``sync.clock``; never the engine,
its adapters or the console. They meet over HTTP only, so that another service can take this one's place.
"""

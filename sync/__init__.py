"""The sync engine: pure core, ports, adapters, store, engine, embedded servers. Never imports console or Textual."""

"""The transport and the two adapters, against fakes at the HTTP boundary and the embedded servers over real HTTP."""

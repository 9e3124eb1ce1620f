"""One module a revision, each frozen once released."""

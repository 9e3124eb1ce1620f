"""Tests of the sandbox org: every rule over HTTP, in process where that is faster."""

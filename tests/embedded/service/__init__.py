"""Tests of the embedded Predictive service."""

"""Adapters to the build backends."""

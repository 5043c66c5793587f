"""Adapters to the build backends, and what a build asks for."""

"""Adapters to build systems and execution engines, which bring the machines: Bazel, and any executor."""

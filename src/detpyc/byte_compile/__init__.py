"""Byte-compile wheels and directory trees."""

"""Deterministic, canonical bytecode for wheels."""

from __future__ import annotations

__version__ = "0.1.0"

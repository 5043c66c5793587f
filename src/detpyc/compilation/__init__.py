"""Sources to canonical pycs, by interpreters of any supported release."""

"""A package below, so that there are two directories of bytecode."""

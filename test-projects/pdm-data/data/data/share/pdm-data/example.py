raise SystemExit("an example, not to be imported")

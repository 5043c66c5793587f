def has_asserts() -> bool:
    """Return whether assert statements are compiled here."""
    try:
        assert False, "yes"
    except AssertionError:
        return True
    return False

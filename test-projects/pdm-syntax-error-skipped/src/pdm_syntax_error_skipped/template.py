"""To be filled in."""

class {{ name }}:
    pass

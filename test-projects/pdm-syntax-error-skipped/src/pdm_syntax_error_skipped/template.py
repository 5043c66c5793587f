"""A template."""

class {{ name }}:
    pass

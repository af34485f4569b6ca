"""A module of a shop's that cannot be imported."""

LANDING = 1 / 0

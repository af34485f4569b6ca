"""Adapters: each mounts the endpoints on one framework. Importing this package imports none of
them."""

"""Found by `manage.py`."""

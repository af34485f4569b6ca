"""Found by `manage.py`: a module is a command."""

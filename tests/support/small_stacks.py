"""The shop of `served` in a server whose threads have stacks of 1 MiB, as some systems give."""

import threading

from .served import flask_app

__all__ = ["flask_app"]

threading.stack_size(1 << 20)

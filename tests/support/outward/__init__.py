"""Keeps tests, and every Python that they start, on this machine; see `sitecustomize`."""

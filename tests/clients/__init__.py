"""Other people's published clients, unchanged, against the sandbox over HTTP."""

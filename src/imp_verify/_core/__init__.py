"""The rules, the order of steps and the wire of the gateway: no I/O, no HTTP server."""

"""The sandbox over HTTP, on Starlette: what a browser meets, and the control. Names only."""

"""The calls of the API: what a call is, and a module for each subject. Names only, no code."""

"""Every way that a payment can change, a module for each subject. Names only, no code."""

"""Fuzzing: what everything that reads or writes a stranger's text must keep to, whatever comes.

`python -m tests.fuzz` draws inputs for one target or for all; `tests/fuzz/corpus` keeps the inputs
that showed something, and `test_fuzz.py` tries these, and some new ones, in the ordinary suite.
"""

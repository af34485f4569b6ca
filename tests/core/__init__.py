"""The pure parts: rules, changes, wire bytes, answers. Values in, values out."""

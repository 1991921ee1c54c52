"""Flags that several verbs share, and what they mean together; `values` reads single ones from text."""

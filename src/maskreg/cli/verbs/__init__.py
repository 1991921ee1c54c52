"""A file per verb: its arguments, and what it does. Only that of the verb that is asked for is imported."""

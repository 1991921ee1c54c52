"""A run on disk: whose it is, what it was made of, and what is left to do when it goes on.

Whose: `identity`, all that can change a row. What it was made of: `inputs`, with the user's words (`origin`),
and `repeat`, the command that makes it again. What is left to do: `resume` decides over the names of `rows`,
`unchanged` forgets those whose files are others now (`named` knows the file), `recording` registers what is
missing, `mean_rounds` round by round. `excluded` is the list of frames that the user leaves out.
"""

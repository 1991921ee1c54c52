"""The live page: a face beside `cli`. A bokeh server shows a run, or frames, and edits masks."""

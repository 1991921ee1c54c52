"""What computing stands on, whatever the image: compiled loops, threads, memory, values made once."""

"""How far from the truth, against how far any tool must be: the accuracy of `maskreg`, measured.

    python -m benchmarks.accuracy [pairs noise-free thinning laboratory lines] [--pairs 100]
    python -m benchmarks.accuracy peers [--pairs 40]

Every part prints its tables and, with ``--output FOLDER``, writes them as CSV. What is measured
is fixed beforehand: the cells and their limits stand in `cells`, and pair number i of a cell has
the same seed however many pairs are run.

From Python: ``run_cell(cell, pairs, workers)`` gives the outcomes, ``summarise`` their figures.
"""

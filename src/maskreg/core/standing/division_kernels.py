"""Compiled: which parts of an image go with the scene.

=====================  ===========================================
kernel                 plain twin
=====================  ===========================================
`shared_out`           `standing.division.plain_shared_out`
`likely_steps`         `standing.division.plain_likely_steps`
=====================  ===========================================
"""

from __future__ import annotations

import math

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel


@inlined
def _distances(scores, matrices, inverses, step, out):  # type: ignore[no-untyped-def]
    """Fill by how much what a step leaves of the scores of each part is off none, squared."""
    ndim = step.size
    left = np.empty(ndim)
    for t in range(out.size):
        for i in range(ndim):
            left[i] = scores[t, i]
            for j in range(ndim):
                left[i] -= matrices[t, i, j] * step[j]
        total = 0.0
        for i in range(ndim):
            for j in range(ndim):
                total += left[i] * inverses[t, i, j] * left[j]
        out[t] = total


@inlined
def _solved(matrix, vector):  # type: ignore[no-untyped-def]
    """Solve for a positive definite matrix, in place: by elimination."""
    ndim = vector.size
    for i in range(ndim):
        for k in range(i + 1, ndim):
            part = matrix[k, i] / matrix[i, i]
            vector[k] -= part * vector[i]
            for j in range(i, ndim):
                matrix[k, j] -= part * matrix[i, j]
    for i in range(ndim - 1, -1, -1):
        for j in range(i + 1, ndim):
            vector[i] -= matrix[i, j] * vector[j]
        vector[i] /= matrix[i, i]


@kernel
def shared_out(  # type: ignore[no-untyped-def]
    scores, matrices, inverses, stand, step, standing, neither, most_standing, middle, tiny, rounds, last
):
    """Return the shares of each part, (3, parts), how many stand, the noise and the step at most likely.

    `stand` is the squared distance of each part from standing, `standing` how many do at first, at most
    `most_standing`; `neither` the prior and the likelihood of doing neither, `middle` the median of a
    distance if the noise is one; `tiny` the least noise, and the part of the trace that is added along each
    axis. The last round is that of number `rounds`, or moves the step by less than `last`.
    """
    n, ndim = scores.shape
    least, ridge = tiny
    go, nearer, shares = np.empty(n), np.empty(n), np.empty((3, n))
    matrix, vector, noise = np.empty((ndim, ndim)), np.empty(ndim), least
    step = step.copy()
    for _ in range(rounds):
        _distances(scores, matrices, inverses, step, go)
        for t in range(n):
            nearer[t] = min(go[t], stand[t])
        noise = max(np.median(nearer) / middle, least)
        number = 0.0
        matrix[:] = 0.0
        vector[:] = 0.0
        for t in range(n):
            goes = (1.0 - standing - neither[0]) * math.exp(-go[t] / noise / 2)
            stands = standing * math.exp(-stand[t] / noise / 2)
            does_neither = neither[0] * neither[1]
            every = goes + stands + does_neither
            shares[0, t], shares[1, t], shares[2, t] = goes / every, stands / every, does_neither / every
            number += stands / every
            for i in range(ndim):
                vector[i] += shares[0, t] * scores[t, i]
                for j in range(ndim):
                    matrix[i, j] += shares[0, t] * matrices[t, i, j]
        standing = min(most_standing, number / n)
        trace = 0.0
        for i in range(ndim):
            trace += matrix[i, i]
        for i in range(ndim):
            matrix[i, i] += ridge * trace + least
        _solved(matrix, vector)
        moved = 0.0
        for i in range(ndim):
            moved = max(moved, abs(vector[i] - step[i]))
            step[i] = vector[i]
        if moved < last:
            break
    return shares, standing, noise, step


@kernel
def likely_steps(scores, matrices, inverses, stand, steps, standing, neither, middle, least):  # type: ignore[no-untyped-def]
    """Return how likely each of some steps is, in logarithms, with the least noise that any of them has."""
    number, n = len(steps), len(scores)
    go, nearer = np.empty((number, n)), np.empty(n)
    noise = np.inf
    for k in range(number):
        _distances(scores, matrices, inverses, steps[k], go[k])
        for t in range(n):
            nearer[t] = min(go[k, t], stand[t])
        noise = min(noise, np.median(nearer))
    noise = max(noise / middle, least)
    still, out = np.empty(n), np.zeros(number)
    for t in range(n):
        still[t] = standing * math.exp(-stand[t] / noise / 2) + neither[0] * neither[1]
    for k in range(number):
        for t in range(n):
            out[k] += math.log((1.0 - standing - neither[0]) * math.exp(-go[k, t] / noise / 2) + still[t])
    return out

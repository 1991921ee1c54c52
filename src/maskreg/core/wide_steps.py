"""The steps of Fourier transforms over vectors of eight complex numbers, as compiled code calls them.

A butterfly takes its numbers from some places, and leaves them at others; `dif` multiplies by twiddle factors
thereafter, which leaves frequencies in an order of its own, and `dit` before, which takes them so.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from maskreg.core.butterfly import Complex, butterfly
from maskreg.core.eight import INT, NONE, Memory, Vector, steps
from maskreg.core.wide import LANES, LINE


@intrinsic(prefer_literal=True)
def dif(_, radix, taken, kind, source, s, s_stride, to, t, t_stride, twiddles, w):  # type: ignore[no-untyped-def]
    """Transform `radix` vectors from s on, of which `taken` are not zero, multiply, and store from t on."""
    n, some, factors = radix.literal_value, taken.literal_value, kind.literal_value
    at = types.int64
    signature = types.void(radix, taken, kind, source, at, at, to, at, at, twiddles, at)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *_, source, s, s_stride, to, t, t_stride, table, w = arguments
        kinds = signature.args
        source = Memory(context, builder, kinds[3], source, twiddles)
        to = Memory(context, builder, kinds[6], to, twiddles)
        table = Memory(context, builder, kinds[9], table, twiddles)
        x: list[Any] = [source.load(i) for i in steps(builder, s, s_stride, some)]
        y = butterfly(x + [None] * (n - some))
        for q, (i, z) in enumerate(zip(steps(builder, t, t_stride, n), y, strict=True)):
            to.store(i, z if q == 0 or factors == NONE else z.times(table.twiddle(w, q, factors)))
        return context.get_dummy_value()

    return signature, generate


@intrinsic(prefer_literal=True)
def dit(_, radix, kind, past_cache, source, s, s_stride, to, t, t_stride, twiddles, w):  # type: ignore[no-untyped-def]
    """Multiply `radix` vectors from s on, transform them, and store them from t on."""
    n, factors, past = radix.literal_value, kind.literal_value, bool(past_cache.literal_value)
    at = types.int64
    signature = types.void(radix, kind, past_cache, source, at, at, to, at, at, twiddles, at)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *_, source, s, s_stride, to, t, t_stride, table, w = arguments
        kinds = signature.args
        source = Memory(context, builder, kinds[3], source, twiddles)
        to = Memory(context, builder, kinds[6], to, twiddles)
        table = Memory(context, builder, kinds[9], table, twiddles)
        x = []
        for q, i in enumerate(steps(builder, s, s_stride, n)):
            z = source.load(i)
            x.append(z if q == 0 or factors == NONE else z.times(table.twiddle(w, q, factors)))
        for i, z in zip(steps(builder, t, t_stride, n), butterfly(x), strict=True):
            to.store(i, z, past_cache=past)
        return context.get_dummy_value()

    return signature, generate


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Return eight vectors of which the k-th holds the k-th number of each."""
    for step in (1, 2, 4):
        out = list(rows)
        for i in range(LANES):
            if i & step:
                continue
            low = [k if not k & step else LANES + (k ^ step) for k in range(LANES)]
            high = [k | step if not k & step else LANES + k for k in range(LANES)]
            for place, lanes in ((i, low), (i | step, high)):
                mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes)
                out[place] = builder.shuffle_vector(rows[i], rows[i | step], mask)
        rows = out
    return rows


@intrinsic(prefer_literal=True)
def within(_, first, buffer, at):  # type: ignore[no-untyped-def]
    """Transform eight vectors, each by itself, in place: first turned about, or turned back thereafter."""
    before = bool(first.literal_value)
    signature = types.void(first, buffer, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, start, at = arguments
        memory = Memory(context, builder, signature.args[1], start, buffer)
        places = steps(builder, at, INT(1), LANES)

        def turned(z: list[Complex]) -> list[Complex]:
            parts = [_transposed(builder, [x.value for x in part]) for part in zip(*z, strict=True)]
            return [Complex(*(Vector(builder, x) for x in both)) for both in zip(*parts, strict=True)]

        z = [memory.load(i) for i in places]
        for i, y in zip(places, butterfly(turned(z)) if before else turned(butterfly(z)), strict=True):
            memory.store(i, y)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def unpacked(_, source, s, s_mirrored, to, second, first, twiddles):  # type: ignore[no-untyped-def]
    """Store twice the transforms x and y of two real sequences, of which source holds that of x + i y.

    At a frequency, given its place and that of its negative.
    """
    signature = types.void(source, types.int64, types.int64, to, types.int64, types.int64, twiddles)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, s, s_mirrored, to, second, first, _ = arguments
        source = Memory(context, builder, signature.args[0], source, twiddles)
        to = Memory(context, builder, signature.args[3], to, twiddles)
        z, w = source.load(s), source.load(s_mirrored)
        to.store(second, Complex(z.im + w.im, w.re - z.re), past_cache=True)
        to.store(first, Complex(z.re + w.re, z.im - w.im), past_cache=True)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def packed_swapped(_, source, first, second, to, t, t_mirrored, twiddles):  # type: ignore[no-untyped-def]
    """Store x + i y at a frequency and at its negative, of the transforms x and y of two real sequences.

    Both, and what is stored, with real and imaginary parts swapped.
    """
    signature = types.void(source, types.int64, types.int64, to, types.int64, types.int64, twiddles)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, first, second, to, t, t_mirrored, _ = arguments
        source = Memory(context, builder, signature.args[0], source, twiddles)
        to = Memory(context, builder, signature.args[3], to, twiddles)
        x, y = (Complex(z.im, z.re) for z in (source.load(first), source.load(second)))
        to.store(t_mirrored, Complex(y.re - x.im, x.re + y.im))
        to.store(t, Complex(x.im + y.re, x.re - y.im))
        return context.get_dummy_value()

    return signature, generate


def _product(a: Complex, b: Complex) -> Complex:
    """Return a conj(b)."""
    return Complex(a.re * b.re + a.im * b.im, a.im * b.re - a.re * b.im)


@intrinsic(prefer_literal=True)
def product_swapped(_, pairs, source, a, b, c, d, to, t):  # type: ignore[no-untyped-def]
    """Store a conj(b), or of two pairs that less c conj(d), with real and imaginary parts swapped."""
    two = pairs.literal_value == 2
    at = types.int64
    signature = types.void(pairs, source, at, at, at, at, to, at)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, start, *places, to, t = arguments
        memory = Memory(context, builder, signature.args[1], start, source)
        z = _product(memory.load(places[0]), memory.load(places[1]))
        if two:
            z = z - _product(memory.load(places[2]), memory.load(places[3]))
        to = Memory(context, builder, signature.args[6], to, source)
        to.store(t, Complex(z.im, z.re))
        return context.get_dummy_value()

    return signature, generate


@intrinsic(prefer_literal=True)
def side_by_side(_, pixels, first, second, squared, to, t):  # type: ignore[no-untyped-def]
    """Store eight pixels, or their squares, as real parts, and eight others as imaginary ones."""
    square = bool(squared.literal_value)
    signature = types.void(pixels, types.int64, types.int64, squared, to, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start, first, second, _, to, t = arguments
        source = Memory(context, builder, signature.args[0], start, pixels)
        x = [source.row(i) for i in (first, second)]
        to = Memory(context, builder, signature.args[4], to, pixels)
        to.store(t, Complex(*(v * v if square else v for v in x)))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fetch(_, source, index, numbers):  # type: ignore[no-untyped-def]
    """Let sixteen numbers, of the type of others, come into the cache meanwhile, from an index on."""
    signature = types.void(source, types.int64, numbers)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memory = Memory(context, builder, signature.args[0], arguments[0], numbers)
        pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        for k in range(0, 2 * LANES, LINE // memory.align):
            place = builder.gep(memory.start, [builder.add(arguments[1], INT(k))])
            builder.call(prefetch, [builder.bitcast(place, pointer), word(0), word(2), word(1)])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def wait_for_stores(_):  # type: ignore[no-untyped-def]
    """Let other threads see what was stored past the cache."""

    def generate(context: Any, builder: Any, *_: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate

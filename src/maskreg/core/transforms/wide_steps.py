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

from maskreg.core.transforms.butterfly import Complex, butterfly
from maskreg.core.transforms.eight import INT, NONE, WIDE, Memory, Vector, steps
from maskreg.core.transforms.wide import LANES, LINE


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


def _multiplied(builder: Any, source: Memory, s: Any, s_stride: Any, n: int, kind: int, twiddle: Any) -> Any:
    """Return the transform of n vectors that are multiplied before."""
    z = [source.load(i) for i in steps(builder, s, s_stride, n)]
    return butterfly([x if q == 0 or kind == NONE else x.times(twiddle(q)) for q, x in enumerate(z)])


@intrinsic(prefer_literal=True)
def dit(_, radix, kind, source, s, s_stride, to, t, t_stride, twiddles, w):  # type: ignore[no-untyped-def]
    """Multiply `radix` vectors from s on, transform them, and store them from t on."""
    n, factors = radix.literal_value, kind.literal_value
    at = types.int64
    signature = types.void(radix, kind, source, at, at, to, at, at, twiddles, at)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *_, source, s, s_stride, to, t, t_stride, table, w = arguments
        kinds = signature.args
        source = Memory(context, builder, kinds[2], source, twiddles)
        to = Memory(context, builder, kinds[5], to, twiddles)
        table = Memory(context, builder, kinds[8], table, twiddles)
        y = _multiplied(builder, source, s, s_stride, n, factors, lambda q: table.twiddle(w, q, factors))
        for i, z in zip(steps(builder, t, t_stride, n), y, strict=True):
            to.store(i, z)
        return context.get_dummy_value()

    return signature, generate


@intrinsic(prefer_literal=True)
def dit_past_cache(_, radix, source, s, m, to, t, far, wanted, j, twiddles, w):  # type: ignore[no-untyped-def]
    """Do what `dit` does, past the cache, with a factor for each lane; store what is wanted alone.

    Of the vectors, m apart, the first is the j-th; `wanted` is not 0 where one is to be stored.
    """
    n, at = radix.literal_value, types.int64
    signature = types.void(radix, source, at, at, to, at, at, wanted, at, twiddles, at)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, source, s, m, to, t, far, wanted, j, table, w = arguments
        kinds = signature.args
        source = Memory(context, builder, kinds[1], source, twiddles)
        to = Memory(context, builder, kinds[4], to, twiddles)
        table = Memory(context, builder, kinds[9], table, twiddles)
        flags = cgutils.create_struct_proxy(kinds[7])(context, builder, wanted).data
        y = _multiplied(builder, source, s, m, n, WIDE, lambda q: table.twiddle(w, q, WIDE))
        for i, k, z in zip(steps(builder, t, far, n), steps(builder, j, m, n), y, strict=True):
            flag = builder.load(builder.gep(flags, [k], inbounds=True))
            with builder.if_then(builder.icmp_unsigned("!=", flag, flag.type(0)), likely=True):
                to.store(i, z, past_cache=True)
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


def _turned(builder: Any, z: list[Complex]) -> list[Complex]:
    """Return eight vectors turned about: real and imaginary parts each by themselves."""
    parts = [_transposed(builder, [x.value for x in part]) for part in zip(*z, strict=True)]
    return [Complex(*(Vector(builder, x) for x in both)) for both in zip(*parts, strict=True)]


@intrinsic(prefer_literal=True)
def within(_, last_stage, buffer, at, twiddles, w):  # type: ignore[no-untyped-def]
    """Transform eight vectors, each by itself, in place, turned about before.

    If so told, do the last stage of a transform first, of which the radix is 8.
    """
    eight = bool(last_stage.literal_value)
    signature = types.void(last_stage, buffer, types.int64, twiddles, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, start, at, table, w = arguments
        memory = Memory(context, builder, signature.args[1], start, buffer)
        table = Memory(context, builder, signature.args[3], table, twiddles)
        places = steps(builder, at, INT(1), LANES)
        z = [memory.load(i) for i in places]
        if eight:
            z = [y.times(table.twiddle(w, q, WIDE)) if q else y for q, y in enumerate(butterfly(z))]
        for i, y in zip(places, butterfly(_turned(builder, z)), strict=True):
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
def products_within(_, pairs, last_stage, a, b, c, d, s, to, t, twiddles, w):  # type: ignore[no-untyped-def]
    """Undo what `within` does, of eight products a conj(b), or of such less c conj(d), and store that.

    Of all four the address is given. With real and imaginary parts swapped.
    """
    two, eight = pairs.literal_value == 2, bool(last_stage.literal_value)
    at = types.int64
    signature = types.void(pairs, last_stage, at, at, at, at, at, to, at, twiddles, at)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, *four, s, to, t, table, w = arguments
        a, b, c, d = (Memory(context, builder, at, x, twiddles) for x in four)
        z = []
        for i in steps(builder, s, INT(1), LANES):
            x = _product(a.load(i), b.load(i))
            if two:
                x = x - _product(c.load(i), d.load(i))
            z.append(Complex(x.im, x.re))
        z = _turned(builder, butterfly(z))
        to = Memory(context, builder, signature.args[7], to, twiddles)
        table = Memory(context, builder, signature.args[9], table, twiddles)
        if eight:
            z = butterfly([x.times(table.twiddle(w, q, WIDE)) if q else x for q, x in enumerate(z)])
        for i, y in zip(steps(builder, t, INT(1), LANES), z, strict=True):
            to.store(i, y)
        return context.get_dummy_value()

    return signature, generate


@intrinsic(prefer_literal=True)
def side_by_side(_, values, mask, at, linear, squared, to, t):  # type: ignore[no-untyped-def]
    """Store eight deviations, or their squares, as real parts, and the next eight as imaginary ones.

    Of values from an index on, as `columns_forth_2d` has them.
    """
    square = bool(squared.literal_value)
    signature = types.void(values, mask, types.int64, linear, squared, to, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start, valid, at, numbers, _, to, t = arguments
        kinds = signature.args
        source, flags, numbers = (
            Memory(context, builder, kind, x, kind)
            for kind, x in ((kinds[0], start), (kinds[1], valid), (kinds[3], numbers))
        )
        scale, mean, factor = (numbers.in_all_lanes(INT(k)) for k in range(3))
        parts = []
        for i in steps(builder, at, INT(LANES), 2):
            x = (source.row(i).of_type(numbers.number) * scale - mean) * factor
            x = flags.row(i).not_zero().chosen(x, x.constant(0.0))
            x = x.of_type(context.get_value_type(kinds[5].dtype))
            parts.append(x * x if square else x)
        Memory(context, builder, kinds[5], to, kinds[5]).store(t, Complex(*parts))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def moved(_, source, s, to, t, numbers):  # type: ignore[no-untyped-def]
    """Store the vectors of one index at another, of the type of some numbers."""
    signature = types.void(source, types.int64, to, types.int64, numbers)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, s, target, t, _ = arguments
        source = Memory(context, builder, signature.args[0], source, numbers)
        Memory(context, builder, signature.args[2], target, numbers).store(t, source.load(s))
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

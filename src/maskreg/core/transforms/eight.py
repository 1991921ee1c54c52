"""Eight numbers side by side in compiled code.

The compiler does not see that loops over many arrays may run in vector lanes; here it is told, in its own
language. Memory holds vectors of eight complex numbers: eight real parts, then eight imaginary ones. Where
the processor has no instructions so wide, the compiler takes several narrower ones.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from maskreg.core.transforms.butterfly import Complex
from maskreg.core.transforms.wide import LANES

_FLAGS = ("contract", "nsz", "reassoc", "arcp")
"""As of all kernels (`machine.compiled`)."""

INT = ir.IntType(64)

NONE, SPLAT, WIDE = range(3)
"""No twiddle factors; one for all lanes; one for each."""


class Vector:
    """Eight numbers in compiled code."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: Vector) -> Vector:
        return Vector(self.builder, self.builder.fadd(self.value, other.value, _FLAGS))

    def __sub__(self, other: Vector) -> Vector:
        return Vector(self.builder, self.builder.fsub(self.value, other.value, _FLAGS))

    def __mul__(self, other: Vector | float) -> Vector:
        kind = self.value.type
        factor = other.value if isinstance(other, Vector) else ir.Constant(kind, [other] * LANES)
        return Vector(self.builder, self.builder.fmul(self.value, factor, _FLAGS))

    def __truediv__(self, other: Vector) -> Vector:
        return Vector(self.builder, self.builder.fdiv(self.value, other.value, _FLAGS))

    def rounded_product(self, other: Vector) -> Vector:
        """Return the product as if it had been stored: no sum takes it up before it is rounded."""
        product = Vector(self.builder, self.builder.fmul(self.value, other.value))
        return product.called("arithmetic.fence")

    def __gt__(self, other: Vector) -> Vector:
        return Vector(self.builder, self.builder.fcmp_ordered(">", self.value, other.value))

    def __and__(self, other: Vector) -> Vector:
        return Vector(self.builder, self.builder.and_(self.value, other.value))

    def not_zero(self) -> Vector:
        """Return where whole numbers are not zero."""
        nothing = ir.Constant(self.value.type, [0] * LANES)
        return Vector(self.builder, self.builder.icmp_unsigned("!=", self.value, nothing))

    def of_type(self, number: Any) -> Vector:
        """Return them as numbers of single or double precision."""
        kind = ir.VectorType(number, LANES)
        if self.value.type == kind:
            return self
        convert = self.builder.fpext if number == ir.DoubleType() else self.builder.fptrunc
        return Vector(self.builder, convert(self.value, kind))

    def chosen(self, yes: Vector, no: Vector) -> Vector:
        """Return one of two numbers where this is true, the other where it is not."""
        return Vector(self.builder, self.builder.select(self.value, yes.value, no.value))

    def called(self, function: str) -> Vector:
        """Return what a function of the compiler's says of each number, as "sqrt" or "rint"."""
        kind = self.value.type
        bits = 64 if kind.element == ir.DoubleType() else 32
        declared = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(kind, [kind]), f"llvm.{function}.v{LANES}f{bits}"
        )
        return Vector(self.builder, self.builder.call(declared, [self.value]))

    def constant(self, value: float) -> Vector:
        """Return a number in all lanes."""
        return Vector(self.builder, ir.Constant(self.value.type, [value] * LANES))

    def any(self) -> Any:
        """Return 1 where this is true of any lane, else 0."""
        bits = self.builder.bitcast(self.value, ir.IntType(LANES))
        return self.builder.zext(self.builder.icmp_unsigned("!=", bits, ir.IntType(LANES)(0)), INT)


class Memory:
    """Vectors in a flat array, or at an address, of the numbers of another array."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any, numbers: Any) -> None:
        self.builder = builder
        self.number = context.get_value_type(numbers.dtype)
        self.align = numbers.dtype.bitwidth // 8
        if isinstance(kind, types.Integer):
            self.start = builder.inttoptr(value, self.number.as_pointer())
        else:
            self.start = cgutils.create_struct_proxy(kind)(context, builder, value).data

    def load(self, index: Any) -> Complex:
        """Return the vectors of one index."""
        return Complex(*(self._load(self.place(index, part)) for part in range(2)))

    def _load(self, place: Any) -> Vector:
        return Vector(self.builder, self.builder.load(place, align=self.align))

    def store(self, index: Any, z: Complex, *, past_cache: bool = False) -> None:
        """Store the vectors of one index; past the cache where they are not read soon."""
        for part, x in enumerate(z):
            place = self.place(index, part)
            done = self.builder.store(x.value, place, align=LANES * self.align if past_cache else self.align)
            if past_cache:
                one = ir.Constant(ir.IntType(32), 1)
                done.set_metadata("nontemporal", self.builder.module.add_metadata([one]))

    def row(self, index: Any) -> Vector:
        """Return eight numbers from an index on."""
        place = self.builder.gep(self.start, [index], inbounds=True)
        return self._load(self.builder.bitcast(place, ir.VectorType(self.number, LANES).as_pointer()))

    def put(self, index: Any, x: Vector) -> None:
        """Store eight numbers from an index on."""
        place = self.builder.gep(self.start, [index], inbounds=True)
        place = self.builder.bitcast(place, ir.VectorType(self.number, LANES).as_pointer())
        self.builder.store(x.value, place, align=self.align)

    def splat(self, index: Any) -> Complex:
        """Return one complex number in all lanes, of an array of these."""
        first = self.builder.mul(index, INT(2))
        return Complex(*(self.in_all_lanes(self.builder.add(first, INT(part))) for part in range(2)))

    def in_all_lanes(self, index: Any) -> Vector:
        """Return the number at an index."""
        builder, lane = self.builder, ir.IntType(32)
        nothing = ir.Constant(ir.VectorType(self.number, LANES), ir.Undefined)
        number = builder.load(builder.gep(self.start, [index], inbounds=True))
        first = builder.insert_element(nothing, number, lane(0))
        every = ir.Constant(ir.VectorType(lane, LANES), [0] * LANES)
        return Vector(builder, builder.shuffle_vector(first, nothing, every))

    def place(self, index: Any, part: int) -> Any:
        """Return a pointer to the real or the imaginary parts of one index."""
        offset = self.builder.add(self.builder.mul(index, INT(2 * LANES)), INT(part * LANES))
        place = self.builder.gep(self.start, [offset], inbounds=True)
        return self.builder.bitcast(place, ir.VectorType(self.number, LANES).as_pointer())

    def twiddle(self, first: Any, q: int, kind: int) -> Complex:
        """Return the factor of the q-th number of a butterfly, q > 0."""
        index = self.builder.add(first, INT(q - 1))
        return self.splat(index) if kind == SPLAT else self.load(index)


def steps(builder: Any, first: Any, stride: Any, count: int) -> list[Any]:
    """Return so many indices, from the first one on."""
    return [builder.add(first, builder.mul(stride, INT(q))) for q in range(count)]

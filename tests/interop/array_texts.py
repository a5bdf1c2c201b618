"""Prints random arrays with numpy: a line of JSON each, of the form of tests/cli-goldens/data/numpy_str.jsonl.

  python array_texts.py

`dtype` is TensorFlow's name, `shape` null for a scalar, `bytes` the elements as a bundle has them and `items` those of
strings, in hexadecimal digits; `text` is `str` of the array and `repr` its `repr`. All values of the types of one and two bytes are among them.
"""
import json
import sys

import ml_dtypes
import numpy as np

SMALL = ["bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz",
         "float4_e2m1fn"]
NARROW = ["int4", "uint4", "int2", "uint2"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "float32", "float64"]
COMPLEX = {"complex64": "float32", "complex128": "float64"}
QUANTIZED = {"qint8": "i1", "quint8": "u1", "qint16": "i2", "quint16": "u2", "qint32": "i4"}
ALPHABET = [b"a", b"B", b" ", b"'", b'"', b"\\", b"\n", b"\t", b"\r", b"\0", b"\x7f", b"\xff", "é".encode()]

random = np.random.default_rng(11)
assert tuple(map(int, np.__version__.split(".")[:2])) >= (2, 4), "older numpy prints by other rules: " + np.__version__


def case(dtype, array):
    facts = dict(dtype=dtype, shape=list(array.shape) if array.shape else None)
    if dtype == "string":
        facts["items"] = [item.hex() for item in array.ravel().tolist()]
    else:
        facts["bytes"] = np.ascontiguousarray(array).tobytes().hex()
    print(json.dumps(dict(facts, text=str(array), repr=repr(np.asarray(array)))))


def shape():
    """Small ones, long ones, ones of many dimensions, ones with more elements than are shown."""
    kind = random.integers(8)
    if kind == 0:
        return ()
    if kind == 1:
        return (int(random.integers(1, 120)),)
    if kind == 2:
        return tuple(random.integers(1, 40, 2).tolist())
    if kind == 3:
        return tuple(random.integers(0, 4, random.integers(1, 6)).tolist())
    if kind == 4:
        return [(1001,), (1000,), (7, 143), (6, 167), (2, 501), (501, 2), (3, 4, 100), (7, 7, 7, 3), (1, 1, 1, 1, 1001),
                (6, 6, 6, 6), (2, 2, 300)][random.integers(11)]
    return tuple(random.integers(1, 6, random.integers(1, 6)).tolist())


def bits(dtype, shape):
    """Any bits there are."""
    size = np.dtype(dtype).itemsize
    values = 16 if dtype == ml_dtypes.float4_e2m1fn else 256  # other bits must be 0, or it prints what is not there
    raw = random.integers(0, values, int(np.prod(shape)) * size, np.uint8)
    return raw.view(dtype).reshape(shape)


def reals(dtype, shape):
    kind = random.integers(9)
    with np.errstate(all="ignore"):
        if kind == 0:
            values = bits(dtype, shape)
        elif kind == 1:
            values = random.normal(size=shape)
        elif kind == 2:
            values = random.integers(-50, 50, shape).astype("f8")
        elif kind == 3:
            values = random.normal(size=shape) * 10.0 ** random.integers(-12, 13)
        elif kind == 4:  # of few digits
            values = np.round(random.normal(size=shape) * 10, random.integers(0, 6))
        elif kind == 5:  # halves, quarters and so on, large ones too: often in the middle of two decimal numbers
            values = random.integers(-(1 << 24), 1 << 24, shape) / 2.0 ** random.integers(0, 24)
        elif kind == 6:  # around the limits of the notations
            limits = [1e-4, 1e3, 1e6, 1e8, 1e16, 1.0, 10.0, 100.0, 0.001, 0.1]
            values = random.choice(limits, shape) * random.choice([1, 1, 1.0 + 1e-7, 1.0 - 1e-7, 1.001, 0.999], shape)
        elif kind == 7:  # powers of two, whose neighbours are not equally far
            values = 2.0 ** random.integers(-40, 40, shape)
        else:  # the smallest there are
            values = random.integers(0, 5, shape) * float(np.finfo(dtype).smallest_subnormal)
        values = np.asarray(values).astype(dtype)
        if random.integers(4) == 0:
            values = np.where(random.integers(0, 4, shape) == 0, random.choice([np.nan, np.inf, -np.inf, -0.0, 0.0], shape),
                              values).astype(dtype)
    return values


def main():
    # A scalar for each value would take too long; an array for some of each exponent does not.
    for dtype in ["float16", "bfloat16"]:
        values = np.arange(1 << 16, dtype=np.uint16).view(np.float16 if dtype == "float16" else ml_dtypes.bfloat16)
        for start in range(0, 1 << 16, 512):
            case(dtype, values[start : start + 512])
    for value in range(0, 1 << 16, 5):
        case("float16", np.array(value, np.uint16).view(np.float16))
    for dtype in SMALL[1:] + NARROW:
        count = 16 if dtype == "float4_e2m1fn" else 256
        for values in np.arange(count, dtype=np.uint8).view(getattr(ml_dtypes, dtype)).reshape(-1, 4, 4):
            case(dtype, values)
    for _ in range(3000):
        dtype = FLOATS[random.integers(3)]
        case(dtype, reals(dtype, shape()))
    for _ in range(1500):
        dtype = sorted(COMPLEX)[random.integers(2)]
        dims = shape()
        array = np.empty(dims, dtype)
        array.real, array.imag = reals(COMPLEX[dtype], dims), reals(COMPLEX[dtype], dims)
        case(dtype, array)
    for _ in range(200):
        for dtype in SMALL:
            case(dtype, bits(getattr(ml_dtypes, dtype), shape()))
        for dtype in NARROW:
            case(dtype, bits(getattr(ml_dtypes, dtype), shape()))
        dtype = INTEGERS[random.integers(len(INTEGERS))]
        case(dtype, bits(dtype, shape()))
        case(dtype, random.integers(0, 100, shape()).astype(dtype))
        case("bool", random.integers(0, 2, shape()).astype(bool))
        dtype = sorted(QUANTIZED)[random.integers(len(QUANTIZED))]
        dims = shape()
        case(dtype, bits(QUANTIZED[dtype], dims).reshape(-1).view([(dtype, QUANTIZED[dtype])]).reshape(dims))
        strings = np.empty(int(np.prod(dims)), object)
        for index in range(strings.size):
            strings[index] = b"".join(random.choice(ALPHABET, random.integers(0, 30)))
        case("string", strings.reshape(dims))


if __name__ == "__main__":
    sys.exit(main())

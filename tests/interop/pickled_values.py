"""Pickles values and says what they are: a line of JSON each.

  python pickled_values.py stored    few small values, of which tests/fixtures/pickles/numpy_VERSION.jsonl are made
  python pickled_values.py random    thousands, by all protocols that this Python has

A line has `pickle` in hexadecimal digits and `value`, a list of its kind and contents: ["int", "5"], ["list", [...]],
["array", dtype of TensorFlow, shape, little-endian bytes or, of strings, one hexadecimal string each],
["objects", shape, elements].
"""
import json
import pickle
import sys

import numpy as np

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None  # the Python of numpy 1

NUMBERS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
           "complex64", "complex128"]
SMALL = ["bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz", "float4_e2m1fn",
         "int4", "uint4", "int2", "uint2"] if ml_dtypes else []
QUANTIZED = {"qint8": "i1", "quint8": "u1", "qint16": "<i2", "quint16": "<u2", "qint32": "<i4"}
random = np.random.RandomState(5)


def array_facts(array):
    array = np.asarray(array)
    shape = list(array.shape)
    if array.dtype.names:
        return ["array", array.dtype.names[0], shape, np.ascontiguousarray(array).tobytes().hex()]
    if array.dtype.kind == "O" and not all(isinstance(item, (str, bytes)) for item in array.ravel()):
        return ["objects", shape, [facts(item) for item in array.ravel()]]
    if array.dtype.name in SMALL:
        return ["array", array.dtype.name, shape, np.ascontiguousarray(array).tobytes().hex()]
    if array.dtype.kind in "OSU":
        items = [item.encode() if isinstance(item, str) else bytes(item) for item in array.ravel().tolist()]
        return ["array", "string", shape, [item.hex() for item in items]]
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
    return ["array", array.dtype.name, shape, little.tobytes().hex()]


def facts(value):
    if isinstance(value, (np.ndarray, np.generic)):
        return array_facts(value)
    if value is None:
        return ["none"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", np.float64(value).tobytes().hex()]
    if isinstance(value, complex):
        return array_facts(np.complex128(value))
    if isinstance(value, str):
        return ["str", value.encode().hex()]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, list):
        return ["list", [facts(item) for item in value]]
    if isinstance(value, tuple):
        return ["tuple", [facts(item) for item in value]]
    return ["dict", [[facts(key), facts(item)] for key, item in value.items()]]


def case(value, protocol):
    print(json.dumps(dict(pickle=pickle.dumps(value, protocol).hex(), value=facts(value))))


def text():
    letters = ["a", "Z", "0", " ", "\\", "\n", "\r", "\x1a", "'", "é", "日", "🦀", "\xff", "\\u0041"]
    return "".join(letters[index] for index in random.randint(0, len(letters), random.randint(0, 12)))


def array():
    shape = tuple(random.randint(0 if random.randint(8) == 0 else 1, 5, random.randint(0, 5)).tolist())
    count = int(np.prod(shape))
    kind = random.randint(9)
    if kind == 8 and SMALL:
        dtype = np.dtype(getattr(ml_dtypes, SMALL[random.randint(len(SMALL))]))
        made = random.randint(0, 2, count).astype(dtype).reshape(shape)
        return np.asfortranarray(made) if random.randint(3) == 0 else made
    if kind == 0:
        items = np.empty(count, object)
        for index in range(count):
            items[index] = [text(), text().encode(), b"", "one"][random.randint(4)]
        if count and random.randint(2):
            items[random.randint(count)] = [None, 7, 2.5, True, np.float32(0.1), [1, "a"], (), np.arange(3), {"a": 1}][random.randint(9)]
        items = items.reshape(shape)
        return np.asfortranarray(items) if random.randint(3) == 0 else items
    if kind == 1:
        # Zeros at the end of a fixed-width string are not part of it.
        made = np.array([text() + "." for _ in range(count)] or [""], "U")[:count].reshape(shape)
        return made.astype(made.dtype.newbyteorder(">")) if random.randint(2) else made
    if kind == 2:
        return np.array([text().encode() + b"." for _ in range(count)] or [b""], "S")[:count].reshape(shape)
    if kind == 3:
        name = sorted(QUANTIZED)[random.randint(len(QUANTIZED))]
        plain = random.randint(0, 100, count).astype(QUANTIZED[name])
        return plain.view([(name, QUANTIZED[name])]).reshape(shape)
    dtype = np.dtype(NUMBERS[random.randint(len(NUMBERS))])
    raw = random.randint(0, 2 if dtype == bool else 256, count * dtype.itemsize).astype(np.uint8)
    made = raw.view(dtype).reshape(shape) if count else np.zeros(shape, dtype)
    if random.randint(3) == 0:
        made = made.astype(dtype.newbyteorder(">"))
    order = random.randint(5)
    if order == 0:
        made = np.asfortranarray(made)
    if order == 1:
        made = made.transpose(random.permutation(made.ndim))
    if order == 2:
        made = made[::2] if made.ndim else made
    if order == 3:
        made = np.array(made)
        made.flags.writeable = False
    return made


def value(depth=0):
    kind = random.randint(12 if depth < 4 else 8)
    if kind < 2:
        return array()
    if kind == 2:
        return np.dtype(NUMBERS[random.randint(len(NUMBERS))]).type(1) if random.randint(2) else np.str_(text() + ".")
    if kind == 3:
        return int(random.randint(-1000, 1000)) << int(random.randint(0, 100))
    if kind == 4:
        return [1.5, -0.0, float("inf"), float("-inf"), 1e-300, 0.1, float(random.standard_normal()), 1 - 2.5j][random.randint(8)]
    if kind == 5:
        return [None, True, False, 0, 255, 256, 65535, 65536, -1, 1 << 31, -(1 << 63), 1 << 64][random.randint(12)]
    if kind == 6:
        return text()
    if kind == 7:
        return text().encode() * random.choice([0, 1, 1, 100])
    items = [value(depth + 1) for _ in range(random.choice([0, 1, 2, 3, 5]))]
    if kind == 8:
        return tuple(items)
    if kind == 9:
        return {text() + str(index): item for index, item in enumerate(items)}
    if kind == 10 and items:  # the same object several times
        return [items[0], items[0], items]
    return items


def stored():
    for protocol in range(min(pickle.HIGHEST_PROTOCOL, 5) + 1):
        case({"x": [1, -2.5, None, True, (1 << 70,)], 3: "é\\\n🦀", b"\xff": b"", "t": ()}, protocol)
        case(np.arange(6, dtype="<f4").reshape(2, 3), protocol)
        case(np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)), protocol)
        case([np.arange(24, dtype="u1").reshape(2, 3, 4).transpose(1, 2, 0), np.zeros((0, 2)), np.array(True)], protocol)
        case([np.float64(0.1), np.int64(-5), np.str_("é"), np.bytes_(b"ab")], protocol)
        case(np.array([["a", b"\xff"], ["", "a"]], object), protocol)
        case([np.array(["ab", "é"]), np.array([b"ab", b"c"]), np.array([(1,), (2,)], [("qint8", "i1")])], protocol)


def randoms():
    for count in range(2500):
        case(value(), count % (min(pickle.HIGHEST_PROTOCOL, 5) + 1))
    same = [0] * 10
    case([same] * 1000, 2)
    case(list(range(5000)), 0)
    case([ml_dtypes.bfloat16(1.5), ml_dtypes.float8_e4m3fn(0.5)] if ml_dtypes else [], 4)
    case(list(np.arange(64).repeat(30).tolist()) * 20, 4)
    case({str(index): index for index in range(3000)}, 4)
    case([b"x" * 70000, "é" * 70000, np.arange(70000)], 5)
    case([b"x" * 70000, "é" * 70000, np.arange(70000)], 2)


if __name__ == "__main__":
    {"stored": stored, "random": randoms}[sys.argv[1]]()

"""Passes tensors between the reference implementation of safetensors and files that this crate wrote.

  python safetensors_files.py make OUT     writes OUT/cases.safetensors with every type; OUT/cases.json says what is in it
  python safetensors_files.py again DIR    reads each DIR/NAME.safetensors of ours and writes it again as DIR/NAME.again
  python safetensors_files.py load FILE    reads a file into arrays of numpy; prints dtype, shape and bytes of each as JSON
  python safetensors_files.py check DIR    prints as JSON, for each file of DIR, whether it is accepted

Prints `missing` where the Python module is not installed.
"""
import ctypes
import json
import os
import sys

try:
    import safetensors
    import safetensors.numpy
except ImportError:
    print("missing")
    sys.exit(0)

# As Python calls them, the type in the file, and the bytes of an element.
TYPES = [
    ("bool", "BOOL", 1), ("int8", "I8", 1), ("uint8", "U8", 1), ("int16", "I16", 2), ("uint16", "U16", 2), ("int32", "I32", 4),
    ("uint32", "U32", 4), ("int64", "I64", 8), ("uint64", "U64", 8), ("float16", "F16", 2), ("float32", "F32", 4),
    ("float64", "F64", 8), ("bfloat16", "BF16", 2), ("float8_e4m3fn", "F8_E4M3", 1), ("float8_e4m3fnuz", "F8_E4M3FNUZ", 1),
    ("float8_e5m2", "F8_E5M2", 1), ("float8_e5m2fnuz", "F8_E5M2FNUZ", 1), ("float8_e8m0fnu", "F8_E8M0", 1),
    ("float4_e2m1fn_x2", "F4", 1), ("complex64", "C64", 8),
]
PYTHON = {stored: python for python, stored, _ in TYPES}


def serialize(tensors, metadata=None):
    """`tensors`: name -> type in the file, shape there, bytes."""
    buffers, specs = [], {}
    for name, (stored, shape, data) in tensors.items():
        shape = list(shape)
        if stored == "F4":
            shape[-1] //= 2
        buffers.append(ctypes.create_string_buffer(bytes(data), max(len(data), 1)))
        specs[name] = safetensors.TensorSpec(
            dtype=PYTHON[stored], shape=shape, data_ptr=ctypes.addressof(buffers[-1]), data_len=len(data))
    return safetensors.serialize(specs, metadata)


def make(out):
    tensors = {}
    for _, stored, size in TYPES:
        for name, shape in (("matrix", (3, 4)), ("scalar", ()), ("empty", (2, 0))):
            elements = 1
            for dim in shape:
                elements *= dim
            if stored == "F4" and name == "scalar":
                continue
            length = elements * size // (2 if stored == "F4" else 1)
            data = bytes((7 * index + size) % (2 if stored == "BOOL" else 251) for index in range(length))
            tensors["%s/%s é\"" % (stored, name)] = (stored, shape, data)
    with open(os.path.join(out, "cases.safetensors"), "wb") as file:
        file.write(serialize(tensors, {"format": "größe \"\\\n"}))
    cases = [dict(name=name, type=stored, shape=shape, bytes_hex=data.hex()) for name, (stored, shape, data) in tensors.items()]
    with open(os.path.join(out, "cases.json"), "w", encoding="utf-8") as file:
        json.dump(cases, file, indent=1)
        file.write("\n")


def again(directory):
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".safetensors"):
            continue
        path = os.path.join(directory, name)
        with open(path, "rb") as file:
            tensors = dict(safetensors.deserialize(file.read()))
        with safetensors.safe_open(path, "np") as file:
            metadata = file.metadata()
        tensors = {key: (info["dtype"], info["shape"], info["data"]) for key, info in tensors.items()}
        with open(path[: -len(".safetensors")] + ".again", "wb") as file:
            file.write(serialize(tensors, metadata))


def load(path):
    arrays = safetensors.numpy.load_file(path)
    rows = {name: dict(dtype=array.dtype.name, shape=array.shape, bytes_hex=array.tobytes().hex()) for name, array in arrays.items()}
    print(json.dumps(rows))


def check(directory):
    accepted = {}
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as file:
            data = file.read()
        try:
            safetensors.deserialize(data)
            accepted[name] = True
        except Exception:
            accepted[name] = False
    print(json.dumps(accepted))


{"make": make, "again": again, "load": load, "check": check}[sys.argv[1]](*sys.argv[2:])

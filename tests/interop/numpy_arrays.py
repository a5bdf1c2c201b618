"""Passes arrays between numpy and files that this crate wrote.

  python numpy_arrays.py make OUT     writes files of every kind with numpy, and cases.npz with all of them, compressed;
                                      cases.json says what is in them
  python numpy_arrays.py again DIR    reads each DIR/NAME.npy of ours with numpy and saves it as DIR/NAME.again.npy
  python numpy_arrays.py archive FILE.npz OUT    reads an archive with numpy, which must be sound, and saves the array that
                                                 is Nth by name as OUT/N.npy; prints the names as JSON

In cases.json a case has the dtype of TensorFlow, the shape, and the elements in row-major order: little-endian bytes, or
one hexadecimal string each. `void` says that the file does not name the dtype, `refused` that it is none of TensorFlow's.
`again` writes objects again from their elements, which is what a program would have: numpy unpickles other objects.
"""
import json
import os
import sys
import zipfile

import ml_dtypes
import numpy as np

NUMPY = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
         "complex64", "complex128"]
VOID = ["bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz", "int4",
        "uint4", "int2", "uint2", "float4_e2m1fn"]
STRINGS = [b"abc", b"", b"a\0b", "é日本".encode(), b"\xff\xfe", b"0123456789"]


def strings_hex(array, encode=lambda text: text):
    return [encode(text).hex() for text in array.ravel().tolist()]


def make(out):
    cases = []

    def case(name, array, version=None, **facts):
        with open(os.path.join(out, name + ".npy"), "wb") as file:
            np.lib.format.write_array(file, array, version=version)
        cases.append(dict(name=name, shape=list(array.shape), **facts))

    def numbers(name, dtype, array, **facts):
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
        case(name, array, dtype=dtype, bytes_hex=little.tobytes().hex(), **facts)

    random = np.random.default_rng(7)
    for dtype in NUMPY:
        values = random.integers(0, 2, (2, 3, 4)) if dtype == "bool" else random.normal(size=(2, 3, 4)) * 50
        array = np.abs(values).astype(dtype) if dtype.startswith("u") else values.astype(dtype)
        numbers(dtype, dtype, array)
        numbers(dtype + "_big", dtype, array.astype(array.dtype.newbyteorder(">")))
        numbers(dtype + "_fortran", dtype, np.asfortranarray(array))
        numbers(dtype + "_scalar", dtype, array[0, 1, 2])
        numbers(dtype + "_empty", dtype, array[:, :0])
    numbers("big_fortran", "float32", np.asfortranarray(np.arange(30, dtype=">f4").reshape(5, 3, 2)))
    for version in ((1, 0), (2, 0), (3, 0)):
        numbers("version_%d" % version[0], "int32", np.arange(5, dtype="<i4"), version=version)
    for dtype in VOID:
        array = np.arange(16, dtype=np.uint8).astype(getattr(ml_dtypes, dtype))
        named = array.dtype.str == "<f1"
        case(dtype, array, dtype=dtype, bytes_hex=array.tobytes().hex(), void=not named)
    for name, kind in (("qint8", "i1"), ("quint8", "u1"), ("qint16", "<i2"), ("quint16", ">u2"), ("qint32", "<i4")):
        plain = np.arange(6).astype(kind)
        array = plain.view([(name, kind)])
        little = plain.astype(plain.dtype.newbyteorder("<"))
        case(name, array, dtype=name, bytes_hex=little.tobytes().hex())
    fixed = np.array(STRINGS).reshape(2, 3)
    case("strings", fixed, dtype="string", elements_hex=strings_hex(fixed))
    case("strings_fortran", np.asfortranarray(fixed), dtype="string", elements_hex=strings_hex(fixed))
    texts = np.array(["é", "", "日本 🦀", "a"])
    for name, array in (("texts", texts), ("texts_big", texts.astype(">U4"))):
        case(name, array, dtype="string", elements_hex=strings_hex(texts, str.encode))
    for name, array in (
        ("objects", np.array([b"a", None], object)),
        ("dates", np.array(["2026-01-01"], "M8[D]")),
        ("long_double", np.zeros(2, np.longdouble)),
        ("structures", np.zeros(2, [("a", "<f4"), ("b", "<i4")])),
    ):
        case(name, array, refused=True)
    with open(os.path.join(out, "cases.json"), "w", encoding="utf-8") as file:
        json.dump(cases, file, indent=1)
        file.write("\n")
    with zipfile.ZipFile(os.path.join(out, "cases.npz"), "w") as archive:
        archive.writestr(zipfile.ZipInfo("README"), "what is no array is not listed")
        for case in cases:
            with open(os.path.join(out, case["name"] + ".npy"), "rb") as file:
                archive.writestr(zipfile.ZipInfo(case["name"] + ".npy"), file.read(), zipfile.ZIP_DEFLATED)
    arrays = {"größe/é": np.arange(6, dtype=">i4"), "zeros": np.zeros((300, 1000), "f4"), "none": np.zeros((0,))}
    np.savez(os.path.join(out, "stored.npz"), **arrays)
    np.savez_compressed(os.path.join(out, "compressed.npz"), **arrays)


def again(directory):
    for name in sorted(os.listdir(directory)):
        if name.endswith(".npy") and not name.endswith(".again.npy"):
            array = np.load(os.path.join(directory, name), allow_pickle=True)
            if array.dtype == object:
                fresh = np.empty(array.shape, object)
                for index in np.ndindex(array.shape):
                    fresh[index] = (b"x" + array[index])[1:]
                array = fresh
            np.save(os.path.join(directory, name[:-4] + ".again.npy"), array)


def archive(path, out):
    with zipfile.ZipFile(path) as members:
        assert members.testzip() is None
    with np.load(path) as members:
        for number, name in enumerate(sorted(members.files)):
            np.save(os.path.join(out, "%d.npy" % number), members[name])
        print(json.dumps(sorted(members.files)))


if __name__ == "__main__":
    {"make": make, "again": again, "archive": archive}[sys.argv[1]](*sys.argv[2:])

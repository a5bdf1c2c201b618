"""Casts numbers to every floating-point type with numpy and ml_dtypes.

  python cast.py DIR    DIR/f32 and DIR/f64 are numbers; writes DIR/f32.DTYPE and DIR/f64.DTYPE

To the types of ml_dtypes only from f32: from f64 some of them round twice.
"""
import os
import sys

import ml_dtypes
import numpy as np

SMALL = ["bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz",
         "float4_e2m1fn"]


def main():
    directory = sys.argv[1]
    np.seterr(all="ignore")
    for name, kind in (("f32", "<f4"), ("f64", "<f8")):
        numbers = np.fromfile(os.path.join(directory, name), kind)
        types = {dtype: np.dtype(dtype) for dtype in ("float16", "float32", "float64")}
        if name == "f32":
            types.update({dtype: np.dtype(getattr(ml_dtypes, dtype)) for dtype in SMALL})
        for dtype, to in types.items():
            numbers.astype(to).tofile(os.path.join(directory, "%s.%s" % (name, dtype)))


main()

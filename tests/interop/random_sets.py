"""Random sets of tensors, with the bundles that TensorFlow writes of them.

  python random_sets.py OUT_DIR SEED COUNT

Set I is saved with SaveV2 under OUT_DIR/I. OUT_DIR/sets.json is a list of sets, each a list of what was saved in order:
  {"key_hex", "dtype", "shape", "slice", "lengths"}
where "slice" is a shape_and_slice as SaveV2 takes it ("" for a whole tensor), "shape" that of what was saved, and "lengths"
those of its elements if they have no fixed size. Their bytes, one element behind the other, are in OUT_DIR/values.bin.
"""
import json
import os
import sys

from random_bundles import DENSE, LENGTHS, Maker, Values, save
from dump_bundles import STRING, VARIANT, variant_elements
import numpy as np

EVERY = [*DENSE, STRING]


def key(maker):
    kind = maker.random.randrange(4)
    if kind == 0:
        return maker.name()
    if kind == 1:
        return bytes(maker.random.choice(b"ab/\xff\xfe\x00") for _ in range(maker.random.randint(1, 30))) + b"k"
    words = ["model", "layer_%d" % maker.random.randrange(12), "dense", "kernel", ".ATTRIBUTES", "VARIABLE_VALUE"]
    return "/".join(words[maker.random.randrange(3):]).encode() + b"%d" % maker.random.randrange(100)


def one_set(maker, number):
    """Returns (name, shape_and_slice, values) of everything to be saved."""
    if number % 250 == 100:
        # An index of several blocks.
        names = dict.fromkeys(b"%06d/" % maker.random.randrange(10**6) + maker.numbers.bytes(40).hex().encode() for _ in range(5000))
        return [(name, "", maker.dense(maker.random.choice(DENSE), [])) for name in names]
    pieces = []
    for name in dict.fromkeys(key(maker) for _ in range(maker.random.randint(1, 40))):
        kind = maker.random.randrange(40)
        if kind == 0:
            pieces.append((name, "", maker.variants(maker.random.randint(1, 3))))
        elif kind == 1:
            pieces.append((name, "", maker.dense(maker.random.choice(DENSE), [maker.random.randint(1, 2**17)])))
        elif kind == 2:
            pieces.append((name, "", maker.strings([3], LENGTHS[:7] if number % 50 else LENGTHS)))
        elif kind < 10:
            values = maker.values(maker.random.choice(EVERY), maker.shape(1, 5))
            boxes = maker.boxes([(0, n) for n in values.shape], maker.random.randint(1, 7))
            # Not all of them have to be in this bundle.
            boxes = boxes[:maker.random.randint(1, len(boxes))]
            pieces += [(name, maker.text(values.shape, box), values.cut(box)) for box in boxes]
        else:
            least = maker.random.randrange(2)
            pieces.append((name, "", maker.values(maker.random.choice(EVERY), maker.shape(0, 4, least=least))))
    maker.random.shuffle(pieces)
    return pieces


def row(name, text, values, out):
    row = {"key_hex": name.hex(), "dtype": values.dtype, "shape": values.shape, "slice": text}
    if values.dtype in (STRING, VARIANT):
        elements = variant_elements(values.array) if values.dtype == VARIANT else values.array.ravel().tolist()
        row["lengths"] = [len(element) for element in elements]
        out.write(b"".join(elements))
    else:
        out.write(np.ascontiguousarray(values.array).tobytes())
    return row


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    directory, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    maker, sets = Maker(seed), []
    with open(os.path.join(directory, "values.bin"), "wb") as out:
        for number in range(count):
            pieces = one_set(maker, number)
            save(os.path.join(directory, str(number)), pieces)
            sets.append([row(*piece, out) for piece in pieces])
    with open(os.path.join(directory, "sets.json"), "w", encoding="utf-8") as out:
        json.dump(sets, out)


main()

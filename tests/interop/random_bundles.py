"""Random bundles, written by TensorFlow's own ops, with what went into them.

  python random_bundles.py OUT_DIR SEED

Writes OUT_DIR/NAME.index and its shards, and OUT_DIR/rows.json, an object of two lists:
  tensors   one row per tensor in the form of dump_bundles.py, taken from the values that were saved
  reads     one row per part of a tensor: "shape_and_slice" as RestoreV2 takes it, and what it should give
All of it is also read with RestoreV2. What TensorFlow refuses has "tensorflow_says"; where it reads something else than
was saved, this script fails.
"""
import hashlib
import json
import os
import random
import sys

from dump_bundles import STRING, VARIANT, blobs, content, gist
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

DENSE = [n for n in list(range(1, 20)) + list(range(22, 34)) if n != STRING]
LOW_BITS = {types_pb2.DT_BOOL: 1, types_pb2.DT_INT4: 15, types_pb2.DT_UINT4: 15, types_pb2.DT_FLOAT4_E2M1FN: 15,
            types_pb2.DT_INT2: 3, types_pb2.DT_UINT2: 3}
# Where a varint gets one byte longer, up to four bytes.
LENGTHS = [0, 1, 127, 128, 129, 16383, 16384, 2**21 - 1, 2**21]


class Values:
    """A tensor: for dense types an array of bytes with one dimension more, otherwise an array of bytes objects."""

    def __init__(self, dtype, shape, array):
        self.dtype, self.shape, self.array = dtype, list(shape), array

    def cut(self, box):
        part = self.array[tuple(slice(start, start + n) for start, n in box)]
        return Values(self.dtype, [n for _, n in box], part)

    def tensor(self):
        if self.dtype == VARIANT:
            return self.array
        if self.dtype == STRING:
            return tf.constant(self.array.ravel().tolist(), tf.string, shape=self.shape)
        proto = tensor_pb2.TensorProto(dtype=self.dtype)
        for n in self.shape:
            proto.tensor_shape.dim.add(size=n)
        proto.tensor_shape.SetInParent()
        proto.tensor_content = np.ascontiguousarray(self.array).tobytes()
        return tf.io.parse_tensor(proto.SerializeToString(), tf.dtypes.as_dtype(self.dtype))

    def row(self):
        row = {"dtype": self.dtype, "shape": self.shape, "count": int(np.prod(self.shape, dtype=np.int64))}
        if self.dtype == VARIANT:
            return dict(row, **content(self.array))
        if self.dtype == STRING:
            return dict(row, **blobs(self.array.ravel().tolist()))
        raw = np.ascontiguousarray(self.array).tobytes()
        return dict(row, bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest())


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)

    def dense(self, dtype, shape):
        size = tf.dtypes.as_dtype(dtype).size
        raw = self.numbers.integers(0, 256, [*shape, size], np.uint8) & LOW_BITS.get(dtype, 255)
        return Values(dtype, shape, raw)

    def strings(self, shape, lengths=(0, 1, 2, 5, 30, 127, 128, 300)):
        array = np.empty(shape, object)
        for i in np.ndindex(*shape):
            array[i] = self.numbers.bytes(self.random.choice(lengths))
        return Values(STRING, shape, array)

    def variants(self, count):
        lists = [tf.raw_ops.TensorListFromTensor(tensor=tf.constant(self.numbers.random(i + 1)),
                                                 element_shape=tf.constant([], tf.int32)) for i in range(count)]
        return Values(VARIANT, [count], tf.stack(lists))

    def values(self, dtype, shape):
        return self.strings(shape) if dtype == STRING else self.dense(dtype, shape)

    def shape(self, least_rank, most_rank, least=1, most=7):
        return [self.random.randint(least, most) for _ in range(self.random.randint(least_rank, most_rank))]

    def name(self):
        words = ["layer", "größe", "a", "a/b", "核", ".ATTRIBUTES", "VARIABLE_VALUE", "x" * self.random.randint(1, 300)]
        return "/".join(self.random.sample(words, self.random.randint(1, 4))).encode() + b"%d" % self.random.randint(0, 999)

    def boxes(self, box, pieces):
        """Cuts a box at random planes."""
        wide = [i for i, (_, n) in enumerate(box) if n > 1]
        if pieces < 2 or not wide:
            return [box]
        i = self.random.choice(wide)
        start, n = box[i]
        at = self.random.randint(1, n - 1)
        left, right = list(box), list(box)
        left[i], right[i] = (start, at), (start + at, n - at)
        share = self.random.randint(1, pieces - 1)
        return self.boxes(left, share) + self.boxes(right, pieces - share)

    def text(self, shape, box):
        """The box as SaveV2 and RestoreV2 take it; a whole dimension is written in either way."""
        extents = ["-" if (start, n) == (0, size) and self.random.random() < 0.7 else "%d,%d" % (start, n)
                   for size, (start, n) in zip(shape, box)]
        return "%s %s" % (" ".join(map(str, shape)), ":".join(extents))

    def part(self, shape):
        box = []
        for size in shape:
            start = self.random.randint(0, size - 1)
            box.append((start, self.random.randint(1, size - start)))
        return box


def save(prefix, pieces):
    """pieces: (name, shape_and_slice, values)"""
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=[p[0] for p in pieces], shape_and_slices=[p[1] for p in pieces],
                      tensors=[p[2].tensor() for p in pieces])


def restore(prefix, name, shape_and_slice, row, dtype):
    """Notes TensorFlow's refusal in the row, and fails if it reads anything but what the row says."""
    try:
        tensor = tf.raw_ops.RestoreV2(prefix=prefix, tensor_names=[name], shape_and_slices=[shape_and_slice],
                                      dtypes=[tf.dtypes.as_dtype(dtype)])[0]
    except tf.errors.OpError as error:
        row["tensorflow_says"] = gist(error)
        return
    read = content(tensor)
    if tensor.shape.as_list() != row["shape"] or read["sha256"] != row["sha256"]:
        sys.exit("%s, %r, %r: TensorFlow reads something else than was saved" % (prefix, name, shape_and_slice))
    row["first"] = read["first"]


def bundle(maker, directory, name, whole, sliced=(), shards=1):
    """Saves tensors, some of them in pieces, spread over shards; returns the rows."""
    prefix = os.path.join(directory, name)
    pieces = [(key, "", values) for key, values in whole]
    for key, values in sliced:
        boxes = maker.boxes([(0, n) for n in values.shape], maker.random.randint(1, 9))
        pieces += [(key, maker.text(values.shape, box), values.cut(box)) for box in boxes]
    maker.random.shuffle(pieces)
    if shards == 1:
        save(prefix, pieces)
    else:
        parts = ["%s_temp/part-%05d-of-%05d" % (prefix, i, shards) for i in range(shards)]
        os.makedirs(prefix + "_temp")
        for i, part in enumerate(parts):
            save(part, pieces[i::shards])
        tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=prefix)

    tensors, reads = [], []
    for key, values in [*whole, *sliced]:
        place = {"bundle": name, "key_hex": key.hex(), "format": "v2"}
        tensors.append(dict(place, **values.row()))
        restore(prefix, key, "", tensors[-1], values.dtype)
        if values.dtype == VARIANT or not values.shape or 0 in values.shape or len(whole) > 1000:
            continue
        for _ in range(3):
            box = maker.part(values.shape)
            text = maker.text(values.shape, box)
            reads.append(dict(place, shape_and_slice=text, **values.cut(box).row()))
            restore(prefix, key, text, reads[-1], values.dtype)
    return tensors, reads


def unique(pairs):
    return list(dict(pairs).items())


def bundles(maker, directory):
    every = [*DENSE, STRING]
    for i in range(4):
        whole = [(maker.name(), maker.values(dtype, maker.shape(0, 5, least=0 if i == 0 else 1))) for dtype in every]
        whole += [(b"variant", maker.variants(3)), (b"large", maker.dense(maker.random.choice(DENSE), [2**16 + 1]))]
        yield bundle(maker, directory, "whole_%d" % i, unique(whole), shards=1 + i)
    for i in range(4):
        sliced = [(maker.name(), maker.values(dtype, maker.shape(1, 4))) for dtype in every]
        whole = [(b"whole/%d" % j, maker.values(maker.random.choice(every), maker.shape(0, 3))) for j in range(5)]
        yield bundle(maker, directory, "sliced_%d" % i, whole, unique(sliced), shards=1 + 2 * i)
    names = [b"\x00", b"\x00\x01", b"nul\x00", b"nul\x00a", b"nul", b"\x01", b"\xff", b"\xff\xff\x00", b"\xfe\x00\xff", b"a", b"a/b",
             b"a" * 1000, b"\n\t\r", b" ", b"%s", "é".encode(), "e\u0301".encode(), bytes(range(256)), b"/", b"//", b".."]
    yield bundle(maker, directory, "names", [(n, maker.dense(3, maker.shape(0, 2))) for n in names])
    sliced = [(b"in pieces " + n, maker.dense(maker.random.choice(DENSE), maker.shape(1, 3, least=2))) for n in names]
    yield bundle(maker, directory, "names_of_pieces", [(n, maker.dense(9, [])) for n in names], sliced, shards=2)
    long = maker.strings([len(LENGTHS)])
    long.array[:] = [maker.numbers.bytes(n) for n in LENGTHS]
    yield bundle(maker, directory, "strings", [(b"lengths", long), (b"none", maker.strings([3, 0])), (b"scalar", maker.strings([]))],
                 [(b"cut", maker.strings([6, 5, 4], LENGTHS[:7])), (b"all empty", maker.strings([5000], [0]))])
    many = [(b"%06d/" % maker.random.randint(0, 999999) + maker.numbers.bytes(50).hex().encode(), maker.dense(maker.random.choice(DENSE), []))
            for _ in range(7000)]
    yield bundle(maker, directory, "many", unique(many))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = {"tensors": [], "reads": []}
    for tensors, reads in bundles(Maker(int(sys.argv[2])), sys.argv[1]):
        rows["tensors"] += tensors
        rows["reads"] += reads
    with open(os.path.join(sys.argv[1], "rows.json"), "w", encoding="utf-8") as out:
        json.dump(rows, out)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Fills fuzz/corpus/ from the vectors and fixtures under tests/; needs nothing but Python."""

import glob
import hashlib
import io
import json
import os
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, os.pardir, "tests")
LARGEST = 64 << 10  # a fuzzer is quick on small inputs
TEXT_MESSAGES = ["tensorflow." + name for name in (
    "SavedModel", "NodeDef", "TensorProto", "CollectionDef", "GraphDebugInfo", "FunctionDef")]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def put(target, data):
    if len(data) > LARGEST:
        return
    directory = os.path.join(HERE, "corpus", target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, hashlib.sha1(data).hexdigest()), "wb") as file:
        file.write(data)


def put_bundle(index, shard):
    for mode in (0, 1, 3):  # as they are, checksums put right, tensors not compared
        put("bundle", bytes([mode]) + len(index).to_bytes(3, "little") + index + shard)
    for mode in (0, 1):
        put("table", bytes([mode]) + index)


def numbered_fields(message):
    """Numbers and values of all length-delimited fields, at one depth."""
    position = 0

    def varint():
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            varint()
        elif kind == 2:
            length = varint()
            yield tag >> 3, message[position : position + length]
            position += length
        else:
            position += {1: 8, 5: 4}[kind]


def field(message, wanted):
    """The last value of a field, empty if there is none."""
    return ([b""] + [part for number, part in numbered_fields(message) if number == wanted])[-1]


def put_model(directory):
    """A directory as one file of files; the parts of its meta graphs, each for the target it is of."""
    names = (
        "saved_model.pb",
        "saved_model.pbtxt",
        "saved_model.cpb",
        "fingerprint.pb",
        "keras_metadata.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    )
    data = b"\0"
    for which, name in enumerate(names):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            contents = read(path)
            if len(contents) <= LARGEST:
                data += bytes([which]) + len(contents).to_bytes(3, "little") + contents
    put("model", data)
    path = os.path.join(directory, names[0])
    if not os.path.exists(path):
        return
    message = read(path)
    put("model", b"\1" + message)
    try:
        for number, meta_graph in numbered_fields(message):
            if number == 2:
                graph, objects = field(meta_graph, 2), field(meta_graph, 7)
                put("parsing_spec", graph)
                put("object_graph", len(objects).to_bytes(3, "little") + objects)
    except (IndexError, KeyError):
        pass  # damaged on purpose


def put_checkpoint(shard):
    """The object graph of a checkpoint, with which its shard ends or begins."""
    for start in range(min(len(shard), 16)):
        if shard[start : start + 1] == b"\x0a":
            data = shard[start:]
            put("object_graph", b"\2\0\0\x0a\0" + data)
            put("object_graph", len(data).to_bytes(3, "little") + data + data)


def put_arrays(target, path):
    """A file of arrays, those of an archive by themselves and in archives of their own as well."""
    data = read(path)
    if target == "safetensors":
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        put(target, b"\0" + data)
        put(target, b"\1" + data[8:])
        put(target, b"\2" + json.dumps({"weight_map": dict.fromkeys(header, "a.safetensors")}).encode())
        return
    if not path.endswith(".npz"):
        put(target, b"\0" + data)
        put(target, b"\2" + data)
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for number, (name, member) in enumerate(sorted(members.items())):
        put(target, b"\2" + member)
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            one = io.BytesIO()
            with zipfile.ZipFile(one, "w") as archive:
                archive.writestr(zipfile.ZipInfo(name), member, method)
            put(target, bytes([3 - 2 * (number % 2)]) + one.getvalue())


def main():
    pattern = os.path.join(TESTS, "**", "*.index")
    for path in sorted(glob.glob(pattern, recursive=True)):
        shards = sorted(glob.glob(path.removesuffix(".index") + ".data-*"))
        put_bundle(read(path), read(shards[0]) if shards else b"")
        for shard in shards:
            put_checkpoint(read(shard))
    for path in glob.glob(os.path.join(TESTS, "fixtures", "pickles", "*.jsonl")):
        for line in read(path).splitlines():
            put("pickle", bytes.fromhex(json.loads(line)["pickle"]))
    corrupt = json.loads(read(os.path.join(TESTS, "vectors", "corrupt.json")))
    for case in corrupt["cases"]:
        shards = [bytes.fromhex(data) for _, data in sorted(case["files"].items())]
        put_bundle(bytes.fromhex(case["index_hex"]), shards[0] if shards else b"")
    for path in sorted(glob.glob(os.path.join(TESTS, "**", "*.pb"), recursive=True)):
        message = read(path)
        put("wire", message)
        for mode in range(12):
            put("fingerprint", bytes([mode]) + message)
        try:
            for _, part in numbered_fields(message):
                put("wire", part)
        except (IndexError, KeyError):
            pass  # damaged on purpose
    protos = json.loads(read(os.path.join(TESTS, "fixtures", "tensor_protos.json")))
    stack = [protos]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, str) and value:
            try:
                data = bytes.fromhex(value)
            except ValueError:
                continue
            put("tensor_proto", data)
            put("wire", data)
    for path in sorted(glob.glob(os.path.join(TESTS, "**", "checkpoint"), recursive=True)):
        put("checkpoint_state", read(path))
    for case in json.loads(read(os.path.join(TESTS, "fixtures", "text_cases.json"))):
        if case["message"] in TEXT_MESSAGES:
            put("text", bytes([TEXT_MESSAGES.index(case["message"])]) + case["text"].encode())
    for name in ("saved_model.pb", "saved_model.pbtxt"):
        for path in sorted(glob.glob(os.path.join(TESTS, "**", name), recursive=True)):
            put_model(os.path.dirname(path))
    for path in sorted(glob.glob(os.path.join(TESTS, "**", "*.pbtxt"), recursive=True)):
        for mode in range(6):
            put("text", bytes([mode]) + read(path))
    for case in json.loads(read(os.path.join(TESTS, "fixtures", "text_cases.json"))):
        for mode in range(6):
            put("text", bytes([mode]) + str(case.get("text", "")).encode())
    for path in sorted(glob.glob(os.path.join(TESTS, "**", "*.tfrecord*"), recursive=True)):
        for mode in (0, 1, 3):
            put("record", bytes([mode]) + read(path))
    for name, target in (("*.npy", "numpy"), ("*.npz", "numpy"), ("*.safetensors", "safetensors")):
        for path in sorted(glob.glob(os.path.join(TESTS, "**", name), recursive=True)):
            put_arrays(target, path)
    for path in sorted(glob.glob(os.path.join(TESTS, "**", "*.cpb"), recursive=True)):
        put("chunked", b"\0" + read(path))
    nodes = bytes.fromhex("12041202 0a00".replace(" ", ""))  # a graph of one node
    place = bytes.fromhex("0800121a0a0208020a0218000a0208020a0208010a0218001a020801")
    for message in (bytes.fromhex("0800"), place):
        put("chunked", b"\1" + bytes([len(nodes)]) + nodes + b"\3\x0a\x01n" + bytes([len(message)]) + message)
    example = bytes.fromhex("0a0f0a0d0a01781208120612040000803f")
    for data in (b"", b"x" * 40, example):
        record = len(data).to_bytes(8, "little") + bytes(4) + data + bytes(4)
        put("record", b"\3" + record)
        put("record", b"\3" + record * 3)


main()

#!/usr/bin/env python3
"""Fills fuzz/corpus/ from the vectors and fixtures under tests/; needs nothing but Python."""

import glob
import hashlib
import json
import os

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


def fields_of_length(message):
    """The values of all length-delimited fields, at one depth."""
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
        kind = varint() & 7
        if kind == 0:
            varint()
        elif kind == 2:
            length = varint()
            yield message[position : position + length]
            position += length
        else:
            position += {1: 8, 5: 4}[kind]


def main():
    pattern = os.path.join(TESTS, "**", "*.index")
    for path in sorted(glob.glob(pattern, recursive=True)):
        shards = sorted(glob.glob(path.removesuffix(".index") + ".data-*"))
        put_bundle(read(path), read(shards[0]) if shards else b"")
    corrupt = json.loads(read(os.path.join(TESTS, "vectors", "corrupt.json")))
    for case in corrupt["cases"]:
        shards = [bytes.fromhex(data) for _, data in sorted(case["files"].items())]
        put_bundle(bytes.fromhex(case["index_hex"]), shards[0] if shards else b"")
    for path in sorted(glob.glob(os.path.join(TESTS, "**", "*.pb"), recursive=True)):
        message = read(path)
        put("wire", message)
        for part in fields_of_length(message):
            put("wire", part)
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


main()

#!/usr/bin/env python3
"""Print the .proto files of this folder from compiled descriptors.

Names, numbers, types and options are taken from the descriptors in the
Python packages `tensorflow` and `tensorflow-serving-api`; no .proto text is
read.  Two files of tensorflow come without a Python module: their descriptors
are cut out of the package's shared library.

  print_from_descriptors.py            # print the files, remove stale ones
  print_from_descriptors.py --verify   # compare only; exit 1 on a difference

Each file's first line names the package and version it was printed from.
--verify does not compare that line, so a newer package whose schema is the
same still passes.
"""
import argparse
import importlib
import importlib.metadata
import mmap
import pathlib
import re
import sys

from google.protobuf import descriptor_pb2 as dpb

HOME = pathlib.Path(__file__).resolve().parent

F = dpb.FieldDescriptorProto
SCALAR = {
    F.TYPE_DOUBLE: "double", F.TYPE_FLOAT: "float", F.TYPE_INT64: "int64",
    F.TYPE_UINT64: "uint64", F.TYPE_INT32: "int32", F.TYPE_FIXED64: "fixed64",
    F.TYPE_FIXED32: "fixed32", F.TYPE_BOOL: "bool", F.TYPE_STRING: "string",
    F.TYPE_BYTES: "bytes", F.TYPE_UINT32: "uint32",
    F.TYPE_SFIXED32: "sfixed32", F.TYPE_SFIXED64: "sfixed64",
    F.TYPE_SINT32: "sint32", F.TYPE_SINT64: "sint64",
}

# The roots; everything they import follows.
MODULES = [
    "tensorflow.core.example.example_pb2",
    "tensorflow.core.framework.graph_debug_info_pb2",
    "tensorflow.core.framework.variable_pb2",
    "tensorflow.core.protobuf.composite_tensor_variant_pb2",
    "tensorflow.core.protobuf.config_pb2",
    "tensorflow.core.protobuf.control_flow_pb2",
    "tensorflow.core.protobuf.fingerprint_pb2",
    "tensorflow.core.protobuf.named_tensor_pb2",
    "tensorflow.core.protobuf.queue_runner_pb2",
    "tensorflow.core.protobuf.saved_model_pb2",
    "tensorflow.core.protobuf.tensor_bundle_pb2",
    "tensorflow.core.util.saved_tensor_slice_pb2",
    "tensorflow.python.keras.protobuf.saved_metadata_pb2",
    "tensorflow.python.training.checkpoint_state_pb2",
    "tensorflow_serving.apis.get_model_metadata_pb2",
    "tensorflow_serving.apis.prediction_log_pb2",
    "tensorflow_serving.config.model_server_config_pb2",
]
EMBEDDED = [
    "tensorflow/tools/proto_splitter/chunk.proto",
    "tensorflow/tools/proto_splitter/versions.proto",
]


# ---------------------------------------------------------------- printing --
def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bytes):
        return '"' + "".join("\\%03o" % b for b in value) + '"'
    return repr(value)


def option_items(options):
    """(name, literal) of the plain (non-extension) fields set in options."""
    out = []
    for fd, value in options.ListFields():
        if fd.is_extension:
            raise ValueError("custom option %s is not supported" % fd.full_name)
        if fd.name in ("map_entry", "uninterpreted_option"):
            continue
        many = fd.is_repeated
        for v in (value if many else [value]):
            if fd.enum_type is not None:
                v = fd.enum_type.values_by_number[v].name
                out.append((fd.name, v))
            elif fd.message_type is not None:
                raise ValueError("aggregate option " + fd.full_name)
            else:
                out.append((fd.name, literal(v)))
    return out


def type_name(field):
    if field.type in SCALAR:
        return SCALAR[field.type]
    return field.type_name            # already ".fully.qualified"


class Printer:
    def __init__(self, fdp):
        self.fdp = fdp
        self.proto3 = fdp.syntax == "proto3"
        self.lines = []

    def emit(self, depth, text):
        self.lines.append("  " * depth + text if text else "")

    def field(self, depth, f, maps, in_oneof):
        opts = []
        if f.HasField("default_value"):
            if f.type == F.TYPE_STRING:
                d = quote(f.default_value)
            elif f.type == F.TYPE_BYTES:      # stored already C-escaped
                d = '"' + f.default_value + '"'
            else:
                d = f.default_value
            opts.append("default = " + d)
        std_json = re.sub(r"_(.?)", lambda m: m.group(1).upper(), f.name)
        if f.HasField("json_name") and f.json_name != std_json:
            opts.append("json_name = " + quote(f.json_name))
        opts += ["%s = %s" % kv for kv in option_items(f.options)]
        tail = " [" + ", ".join(opts) + "];" if opts else ";"
        entry = maps.get(f.type_name) if f.type == F.TYPE_MESSAGE else None
        if entry is not None:
            k, v = entry.field
            head = "map<%s, %s>" % (type_name(k), type_name(v))
        else:
            head = type_name(f)
            if f.label == F.LABEL_REPEATED:
                head = "repeated " + head
            elif in_oneof:
                pass
            elif f.label == F.LABEL_REQUIRED:
                head = "required " + head
            elif not self.proto3 or f.proto3_optional:
                head = "optional " + head
        self.emit(depth, "%s %s = %d%s" % (head, f.name, f.number, tail))

    def reserved(self, depth, ranges, names, is_enum=False):
        if ranges:
            parts = []
            for r in ranges:
                end = r.end if is_enum else r.end - 1
                top = 2147483647 if is_enum else 536870911
                parts.append(str(r.start) if r.start == end else
                             "%d to %s" % (r.start,
                                           "max" if end == top else end))
            self.emit(depth, "reserved " + ", ".join(parts) + ";")
        if names:
            self.emit(depth, "reserved " + ", ".join(map(quote, names)) + ";")

    def enum(self, depth, e):
        self.emit(depth, "enum %s {" % e.name)
        for k, v in option_items(e.options):
            self.emit(depth + 1, "option %s = %s;" % (k, v))
        for v in e.value:
            o = ["%s = %s" % kv for kv in option_items(v.options)]
            self.emit(depth + 1, "%s = %d%s;" % (
                v.name, v.number, " [" + ", ".join(o) + "]" if o else ""))
        self.reserved(depth + 1, e.reserved_range, e.reserved_name, True)
        self.emit(depth, "}")

    def message(self, depth, m, scope):
        scope = scope + "." + m.name
        maps = {scope + "." + n.name: n for n in m.nested_type
                if n.options.map_entry}
        self.emit(depth, "message %s {" % m.name)
        for k, v in option_items(m.options):
            self.emit(depth + 1, "option %s = %s;" % (k, v))
        for n in m.nested_type:
            if not n.options.map_entry:
                self.message(depth + 1, n, scope)
        for e in m.enum_type:
            self.enum(depth + 1, e)
        if m.extension:
            raise ValueError("nested extensions are not supported")
        for r in m.extension_range:
            end = "max" if r.end == 536870912 else r.end - 1
            self.emit(depth + 1, "extensions %d to %s;" % (r.start, end))
        open_oneof = None
        for f in m.field:
            real = (f.HasField("oneof_index") and not f.proto3_optional)
            idx = f.oneof_index if real else None
            if open_oneof is not None and idx != open_oneof:
                self.emit(depth + 1, "}")
                open_oneof = None
            if idx is not None and open_oneof is None:
                self.emit(depth + 1, "oneof %s {" % m.oneof_decl[idx].name)
                open_oneof = idx
            self.field(depth + (2 if idx is not None else 1), f, maps,
                       idx is not None)
        if open_oneof is not None:
            self.emit(depth + 1, "}")
        self.reserved(depth + 1, m.reserved_range, m.reserved_name)
        self.emit(depth, "}")

    def service(self, s):
        self.emit(0, "service %s {" % s.name)
        for r in s.method:
            self.emit(1, "rpc %s (%s%s) returns (%s%s);" % (
                r.name, "stream " if r.client_streaming else "", r.input_type,
                "stream " if r.server_streaming else "", r.output_type))
        self.emit(0, "}")

    def text(self):
        p = self.fdp
        if p.syntax not in ("", "proto2", "proto3"):
            raise ValueError("unsupported syntax " + p.syntax)
        self.emit(0, 'syntax = "%s";' % (p.syntax or "proto2"))
        self.emit(0, "")
        if p.package:
            self.emit(0, "package %s;" % p.package)
        if p.dependency:
            self.emit(0, "")
        for i, d in enumerate(p.dependency):
            word = ("public " if i in p.public_dependency else
                    "weak " if i in p.weak_dependency else "")
            self.emit(0, "import %s%s;" % (word, quote(d)))
        # File options only steer code generators of other languages.
        if p.extension:
            raise ValueError("extensions are not supported")
        scope = "." + p.package if p.package else ""
        for e in p.enum_type:
            self.emit(0, "")
            self.enum(0, e)
        for m in p.message_type:
            self.emit(0, "")
            self.message(0, m, scope)
        for s in p.service:
            self.emit(0, "")
            self.service(s)
        return "\n".join(self.lines) + "\n"


# -------------------------------------------------------------- collecting --
def embedded_descriptor(blob, name):
    """Cut one serialized FileDescriptorProto out of a shared library."""
    raw = name.encode()
    # Field 1 of a FileDescriptorProto is its name and is written first.
    at = blob.find(b"\n" + bytes([len(raw)]) + raw)
    if at < 0:
        return None
    pos, last = at, at
    while True:
        tag, shift, p = 0, 0, pos
        while True:
            b = blob[p]
            p += 1
            tag |= (b & 127) << shift
            shift += 7
            if b < 128:
                break
        num, wire = tag >> 3, tag & 7
        if not (1 <= num <= 14) or wire not in (0, 2):
            break
        val, shift = 0, 0
        while True:
            b = blob[p]
            p += 1
            val |= (b & 127) << shift
            shift += 7
            if b < 128:
                break
        pos = p + val if wire == 2 else p
        last = pos
        if num == 12:                          # syntax is written last
            break
    fdp = dpb.FileDescriptorProto()
    fdp.ParseFromString(blob[at:last])
    return fdp


def collect(modules):
    files = {}

    def visit(fd):
        if fd.name in files:
            return
        for dep in fd.dependencies:
            visit(dep)
        p = dpb.FileDescriptorProto()
        fd.CopyToProto(p)
        files[fd.name] = p

    for m in modules:
        visit(importlib.import_module(m).DESCRIPTOR)
    return files


def counts(fdp):
    def walk(m):
        if m.options.map_entry:
            return 0, 0
        a, b = 1, len(m.field)
        for n in m.nested_type:
            x, y = walk(n)
            a, b = a + x, b + y
        return a, b
    t = [walk(m) for m in fdp.message_type]
    return sum(x for x, _ in t), sum(y for _, y in t)


def header(name):
    package = "tensorflow"
    if name.startswith("tensorflow_serving/"):
        package = "tensorflow-serving-api"
    return "// Printed by print_from_descriptors.py from %s %s.\n" % (
        package, installed(package))


def installed(package):
    # The package for processors without a GPU carries the same descriptors.
    for name in (package, package + "-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    sys.exit("not installed: " + package)


def add_embedded(files):
    """Add the files that have no Python module."""
    import tensorflow
    home = pathlib.Path(tensorflow.__file__).parent
    libraries = sorted(home.glob("libtensorflow_*"))
    for name in EMBEDDED:
        for library in libraries:
            with open(library, "rb") as f, mmap.mmap(
                    f.fileno(), 0, access=mmap.ACCESS_READ) as blob:
                p = embedded_descriptor(blob, name)
            if p is not None:
                files[name] = p
                break
        else:
            sys.exit("no descriptor of %s in %s" % (
                name, [x.name for x in libraries]))


def body(text):
    return text.split("\n", 1)[1]


def verify(printed):
    here = {p.relative_to(HOME).as_posix(): p.read_text(encoding="utf-8")
            for p in HOME.rglob("*.proto")}
    bad = 0
    for name in sorted(here.keys() | printed.keys()):
        if name not in here:
            word = "missing"
        elif name not in printed:
            word = "not in the descriptors"
        elif body(here[name]) != body(printed[name]):
            word = "differs"
        else:
            continue
        bad += 1
        print("%s: %s" % (name, word))
    print("%d files compared, %d differ" % (len(here.keys() | printed.keys()),
                                            bad))
    return 1 if bad else 0


def write(printed):
    for path in HOME.rglob("*.proto"):
        if path.relative_to(HOME).as_posix() not in printed:
            path.unlink()
    for name, text in printed.items():
        path = HOME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--verify", action="store_true",
                    help="compare with the committed files, write nothing")
    a = ap.parse_args()
    files = collect(MODULES)
    add_embedded(files)
    # Compilers bring google/protobuf themselves.
    printed = {name: header(name) + Printer(p).text()
               for name, p in files.items()
               if not name.startswith("google/")}
    if a.verify:
        return verify(printed)
    write(printed)
    totals = [counts(files[name]) for name in printed]
    print("%d files, %d messages, %d fields" % (
        len(printed), sum(m for m, _ in totals), sum(n for _, n in totals)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

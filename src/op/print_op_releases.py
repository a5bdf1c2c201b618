#!/usr/bin/env python3
"""Print op_releases.tsv: from which release of TensorFlow on its ops are there.

  python3.11 print_op_releases.py [DIRECTORY]     # downloads go there, one at a time, and are removed

Each release's package is downloaded with pip, never installed: its libraries are loaded (those up to
2.11 by a python3.7, which has to be there) for the list of ops that they register, and its headers say
which version of the graph format it writes. A release
is a line: its name, that version, and the ops of op_facts.tsv that it and all later ones have but the
one before it has not. The first line stands for all releases up to it and lists none. The last line
has the ops that the libraries do not register but other parts of the Python package do: those of
TensorFlow's own tests.
"""
import ctypes
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent

# Release, and a Python that it was packaged for.
RELEASES = [("1.15", "3.7")]
RELEASES += [("2.%d" % minor, "3.7") for minor in range(12)]
RELEASES += [("2.%d" % minor, "3.11") for minor in range(12, 22)]
PLATFORMS = ["manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_27_x86_64", "manylinux2010_x86_64"]
# What registers the ops: since 2.12 the second of these, before that the module for Python.
LIBRARIES = [r"/libtensorflow_framework\.so\.\d$", r"/(libtensorflow_cc\.so\.2|_pywrap_tensorflow_internal\.so)$"]


def download(release, python, directory):
    # TensorFlow 2.0 had no package for processors alone.
    name = "tensorflow" if release == "2.0" else "tensorflow-cpu"
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                    "--python-version", python, *platforms, "--dest", directory, "%s==%s.*" % (name, release)],
                   check=True, stdout=sys.stderr)
    [wheel] = pathlib.Path(directory).glob("*.whl")
    return wheel


def fields(data):
    """The length-delimited fields of a message: number and bytes."""
    def varint(place):
        value = shift = 0
        while True:
            byte = data[place]
            value |= (byte & 127) << shift
            place, shift = place + 1, shift + 7
            if byte < 128:
                return value, place
    place = 0
    while place < len(data):
        tag, place = varint(place)
        if tag & 7 == 2:
            length, place = varint(place)
            yield tag >> 3, data[place:place + length]
            place += length
        else:
            assert tag & 7 == 0
            _, place = varint(place)


def registered(libraries):
    """Run in a process of its own: the names of all ops that the libraries register."""
    loaded = [ctypes.CDLL(library, ctypes.RTLD_GLOBAL | os.RTLD_LAZY) for library in libraries]

    class Buffer(ctypes.Structure):
        _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    get = loaded[-1].TF_GetAllOpList
    get.restype = ctypes.POINTER(Buffer)
    buffer = get().contents
    ops = ctypes.string_at(buffer.data, buffer.length)
    return sorted(dict(fields(op))[1].decode() for number, op in fields(ops) if number == 1)


def read(wheel, python, directory):
    with zipfile.ZipFile(wheel) as archive:
        members = archive.namelist()
        found = []
        for library in LIBRARIES:
            matching = sorted(m for m in members if re.search(library, m))
            found += [archive.extract(m, directory) for m in matching[:1]]
        version = None
        for member in members:
            if re.search(r"/public/(release_)?version\.h$", member):
                text = archive.read(member).decode()
                match = re.search(r"#define\s+TF_GRAPH_DEF_VERSION\s+(\d+)", text)
                version = int(match.group(1)) if match else version
    wheel.unlink()
    # Old libraries need the Python they were built for, and all the one they depend on before them.
    interpreter = shutil.which("python" + python) or sys.executable
    output = subprocess.run([interpreter, __file__, "--registered", *found], check=True, stdout=subprocess.PIPE,
                            env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="",
                                     LD_LIBRARY_PATH=":".join({str(pathlib.Path(f).parent) for f in found})))
    for file in found:
        os.unlink(file)
    return version, set(json.loads(output.stdout))


def main():
    base = sys.argv[1] if len(sys.argv) > 1 else None
    ops = [line.split("\t")[0] for line in (HERE / "op_facts.tsv").read_text().splitlines()[1:]]
    had = []
    for release, python in RELEASES:
        with tempfile.TemporaryDirectory(dir=base) as directory:
            wheel = download(release, python, directory)
            version, names = read(wheel, python, directory)
        print(release, version, len(names), file=sys.stderr, flush=True)
        had.append((release, version, names))
    first = {}
    for op in ops:
        for release, _, names in reversed(had):
            if op not in names:
                break
            first[op] = release
    lines = ["# Since when TensorFlow's ops are there, printed by print_op_releases.py"]
    for index, (release, version, _) in enumerate(had):
        new = [op for op in ops if first.get(op) == release] if index else []
        lines.append("%s\t%d\t%s" % (release, version, " ".join(new)))
    lines.append("unknown\t0\t" + " ".join(op for op in ops if op not in first))
    (HERE / "op_releases.tsv").write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--registered"]:
        print(json.dumps(registered(sys.argv[2:])))
    else:
        main()

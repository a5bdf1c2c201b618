"""Merges split models with TensorFlow's own Merger, and compares what this crate made of them.

  python merge_split_models.py BUILD DIRECTORY
  python merge_split_models.py BUILD DIRECTORY --sum

Every directory in DIRECTORY has a saved_model.cpb and, in merged.pb, what this crate merges it to. The Merger is in the
libraries of the package and nothing of Python's leads to it: ../../benches/tf_peer is built in BUILD, with g++. Prints a
JSON object: how many were the same, and what was not.

With --sum DIRECTORY is one model, which may be larger than a file that is not split. Prints what the Merger made of it: its
length, the sum of every tensor's elements, and that of everything else.
"""
import json
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from tensorflow.core.protobuf import saved_model_pb2

HERE = os.path.dirname(os.path.abspath(__file__))


def canonical(path):
    with open(path, "rb") as file:
        return saved_model_pb2.SavedModel.FromString(file.read()).SerializeToString(deterministic=True)


def ask(peer, command):
    # A process of its own: damaged files may take it down.
    run = subprocess.run([peer], input=command + "\nquit\n", capture_output=True, text=True)
    return json.loads(run.stdout.splitlines()[0]) if run.stdout else {"error": "it crashed"}


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["--sum"]):
        sys.exit(__doc__)
    build, directory = sys.argv[1:3]
    script = os.path.join(HERE, "..", "..", "benches", "tf_peer", "build_peer.sh")
    peer = os.path.join(build, "tf_peer")
    if not os.path.exists(peer):
        subprocess.run(["sh", script, sys.executable, build], check=True, stdout=subprocess.DEVNULL)
    if sys.argv[3:]:
        return print(json.dumps(ask(peer, "cpb_sum %s" % os.path.join(directory, "saved_model"))))
    same, faults = 0, []
    for name in sorted(os.listdir(directory)):
        model = os.path.join(directory, name)
        out = os.path.join(model, "tensorflow.pb")
        answer = ask(peer, "cpb_to %s %s" % (os.path.join(model, "saved_model"), out))
        if "error" in answer:
            faults.append("%s: %s" % (name, answer["error"]))
        elif canonical(out) != canonical(os.path.join(model, "merged.pb")):
            faults.append("%s: another model" % name)
        else:
            same += 1
    print(json.dumps({"same": same, "faults": faults}))


main()

"""How long running a signature takes: `savedmodel run`, TensorFlow's Python, and `saved_model_cli run`.

  python run_times.py SAVEDMODEL [ROUNDS]

SAVEDMODEL is the binary, built with `cargo build --release --features cli,tf-runtime`. Each figure is the median of the rounds, in
which the three take turns, each in processes of their own; warm calls are medians of 2000 within one. All compute the same from
the same inputs, with oneDNN as it is by default.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests"
CALLS = 2000
# Model, signature, input, expression.
MODELS = [
  ("cli-goldens/models/half_plus_two", "serving_default", "x", "[[1.0], [2.0]]"),
  ("cli-goldens/models/keras3_sequential_export", "serving_default", "keras_tensor", "[[1.0, 2.0, 3.0, 4.0]]"),
]
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}

IN_PYTHON = """
import json, sys, time
directory, signature, name, value, calls = sys.argv[1:]
times = {}
start = time.perf_counter()
import tensorflow as tf
times["import"] = time.perf_counter() - start
start = time.perf_counter()
loaded = tf.saved_model.load(directory)
function = loaded.signatures[signature]
times["load"] = time.perf_counter() - start
feed = {name: tf.constant(json.loads(value))}
start = time.perf_counter()
{key: value.numpy() for key, value in function(**feed).items()}
times["first"] = time.perf_counter() - start
warm = []
for _ in range(int(calls)):
  start = time.perf_counter()
  {key: value.numpy() for key, value in function(**feed).items()}
  warm.append(time.perf_counter() - start)
warm.sort()
times["p50"], times["p99"] = warm[len(warm) // 2], warm[len(warm) * 99 // 100]
print(json.dumps(times))
"""


def library():
  import importlib.util
  return importlib.util.find_spec("tensorflow").submodule_search_locations[0]


def run(words):
  start = time.perf_counter()
  done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **QUIET, "SAVEDMODEL_TF_LIB": library()})
  took = time.perf_counter() - start
  if done.returncode:
    sys.exit(f"{words}: {done.stderr}")
  return took, done.stdout


def ours(binary, model, more=()):
  directory, signature, name, expression = model
  words = [binary, "run", str(ROOT / directory), signature, "--input-exprs", f"{name}={expression}"]
  return run(words + list(more))


def repeated(binary, model, more):
  _, out = ours(binary, model, ["--json", "--repeat", str(CALLS), *more])
  document = json.loads(out)
  latency = document["latency"]
  return {
    "load": document["tensorflow"]["load_seconds"],
    "first": latency["first"],
    "p50": latency["p50"],
    "p99": latency["p99"],
  }


def in_python(model):
  directory, signature, name, expression = model
  took, out = run([sys.executable, "-c", IN_PYTHON, str(ROOT / directory), signature, name, expression, str(CALLS)])
  return json.loads(out)


def stock(model):
  directory, signature, name, expression = model
  tool = pathlib.Path(sys.executable).parent / "saved_model_cli"
  words = ["run", "--dir", str(ROOT / directory), "--tag_set", "serve", "--signature_def", signature]
  return run([str(tool), *words, "--input_exprs", f"{name}={expression}"])[0]


def main(binary, rounds="5"):
  for model in MODELS:
    lines = {}
    def add(line, times):
      for name, seconds in times.items():
        lines.setdefault(line, {}).setdefault(name, []).append(seconds)
    for _ in range(int(rounds)):
      add("savedmodel run", {"process": ours(binary, model)[0], **repeated(binary, model, [])})
      add("savedmodel run --inline", {"process": ours(binary, model, ["--inline"])[0], **repeated(binary, model, ["--inline"])})
      add("TensorFlow in Python", in_python(model))
      add("saved_model_cli run", {"process": stock(model)})
    columns = ["process", "import", "load", "first", "p50", "p99"]
    print(f"\n{model[0]}\n\n| | " + " | ".join(columns) + " |\n|---" * 1 + "|---" * len(columns) + "|")
    for line, times in lines.items():
      cells = [show(statistics.median(times[name])) if name in times else "" for name in columns]
      print(f"| {line} | " + " | ".join(cells) + " |")


def show(seconds):
  for limit, factor, unit in [(1e-3, 1e6, "µs"), (1, 1e3, "ms"), (float("inf"), 1, "s")]:
    if seconds < limit:
      return f"{seconds * factor:.3g} {unit}"


if __name__ == "__main__":
  main(*sys.argv[1:])

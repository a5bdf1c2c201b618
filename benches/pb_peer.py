"""The side of TensorFlow's Python: one command per line in, one JSON object per line out.

  pb DIR      reads saved_model.pb and parses it
  print DIR   makes text of it; only that is measured
  parse DIR   reads that text; only that is measured
  fingerprint DIR   computes the model's fingerprint
  warm MIB    touches and gives back so much memory (see the README)
  quit
"""
import ctypes
import json
import mmap
import os
import resource
import sys
import time

# Loading TensorFlow may print, and standard output is for answers.
answers = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)

from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

libc = ctypes.CDLL(None)


def status_kb(key):
  with open('/proc/self/status') as status:
    return next(int(line.split()[1]) for line in status if line.startswith(key))


def read(directory):
  with open(os.path.join(directory, 'saved_model.pb'), 'rb') as file:
    return saved_model_pb2.SavedModel.FromString(file.read())


def prepare(command, directory):
  """What is done before anything is measured; returns what is to be measured."""
  if command == 'pb':
    return lambda: len(read(directory).meta_graphs)
  if command == 'fingerprint':
    return lambda: len(fingerprinting.CreateFingerprintDef(directory))
  model = read(directory)
  if command == 'print':
    return lambda: len(str(model))
  text = str(model)
  return lambda: len(text_format.Parse(text, saved_model_pb2.SavedModel()).meta_graphs)


def measure(command, directory):
  work = prepare(command, directory)
  libc.malloc_trim(0)
  with open('/proc/self/clear_refs', 'w') as refs:
    refs.write('5')
  base = status_kb('VmRSS:')
  before = resource.getrusage(resource.RUSAGE_SELF)
  start = time.perf_counter()
  count = work()
  wall = time.perf_counter() - start
  after = resource.getrusage(resource.RUSAGE_SELF)
  return {
      's': wall,
      'user': after.ru_utime - before.ru_utime,
      'sys': after.ru_stime - before.ru_stime,
      'peak_kb': status_kb('VmHWM:'),
      'base_kb': base,
      'n': count,
  }


def warm(size):
  with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
    memory.madvise(mmap.MADV_HUGEPAGE)
    for page in range(0, size, 4096):
      memory[page] = 1
  return {'op': 'warm'}


for line in sys.stdin:
  command, _, argument = line.strip().partition(' ')
  if command == 'quit':
    break
  answer = warm(int(argument) << 20) if command == 'warm' else measure(command, argument)
  answers.write(json.dumps(answer) + '\n')
  answers.flush()

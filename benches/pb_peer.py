"""The side of TensorFlow's Python: one command per line in, one JSON object per line out.

  pb DIR            reads saved_model.pb and parses it
  fingerprint DIR   computes the model's fingerprint
  warm MIB          touches and gives back so much memory (see the README)
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

from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

libc = ctypes.CDLL(None)


def status_kb(key):
  with open('/proc/self/status') as status:
    return next(int(line.split()[1]) for line in status if line.startswith(key))


def parse(directory):
  with open(os.path.join(directory, 'saved_model.pb'), 'rb') as file:
    return saved_model_pb2.SavedModel.FromString(file.read())


def measure(work, directory):
  libc.malloc_trim(0)
  with open('/proc/self/clear_refs', 'w') as refs:
    refs.write('5')
  base = status_kb('VmRSS:')
  before = resource.getrusage(resource.RUSAGE_SELF)
  start = time.perf_counter()
  # Kept to the end: freeing it is no part of this.
  result = work(directory)
  wall = time.perf_counter() - start
  after = resource.getrusage(resource.RUSAGE_SELF)
  return {
      's': wall,
      'user': after.ru_utime - before.ru_utime,
      'sys': after.ru_stime - before.ru_stime,
      'peak_kb': status_kb('VmHWM:'),
      'base_kb': base,
      'n': int(result is not None),
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
  if command == 'warm':
    answer = warm(int(argument) << 20)
  else:
    work = parse if command == 'pb' else fingerprinting.CreateFingerprintDef
    answer = measure(work, argument)
  answers.write(json.dumps(answer) + '\n')
  answers.flush()

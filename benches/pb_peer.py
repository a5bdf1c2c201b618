"""The side of TensorFlow's Python parser: one command per line in, one JSON object per line out.

  pb DIR      reads saved_model.pb and parses it
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

from tensorflow.core.protobuf import saved_model_pb2

libc = ctypes.CDLL(None)


def status_kb(key):
  with open('/proc/self/status') as status:
    return next(int(line.split()[1]) for line in status if line.startswith(key))


def parse(directory):
  libc.malloc_trim(0)
  with open('/proc/self/clear_refs', 'w') as refs:
    refs.write('5')
  base = status_kb('VmRSS:')
  before = resource.getrusage(resource.RUSAGE_SELF)
  start = time.perf_counter()
  with open(os.path.join(directory, 'saved_model.pb'), 'rb') as file:
    model = saved_model_pb2.SavedModel.FromString(file.read())
  wall = time.perf_counter() - start
  after = resource.getrusage(resource.RUSAGE_SELF)
  return {
      's': wall,
      'user': after.ru_utime - before.ru_utime,
      'sys': after.ru_stime - before.ru_stime,
      'peak_kb': status_kb('VmHWM:'),
      'base_kb': base,
      'n': len(model.meta_graphs),
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
  answer = parse(argument) if command == 'pb' else warm(int(argument) << 20)
  answers.write(json.dumps(answer) + '\n')
  answers.flush()

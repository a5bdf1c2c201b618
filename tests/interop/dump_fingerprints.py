"""Prints what TensorFlow makes of fingerprints, as JSON.

  hashes SEED             tf.fingerprint of random bytes: every length to 1024, and some long ones
  models DIR...           the fingerprint TensorFlow computes of every model below the directories
  random SEED COUNT DIR   the same of random SavedModels: the files below DIR, with their fields
                          moved, doubled, renumbered and encoded in every way there is

A row of the last two has `tensorflow`: `ok`, with the hashes as decimal texts, `error`, or `crash`,
for on some models TensorFlow ends the process. So every model has a process of its own.
"""
import copy
import json
import os
import random
import sys
import tempfile

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
answers = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)

from tensorflow.core.protobuf import fingerprint_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

HASHES = ('saved_model_checksum', 'graph_def_program_hash', 'signature_def_hash',
          'saved_object_graph_hash', 'checkpoint_hash')


def compute(directory):
  try:
    stored = fingerprint_pb2.FingerprintDef.FromString(
        fingerprinting.CreateFingerprintDef(directory))
  except Exception:
    return {'tensorflow': 'error'}
  row = {name: str(getattr(stored, name)) for name in HASHES}
  row.update(tensorflow='ok', producer=stored.version.producer)
  return row


def compute_all(directories):
  """What TensorFlow computes of each directory. A process goes on until one ends it."""
  rows = []
  while len(rows) < len(directories):
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
      os.close(source)
      os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
      for directory in directories[len(rows):]:
        os.write(sink, json.dumps(compute(directory)).encode() + b'\n')
      os._exit(0)
    os.close(sink)
    with os.fdopen(source, 'rb') as pipe:
      rows += [json.loads(line) for line in pipe]
    _, status = os.waitpid(child, 0)
    if status:
      rows.append({'tensorflow': 'crash'})
  return rows


def hashes(seed):
  import tensorflow as tf
  generator = random.Random(seed)
  lengths = list(range(1025)) + [generator.randrange(1025, 1 << 17) for _ in range(40)]
  lengths += [64 * generator.randrange(17, 2000) for _ in range(10)]
  rows = []
  for length in lengths:
    data = generator.randbytes(length)
    digest = tf.fingerprint(tf.constant([data]))[0].numpy().tobytes()
    rows.append({'data_hex': data.hex(), 'hash': str(int.from_bytes(digest, 'little'))})
  return rows


def models(roots):
  found = [(root, directory) for root in roots
           for directory, _, files in sorted(os.walk(root)) if 'saved_model.pb' in files or 'saved_model.cpb' in files]
  rows = compute_all([directory for _, directory in found])
  return {os.path.relpath(directory, root): row for (root, directory), row in zip(found, rows)}


def varint(value, extra=0):
  """Encodes a number, in more bytes than it takes if asked to."""
  out = bytearray()
  while value > 127 or extra:
    if value <= 127:
      extra -= 1
    out.append(value & 127 | 128)
    value >>= 7
  out.append(value)
  return bytes(out)


def read_varint(data, at):
  value = shift = 0
  while True:
    value |= (data[at] & 127) << shift
    shift += 7
    at += 1
    if data[at - 1] < 128:
      return value, at
    if shift > 63:
      raise ValueError


def parse(data, depth=0):
  """A message as a list of [number, wire type, value]; messages in it are lists again."""
  fields = []
  at = 0
  while at < len(data):
    tag, at = read_varint(data, at)
    number, wire = tag >> 3, tag & 7
    if not number:
      raise ValueError
    if wire == 0:
      value, at = read_varint(data, at)
    elif wire in (1, 5):
      size = 8 if wire == 1 else 4
      value, at = data[at:at + size], at + size
    elif wire == 2:
      size, at = read_varint(data, at)
      value, at = data[at:at + size], at + size
      if at <= len(data) and value and depth < 30:
        try:
          value = parse(value, depth + 1)
        except (ValueError, IndexError):
          pass
    else:
      raise ValueError
    if at > len(data):
      raise ValueError
    fields.append([number, wire, value])
  return fields


def encode(fields, generator, sloppy):
  out = bytearray()

  def number(value):
    extra = generator.choice((1, 1, 2)) if generator.random() < sloppy else 0
    return varint(value, extra)

  for field, wire, value in fields:
    if wire == 0 and generator.random() < sloppy:
      digits = bytearray(varint(value))
      while len(digits) < 10:
        digits[-1] |= 128
        digits.append(0)
      if generator.random() < 0.3:
        digits[9] |= generator.choice((2, 64))
      out += number(field << 3) + digits
      continue
    out += number(field << 3 | wire)
    if wire == 0:
      out += varint(value)
    elif wire == 2:
      body = encode(value, generator, sloppy) if isinstance(value, list) else value
      out += number(len(body)) + body
    elif wire == 3:
      out += encode(value, generator, sloppy) + number(field << 3 | 4)
    else:
      out += value
  return bytes(out)


def messages(fields):
  yield fields
  for _, _, value in fields:
    if isinstance(value, list):
      yield from messages(value)


def odd_field(generator):
  field = generator.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 100, 777, 1 << 20))
  wire = generator.choice((0, 0, 1, 2, 2, 3, 5))
  value = {
      0: generator.choice((0, 1, 2, 7, 107, 1 << 31, 1 << 32, (1 << 32) + 7, (1 << 64) - 1)),
      1: generator.choice((bytes(8), generator.randbytes(8))),
      5: generator.choice((bytes(4), b'\0\0\0\x80', generator.randbytes(4))),
      2: generator.choice((b'', b'a', b'ab_12', b'Const', b'\xc3\xa9', b'\x08\x01', b'\x80\x01\0')),
      3: [],
  }[wire]
  if wire == 3:
    value = [odd_field(generator) for _ in range(generator.randrange(3))]
  return [field, wire, value]


def mutate(data, generator):
  """A few changes that keep the lengths right, and rarely one that does not."""
  fields = parse(data)
  for _ in range(generator.randrange(1, 9)):
    whole = [message for message in messages(fields) if message]
    if not whole:
      break
    message = generator.choice(whole)
    which = generator.randrange(len(message))
    change = generator.randrange(9)
    if change == 0:
      generator.shuffle(message)
    elif change == 1:
      message.insert(generator.randrange(len(message) + 1), copy.deepcopy(message[which]))
    elif change == 2:
      del message[which]
    elif change in (3, 4):
      message.insert(generator.randrange(len(message) + 1), odd_field(generator))
    elif change == 5:
      message[which][0] = generator.randrange(1, 14)
    elif change == 6:
      # The same message in two pieces, or two strings of which one is left.
      number, wire, value = message[which]
      if wire == 2 and isinstance(value, list):
        cut = generator.randrange(len(value) + 1)
        message[which][2] = value[:cut]
        message.append([number, wire, value[cut:]])
    elif change == 7:
      message.append(copy.deepcopy(generator.choice(generator.choice(whole))))
    else:
      message[which] = odd_field(generator)
  sloppy = generator.choice((0, 0, 0.02, 0.3))
  data = bytearray(encode(fields, generator, sloppy))
  if data and generator.random() < 0.1:
    data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
  return bytes(data)


def nested():
  """Messages as deep as they may be, and deeper, by every way to nest."""
  def wrap(depth, *numbers):
    data = b''
    for level in range(depth):
      number = numbers[level % len(numbers)]
      data = varint(number << 3 | 2) + varint(len(data)) + data
    return data

  def group(depth):
    return b'\xa3\x06' * depth + b'\xa4\x06' * depth

  def in_model(*numbers, data):
    for number in reversed(numbers):
      data = varint(number << 3 | 2) + varint(len(data)) + data
    return data

  for depth in range(90, 104):
    # StructuredValue in a SavedConcreteFunction, by its lists and by its dicts, whose map entries
    # may or may not count.
    name = b'\x0a\x03f_1'
    for numbers in ((1, 51), (2, 1, 52)):
      value = wrap(depth, *numbers)
      entry = name + in_model(2, 3, data=value)
      yield in_model(2, 7, 2, data=entry)
    yield in_model(2, 2, data=group(depth))
    yield group(depth)
  for depth in range(40, 104):
    # AttrValue by its function's attributes.
    yield in_model(2, 2, 1, data=in_model(5, data=b'\x0a\x01a' + wrap(depth, 2, 2, 10)))


def rows_of(all_data):
  with tempfile.TemporaryDirectory() as root:
    directories = []
    for data in all_data:
      directories.append(os.path.join(root, str(len(directories))))
      os.mkdir(directories[-1])
      with open(os.path.join(directories[-1], 'saved_model.pb'), 'wb') as file:
        file.write(data)
    rows = compute_all(directories)
  return [dict(row, data_hex=data.hex()) for data, row in zip(all_data, rows)]


def random_models(seed, count, root):
  generator = random.Random(seed)
  seeds = []
  for directory, _, files in sorted(os.walk(root)):
    for name in sorted(files):
      path = os.path.join(directory, name)
      if name.endswith('.pb') and name != 'fingerprint.pb' and os.path.getsize(path) < 20000:
        with open(path, 'rb') as file:
          data = file.read()
        try:
          parse(data)
        except (ValueError, IndexError):
          continue
        seeds.append(data)
  mutated = [mutate(generator.choice(seeds), generator) for _ in range(count)]
  return rows_of(list(nested()) + mutated)


def main():
  command, *arguments = sys.argv[1:]
  if command == 'hashes':
    rows = hashes(int(arguments[0]))
  elif command == 'models':
    rows = models(arguments)
  else:
    rows = random_models(int(arguments[0]), int(arguments[1]), arguments[2])
  json.dump(rows, answers)
  answers.flush()


main()

"""Prints what the stock saved_model_cli shows of models: {DIRECTORY: what `show --all` prints}, as JSON.

  python show_models.py DIRECTORY...
"""
import contextlib
import io
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
from tensorflow.python.tools import saved_model_cli


def show(directory):
    parser = saved_model_cli.create_parser()
    # Its options are absl flags of the process, which keep what they were set to.
    for flag in saved_model_cli.flags.FLAGS.get_key_flags_for_module(saved_model_cli):
        flag.unparse()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        parser.parse_args(["show", "--dir", directory, "--all"]).func()
    return output.getvalue()


print(json.dumps({directory: show(directory) for directory in sys.argv[1:]}))

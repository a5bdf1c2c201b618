"""Merges bundles with TensorFlow's MergeV2Checkpoints.

  python merge_bundles.py LIST

LIST is JSON: [{"inputs": [PREFIX, …], "to": PREFIX}, …], done in this order.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        merges = json.load(file)
    for merge in merges:
        tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=merge["inputs"], destination_prefix=merge["to"])


main()

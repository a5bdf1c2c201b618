"""Reads lists of checkpoints of ours, and writes each with the same arguments.

  python update_checkpoint_states.py CASES

CASES is a JSON list: {"save_dir", "model_checkpoint_path", "all_model_checkpoint_paths", "timestamps", "last_preserved",
"relative"}. Each directory has the file `checkpoint` as we wrote it for these arguments, or has none where we refused.
Prints for each what TensorFlow reads from it, and the text it writes itself, null where it refuses.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow as tf
from tensorflow.python.checkpoint import checkpoint_management


def text(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def state(found):
    return {
        "latest": found.model_checkpoint_path,
        "all": list(found.all_model_checkpoint_paths),
        "timestamps": [repr(time) for time in found.all_model_checkpoint_timestamps],
        "last_preserved": repr(found.last_preserved_timestamp),
    }


def run(case):
    save_dir = case["save_dir"]
    path = os.path.join(save_dir, "checkpoint")
    result = {"read": None, "latest": None, "written": None}
    if os.path.exists(path):
        result["read"] = state(tf.train.get_checkpoint_state(save_dir))
        result["latest"] = tf.train.latest_checkpoint(save_dir)
        os.remove(path)
    try:
        checkpoint_management.update_checkpoint_state_internal(
            save_dir,
            case["model_checkpoint_path"],
            all_model_checkpoint_paths=list(case["all_model_checkpoint_paths"]),
            save_relative_paths=case["relative"],
            all_model_checkpoint_timestamps=[float(time) for time in case["timestamps"]],
            last_preserved_timestamp=case["last_preserved"],
        )
    except (ValueError, RuntimeError):
        return result
    result["written"] = text(path)
    result["read_own"] = state(tf.train.get_checkpoint_state(save_dir))
    return result


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    json.dump([run(case) for case in cases], sys.stdout)


if __name__ == "__main__":
    main()

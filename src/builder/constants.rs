//! The names that TensorFlow reserves, under its own names for them.
//!
//! In TensorFlow: `tensorflow/python/saved_model/{tag_constants,signature_constants}.py`,
//! `tensorflow/cc/saved_model/constants.h`.

/// The tag of the program that is served.
pub const SERVING: &str = "serve";
/// The tag of the program that is trained.
pub const TRAINING: &str = "train";
/// The tag of the program that is evaluated.
pub const EVAL: &str = "eval";
/// The tag of a program for GPUs.
pub const GPU: &str = "gpu";
/// The tag of a program for TPUs.
pub const TPU: &str = "tpu";

/// The key of the signature that is run where none is named.
pub const DEFAULT_SERVING_SIGNATURE_DEF_KEY: &str = "serving_default";
/// The key of the signature that trains.
pub const DEFAULT_TRAIN_SIGNATURE_DEF_KEY: &str = "train";
/// The key of the signature that evaluates.
pub const DEFAULT_EVAL_SIGNATURE_DEF_KEY: &str = "eval";

/// The method name of signatures of any inputs and outputs.
pub const PREDICT_METHOD_NAME: &str = "tensorflow/serving/predict";
/// The method name of signatures that classify examples.
pub const CLASSIFY_METHOD_NAME: &str = "tensorflow/serving/classify";
/// The method name of signatures that give examples a number.
pub const REGRESS_METHOD_NAME: &str = "tensorflow/serving/regress";
/// The method name of the signature that trains.
pub const SUPERVISED_TRAIN_METHOD_NAME: &str = "tensorflow/supervised/training";
/// The method name of the signature that evaluates.
pub const SUPERVISED_EVAL_METHOD_NAME: &str = "tensorflow/supervised/eval";

/// The input of signatures that predict.
pub const PREDICT_INPUTS: &str = "inputs";
/// The output of signatures that predict.
pub const PREDICT_OUTPUTS: &str = "outputs";
/// The input of signatures that classify: serialized examples.
pub const CLASSIFY_INPUTS: &str = "inputs";
/// The output with the names of classes.
pub const CLASSIFY_OUTPUT_CLASSES: &str = "classes";
/// The output with the scores of classes.
pub const CLASSIFY_OUTPUT_SCORES: &str = "scores";
/// The input of signatures that regress: serialized examples.
pub const REGRESS_INPUTS: &str = "inputs";
/// The output of signatures that regress.
pub const REGRESS_OUTPUTS: &str = "outputs";

/// The key under which the op to be run after loading stands.
pub const INIT_OP_SIGNATURE_KEY: &str = "__saved_model_init_op";
/// The key under which the op that trains stands.
pub const TRAIN_OP_SIGNATURE_KEY: &str = "__saved_model_train_op";

/// The collection of assets.
pub const ASSETS_KEY: &str = "saved_model_assets";
/// The collection of the op to be run after loading.
pub const MAIN_OP_KEY: &str = "saved_model_main_op";
/// The collection of the op to be run after loading, in the first releases.
pub const LEGACY_INIT_OP_KEY: &str = "legacy_init_op";
/// The collection of the op that trains.
pub const TRAIN_OP_KEY: &str = "saved_model_train_op";

/// The directory of assets.
pub const ASSETS_DIRECTORY: &str = "assets";
/// The directory of files that are of use to the serving system alone.
pub const EXTRA_ASSETS_DIRECTORY: &str = "assets.extra";
/// The directory of variables.
pub const VARIABLES_DIRECTORY: &str = "variables";
/// The name of the bundle in it.
pub const VARIABLES_FILENAME: &str = "variables";
/// The directory of debug information.
pub const DEBUG_DIRECTORY: &str = "debug";
/// The name of the debug information in it.
pub const DEBUG_INFO_FILENAME_PB: &str = "saved_model_debug_info.pb";
/// The program.
pub const SAVED_MODEL_FILENAME_PB: &str = "saved_model.pb";
/// The program as text.
pub const SAVED_MODEL_FILENAME_PBTXT: &str = "saved_model.pbtxt";
/// The program in chunks.
pub const SAVED_MODEL_FILENAME_CPB: &str = "saved_model.cpb";
/// What `saved_model_schema_version` is.
pub const SAVED_MODEL_SCHEMA_VERSION: i64 = 1;

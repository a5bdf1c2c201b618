//! `savedmodel run`: what it says of inputs without TensorFlow, and what it prints with it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use savedmodel::Tensor;
use savedmodel::numpy::{NpyReader, StringForm, write_npy};
use serde_json::{Value, json};

use crate::documents::Documents;
use crate::scratch::Scratch;
use crate::tensorflow;

/// Where there is no library.
const NOWHERE: &str = "/nonexistent";

fn tests() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

/// Runs the command in `tests`, with a library and standard input: exit code, output, errors.
fn run_with(library: impl AsRef<OsStr>, args: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
        .current_dir(tests())
        .arg("run")
        .args(args)
        .env("SAVEDMODEL_TF_LIB", library)
        .env_remove("TF_CPP_MIN_LOG_LEVEL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn run(args: &[&str]) -> (i32, String, String) {
    run_with(NOWHERE, args, "")
}

const HALF: &str = "cli-goldens/models/half_plus_two";
const MANY: &str = "cli-goldens/models/module_multi_signatures";
const IDENTITY: &str = "cli-goldens/models/identity_shapes";
const EXAMPLES: &str = "cli-goldens/models/parse_example_strings";

#[test]
fn what_is_wrong_with_inputs_is_one_line_without_tensorflow() {
    for (args, code, part) in [
        (&[HALF][..], 2, "no input `x` (float32 [?, 1])"),
        (
            &[HALF, "--input-exprs", "z=[[1]]"],
            2,
            "has no input `z`: there are `x`",
        ),
        (
            &[MANY, "add", "--input-exprs", "aa=1;b=2"],
            2,
            "has no input `aa`: did you mean `a`?",
        ),
        (
            &[MANY, "weights", "--input-exprs", "a=1"],
            2,
            "has no input `a`: it has none",
        ),
        (&[HALF, "--input-exprs", "x"], 2, "`x` names no input"),
        (&[HALF, "--input-exprs", "x=[["], 2, "[["),
        (&[HALF, "--input-exprs", "x=nothing"], 2, "nothing"),
        (
            &[HALF, "--input-exprs", "x=[1.0]"],
            2,
            "Cannot feed value of shape (1,)",
        ),
        (&[HALF, "--input-exprs", "x=[[1,2]]"], 2, "(None, 1)"),
        (
            &[HALF, "--input-exprs", "x=[['a']]"],
            2,
            "could not convert string to float",
        ),
        (
            &[IDENTITY, "int32", "--input-exprs", "x=[1.5]"],
            2,
            "is no integer of this type",
        ),
        (
            &[IDENTITY, "string", "--input-exprs", "x=[1]"],
            2,
            "it takes strings",
        ),
        (
            &[HALF, "--inputs", "x"],
            2,
            "--inputs \"x\" format is incorrect",
        ),
        (
            &[HALF, "--inputs", "x=none.npy"],
            1,
            "none.npy; No such file or directory",
        ),
        (
            &[HALF, "--inputs", "x=cli-goldens/inputs/two.npz"],
            2,
            "more than one ndarrays",
        ),
        (
            &[HALF, "--inputs", "x=cli-goldens/inputs/two.npz[zz]"],
            2,
            "variable with name \"zz\"",
        ),
        (
            &[HALF, "--inputs", "x=cli-goldens/inputs/unicode.npy"],
            2,
            "x",
        ),
        (&[HALF, "none", "--random"], 1, "none"),
        (
            &[EXAMPLES, "--random", "--batch", "100000000"],
            2,
            "too many to be made up",
        ),
        (&[MANY, "--random"], 2, "name one of add, project"),
        (
            &["cli-goldens/models/multi_metagraph", "--random"],
            2,
            "--tag-set",
        ),
        (&[HALF, "--tag-set", "gpu", "--random"], 1, "gpu"),
        (
            &[HALF, "--random", "--output", "z"],
            2,
            "has no output `z`: there are `y`",
        ),
        (
            &[
                HALF,
                "--random",
                "--outdir",
                "fixtures/none/../../cli-goldens",
                "--batch",
                "0",
            ],
            1,
            "TensorFlow",
        ),
        (
            &[EXAMPLES, "--input-examples", "examples=[{'x':[1.0]}]"],
            2,
            "x",
        ),
        (
            &[
                EXAMPLES,
                "--input-examples",
                "examples=[{'x':['a','b'],'name':['c']}]",
            ],
            2,
            "x",
        ),
    ] {
        let (found, out, err) = run(args);
        assert_eq!((found, &*out), (code, ""), "{args:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{args:?}: {err}");
        assert!(err.starts_with("savedmodel: "), "{args:?}: {err}");
        assert!(err.contains(part), "{args:?}: {err}");
    }
}

#[test]
fn without_tensorflow_right_inputs_end_where_it_is_missing() {
    for args in [
        &[HALF, "--input-exprs", "x=np.ones((2, 1))"][..],
        &[HALF, "--random"],
        &[MANY, "weights"],
        &[
            "cli-goldens/models/tf1_simple_save",
            "--input-exprs",
            "x=[[1,2,3]]",
        ],
    ] {
        let (code, out, err) = run(args);
        assert_eq!((code, &*out), (1, ""), "{args:?}: {err}");
        let part = match cfg!(feature = "tf-runtime") {
            true => {
                "TensorFlow's shared library not found (looked at SAVEDMODEL_TF_LIB, /nonexistent"
            }
            false => "built without what runs models",
        };
        assert!(err.contains(part), "{args:?}: {err}");
    }
}

#[test]
fn a_dry_run_shows_what_would_be_fed() {
    let (code, out, err) = run(&[
        HALF,
        "--dry-run",
        "--input-exprs",
        "x=np.arange(3).reshape(3,1) / 2",
    ]);
    assert_eq!((code, &*err), (0, ""));
    assert_eq!(out, "Input x: float32 [3, 1]\n[[0. ]\n [0.5]\n [1. ]]\n");
    let (code, out, err) = run(&[
        HALF,
        "--dry-run",
        "--inputs",
        "x=cli-goldens/inputs/x.npy[foo]",
        "--input-exprs",
        "x=[[8]]",
    ]);
    assert_eq!(
        (code, &*out),
        (0, "Input x: float32 [1, 1]\n[[8.]]\n"),
        "{err}"
    );
    assert!(err.contains("Name key \"foo\" ignored"), "{err}");
    assert!(err.contains("Value in --input_exprs will be used"), "{err}");
}

#[test]
fn a_request_to_tensorflow_serving_is_an_input() {
    for (body, shape) in [
        (r#"{"instances": [[1.0], [2]]}"#, json!([2, 1])),
        (r#"{"instances": [{"x": [1.0]}]}"#, json!([1, 1])),
        (r#"{"inputs": [[NaN], [-Infinity], [3]]}"#, json!([3, 1])),
        (
            r#"{"signature_name": "serving_default", "inputs": {"x": [[1.0]]}}"#,
            json!([1, 1]),
        ),
    ] {
        let args = [HALF, "--dry-run", "--json", "--request", "-"];
        let (code, out, err) = run_with(NOWHERE, &args, body);
        assert_eq!((code, &*err), (0, ""), "{body}");
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(document["inputs"][0]["shape"], shape, "{body}");
        assert_eq!(document["inputs"][0]["source"], "request");
    }
    let body = r#"{"signature_name": "upper", "instances": ["a", {"b64": "/w=="}]}"#;
    let (_, out, _) = run_with(NOWHERE, &[MANY, "--dry-run", "--request", "-"], body);
    assert_eq!(out, "Input text: string [2]\n[b'a' b'\\xff']\n");
    let body = r#"{"instances": [1, 2]}"#;
    let (code, _, err) = run_with(NOWHERE, &[MANY, "add", "--dry-run", "--request", "-"], body);
    assert_eq!(code, 2);
    assert!(err.contains("the signature has 2 inputs: a, b"), "{err}");
    let (code, _, err) = run_with(NOWHERE, &[HALF, "--request", "-"], "{");
    assert_eq!(code, 2);
    assert!(err.contains("not JSON"), "{err}");
}

/// What `savedmodel signature` makes up, `savedmodel run` takes.
#[test]
fn sample_requests_are_taken() {
    for model in [HALF, EXAMPLES, "fixtures/keras3_export", "fixtures/module"] {
        let sample = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
            .current_dir(tests())
            .args(["signature", model, "--sample", "rest", "--batch", "2"])
            .output()
            .unwrap();
        let body = String::from_utf8(sample.stdout).unwrap();
        let (code, out, err) = run_with(NOWHERE, &[model, "--dry-run", "--request", "-"], &body);
        assert_eq!(code, 0, "{model}: {body} {err}");
        assert!(out.starts_with("Input "), "{model}: {out}");
    }
}

#[test]
fn inputs_that_are_made_up_fit_and_stay_the_same() {
    let made_up = |args: &[&str]| {
        let (code, out, err) = run(&[&["--random", "--dry-run"], args].concat());
        assert_eq!((code, &*err), (0, ""), "{args:?}");
        out
    };
    let one = made_up(&[HALF, "--batch", "3"]);
    assert!(one.starts_with("Input x: float32 [3, 1]\n[[0."), "{one}");
    assert_eq!(one, made_up(&[HALF, "--batch", "3"]));
    assert_ne!(one, made_up(&[HALF, "--batch", "3", "--seed", "1"]));
    for dtype in [
        "float32",
        "float16",
        "bfloat16",
        "int32",
        "uint64",
        "bool",
        "complex64",
        "string",
    ] {
        let out = made_up(&[IDENTITY, dtype, "--batch", "4"]);
        assert!(
            out.starts_with(&format!("Input x: {dtype} [4]\n[")),
            "{out}"
        );
    }
    // Examples have all that parsing asks for.
    made_up(&[EXAMPLES, "--batch", "2"]);
    // What is given stays.
    let out = made_up(&[MANY, "add", "--input-exprs", "a=7"]);
    assert!(out.contains("Input a: int64 []\n7\n"), "{out}");
}

#[test]
fn files_in_the_way_are_told_before_anything_runs() {
    let scratch = Scratch::new("outdir");
    let directory = scratch.path().to_str().unwrap();
    fs::write(scratch.path().join("y.npy"), "").unwrap();
    let (code, _, err) = run(&[HALF, "--random", "--outdir", directory]);
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("y.npy already exists. Add \"--overwrite\""),
        "{err}"
    );
    let (code, _, err) = run(&[HALF, "--random", "--outdir", directory, "--overwrite"]);
    assert_eq!(code, 1, "{err}");
}

#[test]
fn a_signature_is_run_and_its_document_is_as_the_schema_says_interop() {
    let Some(library) = tensorflow::library() else {
        return;
    };
    let run = |args: &[&str]| run_with(&library, args, "");
    let (code, out, err) = run(&[HALF, "--input-exprs", "x=[[1],[5]]"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert_eq!(out, "Result for output key y:\n[[2.5]\n [4.5]]\n");

    let args = [
        HALF,
        "--input-exprs",
        "x=[[1]]",
        "--json",
        "--repeat",
        "5",
        "--inline",
        "--threads",
        "1",
    ];
    let (code, out, err) = run(&args);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let document: Value = serde_json::from_str(&out).unwrap();
    let documents = Documents::new();
    assert_eq!(documents.fault(&document), None, "{out}");
    assert_eq!(documents.looseness(&document), Vec::<String>::new());
    assert_eq!(document["outputs"][0]["values"], json!([2.5]));
    assert_eq!(document["latency"]["calls"], 5);
    assert!(
        document["tensorflow"]["version"]
            .as_str()
            .unwrap()
            .starts_with("2.")
    );

    // Defaults of the graph, no inputs at all, one output of several.
    let (code, out, err) = run(&[
        "cli-goldens/models/tf1_simple_save",
        "--input-exprs",
        "x=[[1,2,3]]",
    ]);
    assert_eq!(code, 0, "{out}{err}");
    let (code, out, err) = run(&[MANY, "weights"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let args = [MANY, "project", "--random", "--output", "norm"];
    let (_, out, err) = run(&args);
    assert!(out.matches("Result for").count() <= 1, "{out}{err}");
}

#[test]
fn models_that_loading_leaves_without_variables_run_when_asked_interop() {
    let Some(library) = tensorflow::library() else {
        return;
    };
    let model = "fixtures/keras3_saved";
    let (code, out, err) = run_with(&library, &[model, "--random"], "");
    assert_eq!((code, &*out), (1, ""));
    assert!(err.contains("--assign-variables gives them"), "{err}");
    let (code, out, err) = run_with(&library, &[model, "--random", "--assign-variables"], "");
    assert_eq!(code, 0, "{err}");
    assert!(
        out.starts_with("Result for output key output_0:\n[[0."),
        "{out}"
    );
    assert!(
        err.contains("8 variables have the values of the checkpoint"),
        "{err}"
    );
}

#[test]
fn what_tensorflow_refuses_is_one_line_interop() {
    let Some(library) = tensorflow::library() else {
        return;
    };
    let model = "cli-goldens/models/custom_op";
    let (code, out, err) = run_with(&library, &[model, "--random"], "");
    assert_eq!((code, &*out), (1, ""));
    assert!(
        err.contains("Op type not registered 'MyVendorScale'"),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1, "{err}");
    let scratch = Scratch::new("wrong-library");
    let wrong = scratch.path().join("libtensorflow.so.2");
    fs::write(&wrong, "no library").unwrap();
    for place in [wrong.to_str().unwrap(), scratch.path().to_str().unwrap()] {
        let (code, _, err) = run_with(&library, &[HALF, "--random", "--library", place], "");
        assert_eq!(code, 1, "{err}");
        assert!(err.contains("libtensorflow.so.2"), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    // Variables that are not there.
    let copy = scratch.path().join("model");
    fs::create_dir(&copy).unwrap();
    fs::copy(
        tests().join(HALF).join("saved_model.pb"),
        copy.join("saved_model.pb"),
    )
    .unwrap();
    let (code, _, err) = run_with(&library, &[copy.to_str().unwrap(), "--random"], "");
    assert_eq!((code, err.lines().count()), (1, 1), "{err}");
}

#[test]
fn outputs_are_files_that_numpy_reads_interop() {
    let Some(library) = tensorflow::library() else {
        return;
    };
    let scratch = Scratch::new("outputs");
    let path = |name: &str| scratch.path().join(name);
    let input = path("x.npy");
    let tensor = Tensor::from_slice([2, 1], &[0.5f64, 1.5]).unwrap();
    write_npy(
        &mut fs::File::create(&input).unwrap(),
        &tensor,
        StringForm::FixedWidth,
    )
    .unwrap();
    let directory = path("new/out");
    let given = format!("x={}", input.display());
    let outdir = directory.to_str().unwrap();
    let (code, out, err) = run_with(
        &library,
        &[HALF, "--inputs", &given, "--outdir", outdir],
        "",
    );
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(
        out.ends_with(&format!("Output y is saved to {outdir}/y.npy\n")),
        "{out}"
    );
    let result = NpyReader::open(directory.join("y.npy"))
        .unwrap()
        .tensor()
        .unwrap();
    assert_eq!(
        result,
        Tensor::from_slice([2, 1], &[2.25f32, 2.75]).unwrap()
    );
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);

    // Keys with slashes are directories; strings may be of one width.
    let model = Path::new("cli-goldens/models/estimator_multi_head");
    let (code, out, err) = run_with(
        &library,
        &[
            model.to_str().unwrap(),
            "predict",
            "--random",
            "--outdir",
            outdir,
            "--strings",
            "fixed",
        ],
        "",
    );
    assert_eq!(code, 0, "{out}{err}");
    let below = fs::read_dir(&directory).unwrap();
    let below = below.filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert!(below.count() > 0, "{out}");
}

#[test]
fn files_of_all_kinds_are_inputs() {
    let scratch = Scratch::new("pickles");
    let evil = scratch.path().join("evil.pkl");
    fs::write(&evil, b"cos\nsystem\n(S'true'\ntR.").unwrap();
    let (given, name) = (format!("x={}", evil.display()), evil.to_str().unwrap());
    // np.array([[X]], object), where X is the text of a pickled value.
    let objects = |file: &str, object: &str| {
        let path = scratch.path().join(file);
        let mut npy = b"\x93NUMPY\x01\x00\x3a\x00".to_vec();
        npy.extend(b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1)}  ");
        npy.extend(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR");
        npy.extend(b"(I1\n(I1\nI1\ntcnumpy\ndtype\n(VO8\nI00\nI01\ntRI00\n(l");
        npy.extend(format!("{object}\natb.").into_bytes());
        fs::write(&path, npy).unwrap();
        format!("x={}", path.display())
    };
    let number = objects("number.npy", "I7");
    let text = objects("text.npy", "V1.5");
    let system = objects("system.npy", "cos\nsystem");
    for (args, expected) in [
        (
            &[HALF, "x=cli-goldens/inputs/array.pkl"][..],
            "Input x: float32 [1, 1]\n[[6.]]\n",
        ),
        (
            &[HALF, "x=cli-goldens/inputs/dict.pkl[k]"],
            "Input x: float32 [",
        ),
        (
            &[HALF, "x=cli-goldens/inputs/one.npz"],
            "Input x: float32 [",
        ),
        (
            &[HALF, "x=cli-goldens/inputs/big_endian.npy"],
            "Input x: float32 [",
        ),
        (
            &[
                IDENTITY,
                "x=cli-goldens/goldens/_outdir/string.y.npy",
                "string",
            ],
            "Input x: string [2]\n[b'ab' b'c']\n",
        ),
        (
            &[
                IDENTITY,
                "x=cli-goldens/goldens/_outdir/bfloat16.y.npy",
                "bfloat16",
            ],
            "Input x: bfloat16 [1]\n[1]\n",
        ),
        (
            &[HALF, "x=cli-goldens/inputs/dict.pkl[none]"],
            "variable with name \"none\"",
        ),
        (&[HALF, &given], name),
        (&[HALF, &number], "Input x: float32 [1, 1]\n[[7.]]\n"),
        (&[HALF, &text], "Input x: float32 [1, 1]\n[[1.5]]\n"),
        (
            &[HALF, &system],
            "system.npy: at byte 176: os.system is not read",
        ),
        (
            &[
                IDENTITY,
                "x=cli-goldens/goldens/_outdir/bfloat16.y.npy",
                "float32",
            ],
            "of which the file does not say",
        ),
    ] {
        let mut words = vec![args[0], "--dry-run", "--inputs", args[1]];
        words.extend(&args[2..]);
        let (code, out, err) = run(&words);
        assert_eq!(
            code == 0,
            expected.starts_with("Input x"),
            "{args:?}: {err}"
        );
        let text = if code == 0 { out } else { err };
        assert!(text.contains(expected), "{args:?}: {text}");
    }
}

#[test]
fn programs_that_tensorflow_would_not_load_are_told_apart() {
    let scratch = Scratch::new("forms");
    for (form, expected) in [("cpb", "--to pb"), ("pbtxt", "saved_model.pb beside it")] {
        let copy = scratch.path().join(form);
        let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
            .current_dir(tests())
            .args(["convert", HALF, copy.to_str().unwrap(), "--to", form])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        if form == "pbtxt" {
            let program = tests().join(HALF).join("saved_model.pb");
            fs::copy(program, copy.join("saved_model.pb")).unwrap();
        }
        let file = copy.join(format!("saved_model.{form}"));
        let (code, out, err) = run(&[file.to_str().unwrap(), "--random"]);
        assert_eq!((code, &*out), (1, ""), "{err}");
        if cfg!(feature = "tf-runtime") {
            assert!(err.lines().last().unwrap().contains(expected), "{err}");
        }
    }
}

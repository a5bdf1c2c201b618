//! Calls: what they take, what they refuse, and that nothing is lost between threads.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use savedmodel::object_graph::StructuredValue;
use savedmodel::runtime::{LoadOptions, RunOptions, SessionOptions};
use savedmodel::{Bytes, DType, ErrorKind, Tensor};

use crate::forge::{dtype, meta_graph, model, node, placeholder, shape};
use crate::tensorflow::{Scratch, fixture, golden, load, run, runtime};

#[test]
fn wrong_inputs_are_one_clear_error_each_interop() {
    let Some(runtime) = runtime("wrong_inputs_are_one_clear_error_each_interop") else {
        return;
    };
    let bundle = load(runtime, &golden("keras3_sequential_export")).unwrap();
    let signature = bundle.signature("serving_default").unwrap();
    let (input, _, shape) = signature.inputs().next().unwrap();
    let width = shape.dims().unwrap()[1].unwrap();
    let floats = |shape: &[u64]| {
        let count = shape.iter().product::<u64>() as usize;
        Tensor::from_slice(shape, &vec![1f32; count]).unwrap()
    };
    let good = floats(&[2, width]);
    assert_eq!(signature.run([(input, &good)]).unwrap().len(), 1);
    let words = Tensor::from_strings([2, 1], ["a", "b"]).unwrap();
    let doubles = Tensor::from_slice([1, 1], &[1f64]).unwrap();
    for (feeds, expected) in [
        (
            vec![("nope", &good)],
            "input `nope` of signature `serving_default` not found".to_owned(),
        ),
        (vec![], format!("no input `{input}` (float32 [?, {width}])")),
        (
            vec![(input, &good), (input, &good)],
            format!("input `{input}` is fed twice"),
        ),
        (
            vec![(input, &words)],
            format!("input `{input}` takes float32, not string"),
        ),
        (
            vec![(input, &doubles)],
            format!("input `{input}` takes float32, not float64"),
        ),
        (
            vec![(input, &floats(&[2, width + 1]))],
            format!("takes shape [?, {width}], not [2, {}]", width + 1),
        ),
        (
            vec![(input, &floats(&[width]))],
            "(rank 2, not 1)".to_owned(),
        ),
    ] {
        let error = signature.run(feeds).unwrap_err();
        assert!(error.to_string().contains(&expected), "{error}");
        let kind = error.kind();
        assert!(
            matches!(
                kind,
                ErrorKind::InvalidArgument { .. } | ErrorKind::NotFound { .. }
            ),
            "{error}"
        );
    }
    let error = bundle.signature("serving_defualt").unwrap_err();
    assert!(
        error.to_string().contains("did you mean `serving_default`"),
        "{error}"
    );
    let session = bundle.session();
    let none: [(&str, &Tensor); 0] = [];
    for (fetch, expected) in [
        ("nope:0", "node `nope` of the graph not found"),
        ("a:b", "no name of a tensor"),
    ] {
        let error = session.run(none, &[fetch], &[]).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn defaults_are_filled_in_and_parts_can_be_fetched_interop() {
    let Some(runtime) = runtime("defaults_are_filled_in_and_parts_can_be_fetched_interop") else {
        return;
    };
    let bundle = load(runtime, &fixture("model_parts/v2")).unwrap();
    let keys = bundle.meta_graph().unwrap().signature_keys().unwrap();
    let mut seen = 0;
    for key in keys.iter().filter(|key| !key.starts_with("__")) {
        let signature = bundle.signature(key).unwrap();
        let mut feeds = Vec::new();
        let mut with_defaults = Vec::new();
        for (name, dtype, shape) in signature.inputs() {
            let dims = shape
                .dims()
                .unwrap_or_default()
                .iter()
                .map(|dim| dim.unwrap_or(2));
            let dims: Vec<u64> = dims.collect();
            match signature.default_of(name) {
                Some(value) => with_defaults.push((name, value.clone())),
                None => {
                    feeds.push((name, tensor(dtype, &dims).unwrap()));
                }
            }
        }
        if with_defaults.is_empty() {
            continue;
        }
        seen += with_defaults.len();
        let outputs = signature.run(feeds.clone()).unwrap();
        with_defaults.extend(feeds.clone());
        let explicit = signature.run(with_defaults).unwrap();
        assert!(outputs.iter().eq(explicit.iter()));

        let (name, tensor) = outputs.iter().last().unwrap();
        let options = RunOptions::default().full_trace();
        let (part, metadata) = signature
            .run_with(&options, feeds.clone(), &[name])
            .unwrap();
        assert_eq!((part.len(), &part[name]), (1, tensor));
        assert!(
            metadata
                .step_stats
                .is_some_and(|stats| !stats.dev_stats.is_empty())
        );
        let error = signature.run_with(&options, feeds, &["nope"]).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::NotFound { .. }),
            "{error}"
        );
    }
    assert!(seen > 0, "the fixture has an input with a default");
}

/// Bytes of a dtype that every bit pattern of which is a value.
fn tensor(dtype: DType, shape: &[u64]) -> Option<Tensor> {
    let count = shape.iter().product::<u64>() as usize;
    let Some(size) = dtype.size() else {
        let words = (0..count).map(|i| vec![b'\xff'.wrapping_sub(i as u8); 13 * i]);
        return (dtype == DType::STRING).then(|| Tensor::from_strings(shape, words).unwrap());
    };
    let low = dtype
        .bits()
        .filter(|bits| *bits < 8)
        .map_or(0xff, |bits| (1 << bits) - 1);
    let low = if dtype == DType::BOOL { 1 } else { low };
    let bytes: Vec<u8> = (0..count * size)
        .map(|i| (i * 37 + 11) as u8 & low)
        .collect();
    Some(Tensor::from_bytes(dtype, shape, bytes).unwrap())
}

#[test]
fn values_of_every_dtype_go_in_and_come_out_interop() {
    let Some(runtime) = runtime("values_of_every_dtype_go_in_and_come_out_interop") else {
        return;
    };
    let dtypes: Vec<DType> = DType::known()
        .filter(|dtype| tensor(*dtype, &[]).is_some())
        .collect();
    let nodes = dtypes.iter().flat_map(|of| {
        let (x, y) = (format!("x_{of}"), format!("y_{of}"));
        [
            node(&x, "Placeholder", &[], vec![dtype("dtype", *of)]),
            node(&y, "Identity", &[&x], vec![dtype("T", *of)]),
        ]
    });
    let nodes = nodes.chain([placeholder("x")]).collect();
    let scratch = Scratch::model("dtypes", &model(vec![meta_graph(nodes, vec![], "x:0")]));
    let bundle = load(runtime, scratch.path()).unwrap();
    for dtype in &dtypes {
        for shape in [&[][..], &[0], &[3], &[2, 2], &[40, 50]] {
            let value = tensor(*dtype, shape).unwrap();
            let (x, y) = (format!("x_{dtype}"), format!("y_{dtype}:0"));
            let back = bundle.session().run([(x, &value)], &[&y], &[]);
            assert_eq!(back.unwrap(), [value], "{dtype} {shape:?}");
        }
    }
    println!("{} dtypes", dtypes.len());
    assert!(dtypes.len() >= 30);
}

/// Bytes whose place and life can be seen from outside.
struct Watched(Vec<u8>, usize);

static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.0[self.1..self.1 + 4096]
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn aligned_bytes_are_shared_and_never_written_interop() {
    let Some(runtime) = runtime("aligned_bytes_are_shared_and_never_written_interop") else {
        return;
    };
    let float = || vec![dtype("dtype", DType::FLOAT)];
    let nodes = vec![
        placeholder("x"),
        node("y", "Identity", &["x"], vec![dtype("T", DType::FLOAT)]),
        node(
            "handle",
            "VarHandleOp",
            &[],
            [float(), vec![shape("shape", &[1024])]].concat(),
        ),
        node("assign", "AssignVariableOp", &["handle", "x"], float()),
        node("add", "AssignAddVariableOp", &["handle", "x"], float()),
        node("read", "ReadVariableOp", &["handle"], float()),
    ];
    let scratch = Scratch::model("shared", &model(vec![meta_graph(nodes, vec![], "y:0")]));
    let bundle = load(runtime, scratch.path()).unwrap();
    let session = bundle.session();
    let none: [(&str, &Tensor); 0] = [];
    for (unaligned, copied) in [(0, false), (4, true)] {
        let room = vec![7u8; 4096 + 128];
        let offset = room.as_ptr().align_offset(64) + unaligned;
        let place = room.as_ptr().wrapping_add(offset);
        let before = DROPPED.load(Ordering::SeqCst);
        let bytes = Bytes::from_owner(Watched(room, offset));
        let value = Tensor::from_bytes(DType::FLOAT, [1024], bytes).unwrap();
        let mut back = session.run([("x", &value)], &["y:0"], &[]).unwrap();
        let back = back.remove(0);
        assert_eq!(back, value);
        assert_eq!(
            back.bytes().unwrap().as_ptr() != place,
            copied,
            "{unaligned}"
        );
        drop(value);
        let gone = usize::from(copied);
        assert_eq!(
            DROPPED.load(Ordering::SeqCst) - before,
            gone,
            "held as long as it is shared"
        );
        drop(back);
        assert_eq!(DROPPED.load(Ordering::SeqCst) - before, 1);
    }

    // A variable that shares our bytes, or whose value we have, is changed elsewhere.
    let room = vec![0x3fu8; 4096 + 64];
    let offset = room.as_ptr().align_offset(64);
    let bytes = Bytes::from_owner(Watched(room, offset));
    let value = Tensor::from_bytes(DType::FLOAT, [1024], bytes).unwrap();
    let original = value.values::<f32>().unwrap().into_owned();
    session.run([("x", &value)], &[], &["assign"]).unwrap();
    let read = session.run(none, &["read:0"], &[]).unwrap().remove(0);
    for _ in 0..3 {
        session.run([("x", &value)], &[], &["add"]).unwrap();
    }
    assert_eq!(*value.values::<f32>().unwrap(), original);
    assert_eq!(*read.values::<f32>().unwrap(), original);
    let now = session.run(none, &["read:0"], &[]).unwrap().remove(0);
    let (now, original) = (now.values::<f32>().unwrap()[0], original[0]);
    assert!((now - 4. * original).abs() < 1e-5, "{now}");
}

#[test]
fn one_bundle_runs_from_many_threads_without_error_or_growth_interop() {
    let test = "one_bundle_runs_from_many_threads_without_error_or_growth_interop";
    let Some(runtime) = runtime(test) else { return };
    // Alone in a process, so that its memory is that of these calls.
    const ALONE: &str = "SAVEDMODEL_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("calls::{test}"), "--nocapture"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{said}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.contains("80,000 calls"),
            "{stderr}"
        );
        return;
    }
    let options = LoadOptions::default().session_options(SessionOptions::default().inline());
    let bundle = options
        .load(runtime, golden("half_plus_two"), ["serve"])
        .unwrap();
    let signature = bundle.signature("serving_default").unwrap();
    let (input, ..) = signature.inputs().next().unwrap();
    let (output, ..) = signature.outputs().next().unwrap();
    let call = |x: f32| {
        let x = Tensor::from_slice([1, 1], &[x]).unwrap();
        let outputs = signature.run([(input, &x)]).unwrap();
        outputs[output].values::<f32>().unwrap()[0]
    };
    let all = |calls: usize| {
        thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for i in 0..calls {
                        let x = (thread * calls + i) as f32;
                        assert_eq!(call(x), x / 2. + 2.);
                    }
                });
            }
        });
    };
    all(1_000);
    let before = resident();
    let start = Instant::now();
    all(10_000);
    let seconds = start.elapsed().as_secs_f64();
    let growth = resident().saturating_sub(before);
    println!(
        "80,000 calls in {seconds:.2} s, memory grew by {} KiB",
        growth >> 10
    );
    assert!(growth < 4 << 20, "{growth} bytes");
}

/// Bytes of memory that this process occupies; 0 where that is not known.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

#[test]
fn functions_are_called_by_path_with_what_they_capture_interop() {
    let Some(runtime) = runtime("functions_are_called_by_path_with_what_they_capture_interop")
    else {
        return;
    };
    let bundle = load(runtime, &golden("module_polymorphic")).unwrap();
    // It captures a variable; the model has no signature that does.
    let inner = bundle.function("inner").unwrap();
    let zeros = Tensor::from_slice([3], &[0f32; 3]).unwrap();
    let result = inner.call([zeros.clone().into()], []).unwrap();
    let objects = bundle.model().object_graph().unwrap().unwrap();
    let key = objects
        .variable("v")
        .unwrap()
        .checkpoint_key()
        .unwrap()
        .to_owned();
    let v = bundle.model().variables().unwrap().tensor(key).unwrap();
    let first = v.values::<f32>().unwrap()[0];
    assert_eq!(
        *result.as_tensor().unwrap().values::<f32>().unwrap(),
        [first; 3]
    );

    // Eight threads: the node is added once, however they come.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for length in 1..14usize {
                    let x = Tensor::from_slice([length], &vec![1f32; length]).unwrap();
                    let function = bundle.function("inner").unwrap();
                    let result = function.call([], [("x", x.into())]).unwrap();
                    let result = result
                        .as_tensor()
                        .unwrap()
                        .values::<f32>()
                        .unwrap()
                        .into_owned();
                    assert_eq!(result, vec![first + 1.; length]);
                }
            });
        }
    });

    let outer = bundle.function("outer").unwrap();
    let error = outer
        .call([zeros.clone().into(), 7.into()], [])
        .unwrap_err();
    let text = error.to_string();
    for part in [
        "no trace of `outer` takes (float32 [3], 7)",
        "float32 [3], 0)",
        "float32 [4], 1)",
    ] {
        assert!(text.contains(part), "{text}");
    }
    for (positional, keywords, expected) in [
        (vec![], vec![], "argument `x` is missing"),
        (
            vec![zeros.clone().into()],
            vec![("x", zeros.clone().into())],
            "`x` is given twice",
        ),
        (
            vec![zeros.clone().into()],
            vec![("y", 1.into())],
            "`y` is none of the function's",
        ),
        (
            vec![1.into(), 2.into(), 3.into()],
            vec![],
            "3 arguments by position",
        ),
    ]
        as [(Vec<StructuredValue>, Vec<(&str, StructuredValue)>, &str); 4]
    {
        let error = outer.call(positional, keywords).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = bundle.function("inenr").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
    let error = bundle.function("v").unwrap_err();
    assert!(error.to_string().contains("no function"), "{error}");
}

/// A table that is filled from an asset, and a model without a main graph for them to be in.
#[test]
fn functions_find_tables_and_assets_interop() {
    let Some(runtime) = runtime("functions_find_tables_and_assets_interop") else {
        return;
    };
    let bundle = load(runtime, &golden("vocabulary_table")).unwrap();
    let objects = bundle.model().object_graph().unwrap().unwrap();
    let signatures: Vec<String> = objects
        .signatures()
        .map(|(key, _)| key.to_owned())
        .collect();
    for key in signatures {
        let signature = bundle.signature(&key).unwrap();
        let function = bundle.function(&format!("signatures/{key}")).unwrap();
        let feeds: Vec<(&str, Tensor)> = signature
            .inputs()
            .map(|(name, dtype, _)| {
                assert_eq!(dtype, DType::STRING);
                (name, Tensor::from_strings([3], ["a", "b", "nope"]).unwrap())
            })
            .collect();
        let outputs = signature.run(feeds.clone()).unwrap();
        let keywords = feeds
            .into_iter()
            .map(|(name, tensor)| (name, tensor.into()));
        let result = function.call([], keywords).unwrap();
        for (name, tensor) in outputs.iter() {
            assert_eq!(
                result.get(name).and_then(StructuredValue::as_tensor),
                Some(tensor)
            );
        }
    }
}

#[test]
fn functions_of_a_model_without_signatures_have_tables_and_variables_interop() {
    let test = "functions_of_a_model_without_signatures_have_tables_and_variables_interop";
    let Some(runtime) = runtime(test) else { return };
    let scratch = Scratch::new("functions");
    let directory = scratch.path().join("model");
    run("make_functions.py", &[&directory]);
    let bundle = load(runtime, &directory).unwrap();
    let integers = |value: &StructuredValue| -> Vec<i64> {
        value
            .as_tensor()
            .unwrap()
            .values::<i64>()
            .unwrap()
            .into_owned()
    };

    let words = Tensor::from_strings([3], ["a", "b", "c"]).unwrap();
    let found = bundle
        .function("find")
        .unwrap()
        .call([words.into()], [])
        .unwrap();
    assert_eq!(integers(found.get("stored").unwrap()), [1, 2, -1]);
    assert_eq!(integers(found.get("fixed").unwrap()), [30, 60, -15]);

    // What one function changes, the other sees; one that returns nothing runs all the same.
    let count = bundle.function("count").unwrap();
    for expected in [8, 9, 10] {
        assert_eq!(integers(&count.call([], []).unwrap()), [expected]);
    }
    let reset = bundle.function("reset").unwrap();
    assert_eq!(
        reset.call([100i64.into()], []).unwrap(),
        StructuredValue::None
    );
    assert_eq!(integers(&count.call([], []).unwrap()), [101]);

    let pair = bundle.function("pair").unwrap();
    let x = || StructuredValue::from(Tensor::scalar(1.5f32));
    let floats = |value: StructuredValue| -> Vec<f32> {
        let leaves = value
            .flatten()
            .into_iter()
            .filter_map(StructuredValue::as_tensor);
        leaves
            .map(|tensor| tensor.values::<f32>().unwrap()[0])
            .collect()
    };
    let result = pair.call([x()], []).unwrap();
    let StructuredValue::Tuple(parts) = &result else {
        panic!("{result:?}");
    };
    assert!(matches!(parts[1], StructuredValue::List(_)), "{result:?}");
    assert_eq!(floats(result), [3.0, -1.5]);
    let flagged = pair.call([x(), 2.into(), true.into()], []).unwrap();
    assert_eq!(floats(flagged), [3.0, 1.5]);
    let scaled = pair
        .call([x()], [("scale", x()), ("extra", "more".into())])
        .unwrap();
    assert_eq!(floats(scaled), [2.25, -1.5]);
    let error = pair.call([x()], [("extra", "less".into())]).unwrap_err();
    assert!(error.to_string().contains("extra=\"more\""), "{error}");
}

#[test]
fn an_input_that_the_graph_has_a_value_for_may_be_left_out_interop() {
    let Some(runtime) = runtime("an_input_that_the_graph_has_a_value_for_may_be_left_out_interop")
    else {
        return;
    };
    let bundle = load(runtime, &golden("tf1_simple_save")).unwrap();
    let signature = bundle.signature("serving_default").unwrap();
    let x = Tensor::from_slice([1, 3], &[1f32, 2., 3.]).unwrap();
    let keep = Tensor::scalar(1f32);
    let (without, with) = (
        signature.run([("x", &x)]).unwrap(),
        signature.run([("x", &x), ("keep", &keep)]).unwrap(),
    );
    // The graph has another value.
    assert_ne!(without["y"], with["y"]);
    let error = signature.run([("keep", &keep)]).unwrap_err();
    assert!(error.to_string().contains("no input `x`"), "{error}");
    assert!(!error.to_string().contains("`keep`"), "{error}");
}

#[test]
fn what_is_fed_is_returned_where_it_is_an_output_interop() {
    let Some(runtime) = runtime("what_is_fed_is_returned_where_it_is_an_output_interop") else {
        return;
    };
    let nodes = vec![
        placeholder("x"),
        node("y", "Neg", &["x"], vec![dtype("T", DType::FLOAT)]),
    ];
    let scratch = Scratch::model("through", &model(vec![meta_graph(nodes, vec![], "x:0")]));
    let bundle = load(runtime, scratch.path()).unwrap();
    let x = Tensor::from_slice([2], &[1f32, 2.]).unwrap();
    let outputs = bundle.signature("serving_default").unwrap();
    assert_eq!(outputs.run([("x", &x)]).unwrap()["y"], x);
    let found = bundle
        .session()
        .run([("x:0", &x)], &["y:0", "x:0", "y:0"], &[]);
    let minus = Tensor::from_slice([2], &[-1f32, -2.]).unwrap();
    assert_eq!(found.unwrap(), [minus.clone(), x, minus]);
}

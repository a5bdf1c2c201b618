//! The safetensors format, through the reference implementation and back.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use savedmodel::bundle::Existing;
use savedmodel::safetensors::{SafetensorsReader, SafetensorsWriter, supports};
use savedmodel::store::{Blob, LocalStore, Mapping, MemoryStore};
use savedmodel::{DType, ErrorKind, Tensor};
use serde_json::Value;

use crate::answers::unhex;
use crate::fixtures::fixtures;
use crate::records::scratch;
use crate::tensor_sets::{Random, random_tensors, seeds};

/// Runs the script; `None`, said aloud, where it cannot run.
fn run(arguments: &[&Path]) -> Option<Vec<u8>> {
    let output = crate::tensorflow::run("safetensors_files.py", arguments)?;
    if output.trim_ascii() == b"missing" {
        let _ = writeln!(
            std::io::stderr().lock(),
            "SKIPPED: no Python module `safetensors`: safetensors_files.py compares nothing"
        );
        return None;
    }
    Some(output)
}

/// Compares a file of every type with what `cases.json` says.
fn check_cases(directory: &Path) {
    let cases = fs::read_to_string(directory.join("cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    let cases = cases.as_array().unwrap();
    for mapping in [Mapping::Auto, Mapping::Never] {
        let store = LocalStore::new(directory).with_mapping(mapping);
        let file = SafetensorsReader::open_in(&store, "cases.safetensors").unwrap();
        assert_eq!(file.metadata()["format"], "größe \"\\\n");
        assert_eq!(file.tensors().count(), cases.len());
        for case in cases {
            let name = case["name"].as_str().unwrap();
            let info = file.info(name).unwrap();
            assert_eq!(info.element_type(), case["type"]);
            let dims: Vec<u64> = serde_json::from_value(case["shape"].clone()).unwrap();
            assert_eq!(info.shape().dims(), dims);
            let mut bytes = unhex(&case["bytes_hex"]);
            assert_eq!(info.byte_len(), bytes.len() as u64);
            if info.element_type() == "F4" {
                bytes = bytes
                    .iter()
                    .flat_map(|byte| [byte & 15, byte >> 4])
                    .collect();
            }
            match (file.tensor(name), info.dtype()) {
                (Ok(tensor), Some(dtype)) => {
                    assert_eq!(
                        tensor,
                        Tensor::from_bytes(dtype, dims, bytes).unwrap(),
                        "{name}"
                    );
                }
                (Err(error), None) => {
                    assert_eq!(info.element_type(), "F8_E8M0");
                    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
                    assert_eq!(error.key(), Some(name.as_bytes()));
                    assert!(error.to_string().contains("`F8_E8M0`"), "{error}");
                }
                (tensor, dtype) => panic!("{name}: {tensor:?} {dtype:?}"),
            }
        }
    }
}

#[test]
fn every_type_of_the_reference_is_read() {
    check_cases(&fixtures().join("safetensors"));
}

/// Those of a seed's tensors that the format and its reference implementation have.
fn tensors(seed: u64) -> Vec<(String, Tensor)> {
    let fits = |tensor: &Tensor| {
        let last = tensor.shape().dims().last();
        supports(tensor.dtype())
            && (tensor.dtype() != DType::FLOAT4_E2M1FN || last.is_some_and(|dim| dim % 2 == 0))
    };
    let mut tensors = random_tensors(seed);
    tensors.retain(|(_, tensor)| fits(tensor));
    tensors
}

fn write(path: &Path, tensors: &[(String, Tensor)], writer: SafetensorsWriter) {
    let tensors = tensors.iter().map(|(name, tensor)| (&**name, tensor));
    writer.write_tensors(path, tensors).unwrap();
}

fn check(file: &SafetensorsReader, tensors: &[(String, Tensor)]) {
    assert_eq!(file.tensors().count(), tensors.len());
    for (name, tensor) in tensors {
        assert_eq!(file.tensor(name).unwrap(), *tensor, "{name}");
    }
}

#[test]
fn any_tensors_come_back_bit_for_bit() {
    let directory = scratch("safetensors_any");
    for seed in seeds() {
        let tensors = tensors(seed);
        let path = directory.join(format!("{seed}.safetensors"));
        write(&path, &tensors, SafetensorsWriter::new());
        check(&SafetensorsReader::open(&path).unwrap(), &tensors);
        let bytes = fs::read(&path).unwrap();
        check(
            &SafetensorsReader::new(Blob::from_bytes(bytes)).unwrap(),
            &tensors,
        );
        for limit in [0, 100, 1000] {
            let several = directory.join(format!("{seed}-{limit}/model.safetensors"));
            let writer = SafetensorsWriter::new().max_file_bytes(limit);
            write(&several, &tensors, writer);
            let file = SafetensorsReader::open(several.parent().unwrap()).unwrap();
            check(&file, &tensors);
            for info in file.tensors() {
                let name = info.path().file_name().unwrap().to_str().unwrap();
                assert!(name.starts_with("model"), "{name}");
            }
        }
    }
}

#[test]
fn files_of_an_index_are_named_as_others_name_them() {
    let directory = scratch("safetensors_index");
    let path = directory.join("model.safetensors");
    let tensor = Tensor::from_slice([2], &[1f32, 2.]).unwrap();
    let all = [("b", &tensor), ("a", &tensor), ("c", &tensor)];
    let writer = SafetensorsWriter::new().max_file_bytes(16);
    writer.clone().write_tensors(&path, all).unwrap();
    let text = fs::read_to_string(directory.join("model.safetensors.index.json")).unwrap();
    let index: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(index["metadata"]["total_size"], 24);
    assert_eq!(index["weight_map"]["a"], "model-00001-of-00002.safetensors");
    assert_eq!(index["weight_map"]["b"], "model-00001-of-00002.safetensors");
    assert_eq!(index["weight_map"]["c"], "model-00002-of-00002.safetensors");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 3);

    // Nothing is replaced unasked, and nothing is left behind.
    let error = writer.clone().write_tensors(&path, all).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
        "{error}"
    );
    let other = Tensor::from_slice([2], &[3f32, 4.]).unwrap();
    writer
        .clone()
        .existing(Existing::Replace)
        .write_tensors(&path, [("c", &other), ("d", &other), ("e", &other)])
        .unwrap();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 3);
    assert_eq!(
        SafetensorsReader::open(&directory)
            .unwrap()
            .tensor("c")
            .unwrap(),
        other
    );
    let error = writer
        .write_tensors(directory.join("x.bin"), all)
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
        "{error}"
    );
}

/// A file whose header is this text, with so many bytes of data.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn an_index_stays_in_its_directory_and_tells_the_truth() {
    let one = file(
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        1,
    );
    for (map, message) in [
        (r#"{"a": "../outside.safetensors"}"#, "leaves the directory"),
        (r#"{"a": "/outside.safetensors"}"#, "leaves the directory"),
        (r#"{"a": "none.safetensors"}"#, "not found"),
        (r#"{"b": "one.safetensors"}"#, "which has it not"),
    ] {
        let directory = scratch("safetensors_hostile/inside");
        fs::write(directory.join("one.safetensors"), &one).unwrap();
        fs::write(directory.join("../outside.safetensors"), &one).unwrap();
        let index = format!("{{\"weight_map\": {map}}}");
        fs::write(directory.join("model.safetensors.index.json"), index).unwrap();
        let error = SafetensorsReader::open(&directory).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.path().is_some());
    }
    let index =
        r#"{"metadata": {"total_size": "?"}, "weight_map": {"a": "one.safetensors"}, "x": [1]}"#;
    let store: MemoryStore = [
        ("m/one.safetensors", one),
        ("m/m.safetensors.index.json", index.as_bytes().to_vec()),
    ]
    .into_iter()
    .collect();
    let reader = SafetensorsReader::open_in(&store, "m/m.safetensors.index.json").unwrap();
    assert_eq!(reader.tensor("a").unwrap().bytes(), Some(&[0][..]));
}

/// Files that are wrong in all ways that a header can be, and the same ones right; the last is a
/// type that only we take.
fn malformed() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<Vec<u8>> = vec![vec![], vec![0; 7], vec![0; 8], vec![0xff; 32]];
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#)
    };
    for (header, data) in [
        ("{}".to_owned(), 0),
        ("{}".to_owned(), 1),
        (" {} \n".to_owned(), 0),
        ("{".to_owned(), 0),
        ("[]".to_owned(), 0),
        ("null".to_owned(), 0),
        ("{}x".to_owned(), 0),
        (r#"{"__metadata__":{}}"#.to_owned(), 0),
        (r#"{"__metadata__":null}"#.to_owned(), 0),
        (r#"{"__metadata__":{"a":1}}"#.to_owned(), 0),
        (r#"{"__metadata__":[]}"#.to_owned(), 0),
        (r#"{"x":{"dtype":"U8","shape":[1]}}"#.to_owned(), 1),
        (r#"{"x":{"dtype":"U8","data_offsets":[0,1]}}"#.to_owned(), 1),
        (r#"{"x":{"shape":[1],"data_offsets":[0,1]}}"#.to_owned(), 1),
        (
            r#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"y":{}}}"#.to_owned(),
            1,
        ),
        (
            r#"{"x":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}"#.to_owned(),
            1,
        ),
    ] {
        all.push(file(&header, data));
    }
    for (dtype, shape, offsets, data) in [
        ("F32", "[2]", "[0,8]", 8),
        ("F32", "[2]", "[0,8]", 7),
        ("F32", "[2]", "[0,8]", 9),
        ("F32", "[2]", "[0,4]", 4),
        ("F32", "[2]", "[1,9]", 9),
        ("F32", "[2]", "[8,0]", 8),
        ("F32", "[2]", "[0,8,9]", 8),
        ("F32", "[2]", "[0]", 8),
        ("F32", "[-2]", "[0,8]", 8),
        ("F32", "[2.0]", "[0,8]", 8),
        ("F32", "[\"2\"]", "[0,8]", 8),
        ("F32", "2", "[0,8]", 8),
        ("F4", "[3]", "[0,1]", 1),
        ("F6_E2M3", "[4]", "[0,3]", 3),
        ("U8", "[0]", "[0,0]", 0),
        ("U8", "[4294967296,4294967296,4294967296]", "[0,0]", 0),
        ("U8", "[18446744073709551615]", "[0,0]", 0),
    ] {
        all.push(file(
            &format!(r#"{{"x":{}}}"#, tensor(dtype, shape, offsets)),
            data,
        ));
    }
    for (one, other) in [
        ("[0,2]", "[2,4]"),
        ("[2,4]", "[0,2]"),
        ("[0,2]", "[1,3]"),
        ("[0,2]", "[3,5]"),
        ("[0,2]", "[0,2]"),
    ] {
        let header = format!(
            r#"{{"x":{},"y":{}}}"#,
            tensor("U8", "[2]", one),
            tensor("U8", "[2]", other)
        );
        for data in [2, 3, 4, 5] {
            all.push(file(&header, data));
        }
    }
    let named = |(number, bytes)| (format!("{number:03}"), bytes);
    all.into_iter().enumerate().map(named).collect()
}

#[test]
fn interop_the_reference_accepts_what_we_accept() {
    let directory = scratch("safetensors_malformed");
    for (name, bytes) in malformed() {
        fs::write(directory.join(name), bytes).unwrap();
    }
    let Some(accepted) = run(&[Path::new("check"), &directory]) else {
        return;
    };
    let accepted: Value = serde_json::from_slice(&accepted).unwrap();
    let mut both = [0, 0];
    for (name, bytes) in malformed() {
        let ours = SafetensorsReader::new(Blob::from_bytes(bytes.clone()));
        let theirs = accepted[&name].as_bool().unwrap();
        both[usize::from(theirs)] += 1;
        let text = bytes.get(8..).unwrap_or_default().escape_ascii();
        assert_eq!(ours.is_ok(), theirs, "{name}: {text} {:?}", ours.err());
    }
    assert!(both[0] > 30 && both[1] > 5, "{both:?}");
}

#[test]
fn changed_files_are_errors_or_tensors() {
    let (name, bytes) = (
        "x",
        fs::read(fixtures().join("safetensors/cases.safetensors")).unwrap(),
    );
    let mut random = Random::new(3);
    for _ in 0..3000 {
        let mut changed = bytes.clone();
        for _ in 0..=random.below(3) {
            let place = random.below(changed.len() as u64) as usize;
            changed[place] = random.next() as u8;
        }
        changed.truncate(changed.len() - random.below(4).saturating_sub(2) as usize);
        let Ok(file) = SafetensorsReader::new(Blob::from_bytes(changed)) else {
            continue;
        };
        for info in file.tensors() {
            let _ = file.tensor(info.name());
        }
        assert!(file.tensor(name).is_err());
    }
}

fn again(directory: &Path, name: &str) -> (Vec<u8>, Vec<u8>) {
    let read = |end: &str| fs::read(directory.join(format!("{name}{end}"))).unwrap();
    (read(".safetensors"), read(".again"))
}

#[test]
fn interop_the_reference_writes_what_we_write() {
    let directory = scratch("safetensors_again");
    let path = |name: &str| -> PathBuf { directory.join(format!("{name}.safetensors")) };
    for seed in seeds() {
        let name = format!("{seed}");
        write(&path(&name), &tensors(seed), SafetensorsWriter::new());
        let name = format!("{seed}_metadata");
        let writer = SafetensorsWriter::new().metadata("größe\u{1}", "\"\\/\u{7f}\n");
        write(&path(&name), &tensors(seed), writer);
    }
    if run(&[Path::new("again"), &directory]).is_none() {
        return;
    }
    for seed in seeds() {
        for name in [format!("{seed}"), format!("{seed}_metadata")] {
            let (ours, theirs) = again(&directory, &name);
            assert!(ours == theirs, "{name}");
        }
    }
}

#[test]
fn interop_numpy_loads_our_files() {
    let directory = scratch("safetensors_numpy");
    let path = directory.join("a.safetensors");
    let mut random = Random::new(1);
    let dtypes = [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
    ];
    let tensors: Vec<(String, Tensor)> = dtypes
        .iter()
        .map(|dtype| ((*dtype).to_owned(), random.tensor(dtype.parse().unwrap())))
        .collect();
    write(
        &path,
        &tensors,
        SafetensorsWriter::new().metadata("format", "np"),
    );
    let Some(rows) = run(&[Path::new("load"), &path]) else {
        return;
    };
    let rows: Value = serde_json::from_slice(&rows).unwrap();
    for (name, tensor) in &tensors {
        let row = &rows[name];
        assert_eq!(row["dtype"], **name);
        let dims: Vec<u64> = serde_json::from_value(row["shape"].clone()).unwrap();
        let read = Tensor::from_bytes(tensor.dtype(), dims, unhex(&row["bytes_hex"])).unwrap();
        assert_eq!(read, *tensor);
    }
}

#[test]
fn interop_files_of_the_reference_are_read() {
    let directory = scratch("safetensors_cases");
    if run(&[Path::new("make"), &directory]).is_some() {
        check_cases(&directory);
    }
}

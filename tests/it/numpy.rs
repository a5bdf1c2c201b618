//! Arrays, through numpy and back.

use std::fs;
use std::path::{Path, PathBuf};

use savedmodel::numpy::{NpyReader, StringForm, write_npy};
use savedmodel::store::Blob;
use savedmodel::{DType, ErrorKind, Tensor};
use serde_json::Value;

use crate::answers::unhex;
use crate::random::Numbers;
use crate::records::scratch;

/// What the stock tool wrote with `np.save`, an array a file.
fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli-goldens/goldens/_outdir")
}

pub(crate) fn write(path: &Path, tensor: &Tensor, strings: StringForm) {
    let mut file = fs::File::create(path).unwrap();
    write_npy(&mut file, tensor, strings).unwrap();
}

/// Reads the array a case speaks of, and says what differs.
pub(crate) fn check_case(array: NpyReader, case: &Value) -> Option<String> {
    if case["refused"] == true {
        return match array.tensor() {
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported { .. }) => None,
            other => Some(format!("{other:?}, and not refused")),
        };
    }
    let dtype: DType = case["dtype"].as_str().unwrap().parse().unwrap();
    let dims: Vec<u64> = case["shape"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dim| dim.as_u64().unwrap())
        .collect();
    let array = match case["void"] == true {
        true => array.with_void_dtype(dtype).unwrap(),
        false => array,
    };
    let expected = match case["elements_hex"].as_array() {
        Some(elements) => Tensor::from_strings(dims, elements.iter().map(unhex)),
        None => Tensor::from_bytes(dtype, dims, unhex(&case["bytes_hex"])),
    };
    match (array.tensor(), expected.unwrap()) {
        (Ok(tensor), expected) if tensor == expected && array.dtype() == Some(dtype) => None,
        (other, expected) => Some(format!("{other:?} is not {expected:?}")),
    }
}

fn check_cases(directory: &Path) -> usize {
    let cases = fs::read_to_string(directory.join("cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    let cases = cases.as_array().unwrap();
    let faults: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let name = case["name"].as_str().unwrap();
            let array = NpyReader::open(directory.join(format!("{name}.npy"))).unwrap();
            check_case(array, case).map(|fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    cases.len()
}

#[test]
fn what_the_stock_tool_saved_is_written_again_byte_for_byte() {
    let mut compared = 0;
    for entry in fs::read_dir(goldens()).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .strip_suffix(".y.npy")
        else {
            continue;
        };
        let tensor = match name {
            "string" => Tensor::from_strings([2], ["ab", "c"]).unwrap(),
            "bfloat16" => {
                let array = NpyReader::open(&path).unwrap();
                array
                    .with_void_dtype(DType::BFLOAT16)
                    .unwrap()
                    .tensor()
                    .unwrap()
            }
            _ => NpyReader::open(&path).unwrap().tensor().unwrap(),
        };
        let mut written = Vec::new();
        write_npy(&mut written, &tensor, StringForm::Objects).unwrap();
        assert!(written == fs::read(&path).unwrap(), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[test]
fn no_change_of_an_array_makes_it_panic() {
    const PARTS: &[u8] = b"0123456789'(),[]{}<>|=:LOSUVMbfiu\\ \n\x00\xff";
    let made = |descr: &str, order: &str, shape: &str, elements: &[u8]| {
        let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}\n");
        let length = (header.len() as u16).to_le_bytes();
        [
            b"\x93NUMPY\x01\x00",
            &length[..],
            header.as_bytes(),
            elements,
        ]
        .concat()
    };
    let files = [
        made("'>c8'", "True", "(2, 3)", &[7; 48]),
        made("'<U2'", "False", "(2,)", &[b'a', 0, 0, 0].repeat(4)),
        made("'|S3'", "True", "(2, 2)", b"abcdefghijkl"),
        made("[('qint16', '<i2')]", "False", "(1, 0)", &[]),
        made("'|V1'", "False", "()", &[1]),
        fs::read(goldens().join("string.y.npy")).unwrap(),
    ];
    let mut numbers = Numbers::new(1);
    let mut random = |end: usize| numbers.below(end as u64) as usize;
    let mut readable = 0;
    for file in files {
        for _ in 0..2000 {
            let mut changed = file.clone();
            for _ in 0..1 + random(3) {
                let (at, part) = (random(changed.len()), PARTS[random(PARTS.len())]);
                match random(4) {
                    0 => changed.insert(at, part),
                    1 if changed.len() > 1 => drop(changed.remove(at)),
                    _ => changed[at] = part,
                }
            }
            drop(NpyReader::from_stream(&changed[..]).and_then(|array| array.value()));
            for dtype in [DType::INT4, DType::BFLOAT16] {
                if let Ok(array) = NpyReader::new(Blob::from_bytes(changed.clone())) {
                    readable += usize::from(array.value().is_ok());
                    drop(
                        array
                            .with_void_dtype(dtype)
                            .and_then(|array| array.tensor()),
                    );
                }
            }
        }
    }
    assert!(readable > 500, "{readable}");
}

#[test]
fn interop_arrays_of_numpy_are_read() {
    let directory = scratch("numpy_arrays");
    if crate::tensorflow::run("numpy_arrays.py", &[Path::new("make"), &directory]).is_some() {
        assert_eq!(check_cases(&directory), 98);
        #[cfg(feature = "npz")]
        crate::npz::check_made(&directory);
    }
}

/// Strings whose pickle has everything that depends on their number and lengths.
fn strings_of_all_kinds() -> Vec<(String, Tensor)> {
    let mut all = Vec::new();
    let mut put = |name: &str, dims: &[u64], strings: Vec<Vec<u8>>| {
        let tensor = Tensor::from_strings(dims.to_vec(), strings).unwrap();
        all.push((name.to_owned(), tensor));
    };
    let of_length = |length: usize| {
        (0..length)
            .map(|at| (at * 7 % 251) as u8)
            .collect::<Vec<u8>>()
    };
    put("scalar", &[], vec![b"one".to_vec()]);
    put("none", &[0], vec![]);
    put("no_rows", &[0, 3], vec![]);
    put("one", &[1], vec![b"abc".to_vec()]);
    put(
        "short",
        &[2, 4],
        (0..8).map(|at| vec![b'a' + at as u8 % 3; at % 2]).collect(),
    );
    put(
        "all_bytes",
        &[2, 256],
        (0..512).map(|byte| vec![byte as u8]).collect(),
    );
    put("rank_4", &[1, 2, 1, 3], (0..6).map(of_length).collect());
    put("zeros", &[2], vec![b"a\0".to_vec(), vec![0; 3]]);
    for count in [999, 1000, 1001, 2000, 2001, 70_000] {
        let strings = (0..count).map(|at| of_length(at % 40)).collect();
        put(&format!("count_{count}"), &[count as u64], strings);
    }
    for length in [255, 256, 65_535, 65_536, 65_537, 200_000] {
        let strings = vec![
            b"x".to_vec(),
            of_length(length),
            b"x".to_vec(),
            of_length(length),
            vec![],
        ];
        put(&format!("length_{length}"), &[5], strings);
    }
    for length in 65_340..65_400 {
        put(
            &format!("frame_{length}"),
            &[3],
            vec![of_length(length), b"ab".to_vec(), b"cd".to_vec()],
        );
    }
    put(
        "frames_2",
        &[4],
        vec![
            of_length(65_536),
            of_length(65_536),
            b"ab".to_vec(),
            of_length(65_536),
        ],
    );
    all
}

#[test]
fn interop_numpy_writes_what_we_write() {
    let directory = scratch("numpy_again");
    let mut names = Vec::new();
    for (name, tensor) in strings_of_all_kinds() {
        write(
            &directory.join(format!("{name}.npy")),
            &tensor,
            StringForm::Objects,
        );
        names.push(name);
    }
    for dtype in DType::known() {
        let Some(size) = dtype.size() else { continue };
        for dims in [
            &[][..],
            &[1],
            &[0, 5],
            &[2, 3],
            &[1; 32],
            &[123_456, 0, 1 << 40],
        ] {
            let elements: u64 = dims.iter().product();
            let bytes: Vec<u8> = (0..elements as usize * size)
                .map(|at| (at % 2) as u8)
                .collect();
            let tensor = Tensor::from_bytes(dtype, dims, bytes).unwrap();
            let name = format!(
                "{dtype}_{}",
                dims.iter()
                    .map(u64::to_string)
                    .collect::<Vec<_>>()
                    .join("x")
            );
            write(
                &directory.join(format!("{name}.npy")),
                &tensor,
                StringForm::FixedWidth,
            );
            names.push(name);
        }
    }
    for width in [1, 9, 10, 99_999] {
        let strings = Tensor::from_strings([2], ["a".repeat(width), String::new()]).unwrap();
        write(
            &directory.join(format!("width_{width}.npy")),
            &strings,
            StringForm::FixedWidth,
        );
        names.push(format!("width_{width}"));
    }
    if crate::tensorflow::run("numpy_arrays.py", &[Path::new("again"), &directory]).is_none() {
        return;
    }
    let read = |name: &str, end: &str| fs::read(directory.join(format!("{name}{end}"))).unwrap();
    let differ: Vec<&String> = names
        .iter()
        .filter(|name| {
            let ours = read(name, ".npy");
            let theirs = read(name, ".again.npy");
            // What numpy knows nothing of has no byte order once it was read.
            let theirs = match ours.get(20..24) {
                Some(b"'<V1" | b"'<V2") => {
                    let mut theirs = theirs;
                    theirs[21] = b'<';
                    theirs
                }
                _ => theirs,
            };
            ours != theirs
        })
        .collect();
    assert!(differ.is_empty(), "{differ:?}");
}

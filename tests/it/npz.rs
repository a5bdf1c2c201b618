//! Archives of arrays, through numpy and back.

use std::fs;
use std::io::Read;
use std::path::Path;

use savedmodel::numpy::{NpyReader, NpzReader, NpzWriter, StringForm};
use savedmodel::store::Blob;
use savedmodel::{DType, ErrorKind, Tensor};
use serde_json::Value;

use crate::fixtures::fixtures;
use crate::numpy::check_case;
use crate::records::scratch;
use crate::tensor_sets::{random_tensors, seeds};

/// Compares every array of an archive of cases with what `cases.json` says; returns how many there are.
fn check_cases(directory: &Path) -> usize {
    let cases = fs::read_to_string(directory.join("cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    let cases = cases.as_array().unwrap();
    let archive = NpzReader::open(directory.join("cases.npz")).unwrap();
    assert_eq!(archive.names().len(), cases.len());
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let array = archive.array(name).unwrap();
        let info = archive.info(name).unwrap();
        assert_eq!((&*info.descr, info.dtype), (array.descr(), array.dtype()));
        assert_eq!(&info.shape, array.shape());
        let fault = check_case(array, case);
        assert!(fault.is_none(), "{name}: {}", fault.unwrap());
    }
    cases.len()
}

/// Checks what `numpy_arrays.py make` wrote.
pub(crate) fn check_made(directory: &Path) {
    assert_eq!(check_cases(directory), 98);
    for name in ["stored.npz", "compressed.npz"] {
        let archive = NpzReader::open(directory.join(name)).unwrap();
        assert_eq!(
            archive.names().collect::<Vec<_>>(),
            ["größe/é", "none", "zeros"]
        );
        let tensor = archive.tensor("größe/é").unwrap();
        assert_eq!(*tensor.values::<i32>().unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(
            archive.tensor("none").unwrap(),
            Tensor::from_slice([0], &[0f64; 0]).unwrap()
        );
        let zeros = archive.tensor("zeros").unwrap();
        assert_eq!(zeros.shape().dims(), [300, 1000]);
        assert!(
            zeros
                .values::<f32>()
                .unwrap()
                .iter()
                .all(|value| *value == 0.0)
        );
    }
}

#[test]
fn arrays_that_numpy_wrote_are_read() {
    assert_eq!(check_cases(&fixtures().join("numpy")), 98);
}

fn archive(tensors: &[(String, Tensor)], strings: StringForm) -> Vec<u8> {
    let mut writer = NpzWriter::new(Vec::new()).with_strings(strings);
    for (name, tensor) in tensors {
        writer.add(name, tensor).unwrap();
    }
    writer.finish().unwrap()
}

/// Reads a tensor that may be of a dtype that the file does not name.
fn read(archive: &NpzReader, name: &str, dtype: DType) -> Tensor {
    let array = archive.array(name).unwrap();
    match array.dtype() {
        Some(_) => array.tensor().unwrap(),
        None => array.with_void_dtype(dtype).unwrap().tensor().unwrap(),
    }
}

#[test]
fn any_tensors_come_back_bit_for_bit() {
    for seed in seeds() {
        let tensors = random_tensors(seed);
        let bytes = archive(&tensors, StringForm::FixedWidth);
        let shared = bytes.clone();
        let ranged = Blob::ranged(bytes.len() as u64, move |offset, out: &mut [u8]| {
            out.copy_from_slice(&shared[offset as usize..][..out.len()]);
            Ok(())
        });
        for blob in [Blob::from_bytes(bytes), ranged] {
            let archive = NpzReader::new(blob).unwrap();
            assert_eq!(archive.names().len(), tensors.len());
            for (name, tensor) in &tensors {
                assert_eq!(
                    read(&archive, name, tensor.dtype()),
                    *tensor,
                    "{seed} {name}"
                );
                let mut member = Vec::new();
                archive
                    .stream(name)
                    .unwrap()
                    .read_to_end(&mut member)
                    .unwrap();
                assert!(member.starts_with(b"\x93NUMPY"));
            }
        }
    }
}

#[test]
fn errors_name_file_and_array() {
    let directory = scratch("npz_errors");
    let path = directory.join("a.npz");
    let tensor = Tensor::from_slice([3], &[1i64, 2, 3]).unwrap();
    let mut bytes = archive(
        &[("layer/kernel".to_owned(), tensor)],
        StringForm::FixedWidth,
    );
    let place = bytes
        .windows(8)
        .position(|window| window == 2i64.to_le_bytes())
        .unwrap();
    bytes[place] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let reader = NpzReader::open(&path).unwrap();
    let error = reader.tensor("layer/kernel").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ChecksumMismatch { .. }));
    assert_eq!(
        (error.path(), error.key()),
        (Some(&*path), Some(&b"layer/kernel"[..]))
    );
    // An array by itself knows where it is from too.
    let half = Tensor::from_bytes(DType::BFLOAT16, [1], vec![0; 2]).unwrap();
    fs::write(
        &path,
        archive(&[("a".to_owned(), half)], StringForm::Objects),
    )
    .unwrap();
    let array = NpzReader::open(&path).unwrap().array("a").unwrap();
    let error = array.tensor().unwrap_err();
    assert_eq!(
        (error.path(), error.key(), error.offset()),
        (Some(&*path), Some(&b"a"[..]), None)
    );
    let error = reader.tensor("kernel").unwrap_err();
    assert!(
        error.to_string().contains("did you mean `layer/kernel`?"),
        "{error}"
    );
    let error = NpzWriter::new(Vec::new())
        .add("../kernel", &Tensor::scalar(1f32))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
    assert_eq!(error.key(), Some(&b"../kernel"[..]));
}

#[test]
fn changed_archives_are_refused_or_read_as_they_were() {
    let tensors = vec![
        (
            "a".to_owned(),
            Tensor::from_slice([2, 2], &[1f32, 2., 3., 4.]).unwrap(),
        ),
        (
            "b".to_owned(),
            Tensor::from_strings([2], ["x", "yz"]).unwrap(),
        ),
    ];
    let whole = archive(&tensors, StringForm::FixedWidth);
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x41;
        let Ok(archive) = NpzReader::new(Blob::from_bytes(bytes)) else {
            continue;
        };
        for name in archive.names() {
            if let (Ok(tensor), Some((_, expected))) = (
                archive.tensor(name),
                tensors.iter().find(|(other, _)| other == name),
            ) {
                assert_eq!(tensor, *expected, "{name}, byte {place} changed");
            }
        }
    }
    // The same for one that is compressed: its bytes are summed after they are unpacked.
    let whole = fs::read(fixtures().join("numpy/cases.npz")).unwrap();
    for place in (0..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x41;
        if let Ok(archive) = NpzReader::new(Blob::from_bytes(bytes)) {
            for name in archive.names() {
                let _ = archive.info(name);
                let _ = archive.tensor(name);
            }
        }
    }
}

#[test]
fn interop_numpy_reads_our_archives() {
    let directory = scratch("npz_archives");
    for seed in seeds() {
        let mut tensors = random_tensors(seed);
        tensors.sort_by(|one, other| one.0.cmp(&other.0));
        let path = directory.join(format!("{seed}.npz"));
        fs::write(&path, archive(&tensors, StringForm::FixedWidth)).unwrap();
        let out = directory.join(format!("{seed}"));
        fs::create_dir(&out).unwrap();
        let arguments = [Path::new("archive"), &path, &out];
        let Some(names) = crate::tensorflow::run("numpy_arrays.py", &arguments) else {
            return;
        };
        let names: Vec<String> = serde_json::from_slice(&names).unwrap();
        assert!(names.iter().eq(tensors.iter().map(|(name, _)| name)));
        for (number, (name, tensor)) in tensors.iter().enumerate() {
            let array = NpyReader::open(out.join(format!("{number}.npy"))).unwrap();
            let array = match array.dtype() {
                Some(_) => array,
                None => array.with_void_dtype(tensor.dtype()).unwrap(),
            };
            assert_eq!(array.tensor().unwrap(), *tensor, "{seed} {name}");
        }
    }
}

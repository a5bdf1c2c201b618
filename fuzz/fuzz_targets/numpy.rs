//! An array of numpy, or an archive of some: what is read is written so that it is read again.
//!
//! ```text
//! input    mode (u8), file
//! mode     1: an archive; otherwise an array
//!          2: types of one or two bytes are FLOAT8_E4M3FN and BFLOAT16, otherwise they are refused
//! ```

#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use savedmodel::numpy::{NpyReader, NpzReader, NpzWriter, StringForm, write_npy};
use savedmodel::store::Blob;
use savedmodel::{DType, Error, ErrorKind, Tensor};

const VOID_DTYPES: [DType; 2] = [DType::FLOAT8_E4M3FN, DType::BFLOAT16];

fuzz_target!(|input: &[u8]| {
    let Some((&mode, file)) = input.split_first() else {
        return;
    };
    match mode & 1 {
        0 => array(file, mode & 2 != 0),
        _ => archive(file, mode & 2 != 0),
    }
});

fn ranged(file: &[u8]) -> Blob {
    let shared = file.to_vec();
    Blob::ranged(file.len() as u64, move |offset, out: &mut [u8]| {
        let start = offset as usize;
        out.copy_from_slice(&shared[start..start + out.len()]);
        Ok(())
    })
}

fn array(file: &[u8], named: bool) {
    let read = |array: Result<NpyReader, Error>| {
        let array = array?;
        let of_size = |dtype: &DType| array.descr() == format!("<V{}", dtype.size().unwrap());
        let array = match VOID_DTYPES.iter().find(|dtype| named && of_size(dtype)) {
            Some(dtype) => array.with_void_dtype(*dtype).unwrap(),
            None => array,
        };
        array.tensor()
    };
    let tensor = read(NpyReader::new(Blob::from_bytes(file.to_vec())));
    let other = read(NpyReader::new(ranged(file)));
    let stream = NpyReader::from_stream(file);
    match (tensor, other) {
        (Ok(tensor), Ok(other)) => {
            assert_eq!(tensor, other);
            assert!(stream.is_ok());
            again(&tensor);
        }
        (Err(error), Err(other)) => {
            assert_eq!(error.to_string(), other.to_string());
            assert!(
                error.offset().is_none_or(|at| at <= file.len() as u64),
                "{error}"
            );
        }
        other => panic!("{other:?}"),
    }
}

fn again(tensor: &Tensor) {
    let mut file = Vec::new();
    write_npy(&mut file, tensor, StringForm::FixedWidth).unwrap();
    let array = NpyReader::new(Blob::from_bytes(file)).unwrap();
    let array = match array.dtype() {
        Some(_) => array,
        None => array.with_void_dtype(tensor.dtype()).unwrap(),
    };
    assert_eq!(array.tensor().unwrap(), *tensor);
}

fn archive(file: &[u8], named: bool) {
    let open = |blob| {
        let archive = NpzReader::new(blob)?;
        match named {
            true => archive
                .with_void_dtype(VOID_DTYPES[0])?
                .with_void_dtype(VOID_DTYPES[1]),
            false => Ok(archive),
        }
    };
    let (archive, other) = match (open(Blob::from_bytes(file.to_vec())), open(ranged(file))) {
        (Ok(archive), Ok(other)) => (archive, other),
        (Err(error), Err(other)) => return assert_eq!(error.to_string(), other.to_string()),
        (one, other) => panic!("{:?} {:?}", one.err(), other.err()),
    };
    let mut writer = NpzWriter::new(Vec::new());
    let mut written = Vec::new();
    // Members may share their bytes: many of them would take the time of all together.
    for name in archive.names().take(16) {
        let info = archive.info(name);
        match (archive.tensor(name), other.tensor(name)) {
            (Ok(tensor), Ok(again)) => {
                assert_eq!(tensor, again);
                let info = info.unwrap();
                assert_eq!(
                    (info.dtype, &info.shape),
                    (Some(tensor.dtype()), tensor.shape())
                );
                let mut member = Vec::new();
                archive
                    .stream(name)
                    .unwrap()
                    .read_to_end(&mut member)
                    .unwrap();
                if writer.add(name, &tensor).is_ok() {
                    written.push((name, tensor));
                }
            }
            (Err(error), Err(again)) => {
                assert_eq!(error.to_string(), again.to_string());
                assert_eq!(error.key(), Some(name.as_bytes()));
                assert!(
                    !matches!(error.kind(), ErrorKind::NotFound { .. }),
                    "{error}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let again = NpzReader::new(Blob::from_bytes(writer.finish().unwrap())).unwrap();
    assert_eq!(again.names().len(), written.len());
    for (name, tensor) in written {
        let array = again.array(name).unwrap();
        let array = match array.dtype() {
            Some(_) => array,
            None => array.with_void_dtype(tensor.dtype()).unwrap(),
        };
        assert_eq!(array.tensor().unwrap(), tensor);
    }
}

//! Tensors from one format to another and back.

use std::cell::RefCell;
#[cfg(any(feature = "npz", feature = "safetensors"))]
use std::collections::BTreeMap;
use std::fs;
#[cfg(any(feature = "npz", feature = "safetensors"))]
use std::path::Path;

#[cfg(any(feature = "npz", feature = "safetensors"))]
use savedmodel::bundle::Key;
use savedmodel::bundle::{Durability, Existing};
#[cfg(any(feature = "npz", feature = "safetensors"))]
use savedmodel::exchange::TensorSource;
use savedmodel::exchange::{Conversion, Converted, Format, open_source};
#[cfg(feature = "npz")]
use savedmodel::numpy::{NpzReader, StringForm};
#[cfg(feature = "safetensors")]
use savedmodel::safetensors::{SafetensorsReader, SafetensorsWriter};
use savedmodel::{BundleReader, BundleWriter, DType, ErrorKind, Tensor};

use crate::fixtures::fixtures;
use crate::records::scratch;

#[cfg(any(feature = "npz", feature = "safetensors"))]
/// Bundles of every dtype, in pieces, in several shards, of models and of checkpoints.
const BUNDLES: [&str; 8] = [
    "all_dtypes",
    "shapes",
    "v1_partitioned",
    "merged",
    "two_shards",
    "strings",
    "keras3_saved",
    "ckpt_manager",
];

#[cfg(any(feature = "npz", feature = "safetensors"))]
/// The tensors of a bundle that a format can hold.
fn tensors(bundle: &BundleReader, format: Format) -> BTreeMap<Key, Tensor> {
    let tensors = bundle.read_all().unwrap();
    let fits = |tensor: &Tensor| {
        let is_odd = tensor.dtype() == DType::FLOAT4_E2M1FN && tensor.elements() % 2 == 1;
        format.supports(tensor.dtype()) && !(is_odd && format == Format::Safetensors)
    };
    tensors
        .into_iter()
        .filter(|(_, tensor)| fits(tensor))
        .collect()
}

#[cfg(any(feature = "npz", feature = "safetensors"))]
/// Converts those tensors back from a source to a bundle, which must then have the same.
fn check_back(source: &dyn TensorSource, tensors: &BTreeMap<Key, Tensor>, prefix: &Path) {
    let mut conversion = Conversion::new(source).unwrap();
    assert_eq!(conversion.tensors().len(), tensors.len());
    conversion
        .write_bundle(prefix, BundleWriter::options())
        .unwrap();
    let bundle = BundleReader::open(prefix).unwrap();
    let back: BTreeMap<Key, Tensor> = bundle.read_all().unwrap().into_iter().collect();
    assert_eq!(back, *tensors);
}

#[cfg(feature = "safetensors")]
#[test]
fn bundles_pass_through_safetensors_bit_for_bit() {
    let directory = scratch("exchange_safetensors");
    for name in BUNDLES {
        let source = open_source(fixtures().join(name)).unwrap();
        let bundle =
            BundleReader::open(savedmodel::bundle::locate_bundle(fixtures().join(name)).unwrap())
                .unwrap();
        let tensors = tensors(&bundle, Format::Safetensors);
        let mut conversion = Conversion::new(&*source).unwrap();
        conversion.retain(|tensor| tensors.contains_key(tensor.key()));
        for limit in [u64::MAX, 64] {
            let path = directory.join(format!("{name}-{limit}/model.safetensors"));
            let writer = SafetensorsWriter::new().max_file_bytes(limit);
            conversion.write_safetensors(&path, writer).unwrap();
            let back = SafetensorsReader::open(path.parent().unwrap()).unwrap();
            check_back(
                &back,
                &tensors,
                &directory.join(format!("{name}-{limit}-back/b")),
            );
            let back = open_source(path.parent().unwrap()).unwrap();
            assert_eq!(back.list().unwrap().len(), tensors.len());
        }
    }
}

#[cfg(feature = "npz")]
#[test]
fn bundles_pass_through_archives_bit_for_bit() {
    let directory = scratch("exchange_npz");
    for name in BUNDLES {
        let prefix = savedmodel::bundle::locate_bundle(fixtures().join(name)).unwrap();
        let bundle = BundleReader::open(prefix).unwrap();
        let mut tensors = tensors(&bundle, Format::Npz);
        // Of a string that ends with zeros numpy's do not keep them; see the test of that.
        // And Python cuts names at a zero byte.
        tensors.retain(|key, tensor| {
            let mut strings = tensor.strings().into_iter().flatten();
            strings.all(|string| string.last() != Some(&0)) && !key.contains(&0)
        });
        assert!(tensors.len() > 1, "{name}");
        // One file for each dtype, because a file does not say which types of one or two bytes it has.
        let mut dtypes: Vec<DType> = tensors.values().map(Tensor::dtype).collect();
        dtypes.sort();
        dtypes.dedup();
        for dtype in dtypes {
            let tensors: BTreeMap<Key, Tensor> = tensors
                .iter()
                .filter(|(_, tensor)| tensor.dtype() == dtype)
                .map(|(key, tensor)| (key.clone(), tensor.clone()))
                .collect();
            let path = directory.join(format!("{name}-{dtype}.npz"));
            let mut conversion = Conversion::new(&bundle).unwrap();
            conversion.retain(|tensor| tensors.contains_key(tensor.key()));
            conversion
                .write_npz(
                    &path,
                    StringForm::FixedWidth,
                    Existing::Refuse,
                    Durability::Sync,
                )
                .unwrap();
            let mut archive = NpzReader::open(&path).unwrap();
            if archive
                .names()
                .next()
                .is_some_and(|name| archive.info(name).unwrap().dtype.is_none())
            {
                archive = archive.with_void_dtype(dtype).unwrap();
            }
            check_back(
                &archive,
                &tensors,
                &directory.join(format!("{name}-{dtype}/b")),
            );
        }
    }
}

fn key(tensor: &Converted) -> String {
    tensor.key().to_string()
}

#[test]
fn what_a_format_cannot_hold_is_named_or_left_out() {
    let bundle = BundleReader::open(fixtures().join("ckpt_manager/ckpt-2")).unwrap();
    let mut conversion = Conversion::new(&bundle).unwrap();
    let all = conversion.tensors().len();
    let left = conversion.leave_out(Format::Safetensors);
    if cfg!(feature = "safetensors") {
        assert!(
            left.iter()
                .any(|tensor| key(tensor) == "_CHECKPOINTABLE_OBJECT_GRAPH")
        );
        assert!(
            left.iter()
                .all(|tensor| tensor.dtype() == Some(DType::STRING))
        );
        assert!(conversion.tensors().len() > 2);
    }
    assert_eq!(conversion.tensors().len() + left.len(), all);
    assert!(conversion.leave_out(Format::Bundle).is_empty());
}

#[cfg(all(feature = "npz", feature = "safetensors"))]
#[test]
fn refusals_come_before_there_is_a_file() {
    let directory = scratch("exchange_refusals");
    let bundle = BundleReader::open(fixtures().join("ckpt_manager/ckpt-2")).unwrap();
    let mut conversion = Conversion::new(&bundle).unwrap();
    let path = directory.join("new/model.safetensors");
    let error = conversion
        .write_safetensors(&path, SafetensorsWriter::new())
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }));
    assert!(
        error
            .to_string()
            .contains("`_CHECKPOINTABLE_OBJECT_GRAPH` (string)"),
        "{error}"
    );

    let variants = BundleReader::open(fixtures().join("all_dtypes/b")).or_else(|_| {
        BundleReader::open(
            savedmodel::bundle::locate_bundle(fixtures().join("all_dtypes")).unwrap(),
        )
    });
    let variants = variants.unwrap();
    let mut all = Conversion::new(&variants).unwrap();
    let error = all
        .write_npz(
            directory.join("new.npz"),
            StringForm::Objects,
            Existing::Refuse,
            Durability::Sync,
        )
        .unwrap_err();
    assert!(error.to_string().contains("(variant)"), "{error}");

    conversion.leave_out(Format::Safetensors);
    conversion
        .rename(|tensor| format!("../{}", tensor.key()))
        .unwrap();
    let archive = directory.join("new.npz");
    let error = conversion
        .write_npz(
            &archive,
            StringForm::Objects,
            Existing::Refuse,
            Durability::Sync,
        )
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
        "{error}"
    );
    conversion
        .rename(|tensor| [tensor.key().as_bytes(), b"\xff"].concat())
        .unwrap();
    for error in [
        conversion
            .write_npz(
                &archive,
                StringForm::Objects,
                Existing::Refuse,
                Durability::Sync,
            )
            .unwrap_err(),
        conversion
            .write_safetensors(&path, SafetensorsWriter::new())
            .unwrap_err(),
    ] {
        assert!(error.to_string().contains("not UTF-8"), "{error}");
    }
    let error = conversion.rename(|_| "same").unwrap_err();
    assert!(
        error.to_string().contains("would both have this name"),
        "{error}"
    );
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn tensors_are_chosen_renamed_and_cast() {
    let directory = scratch("exchange_cast");
    let source = directory.join("from/b");
    let mut bundle = BundleWriter::create(&source).unwrap();
    let values = [1.0f32, 1.0 + 1.0 / 256.0, -3e38, f32::NAN];
    bundle
        .add("layer/kernel", &Tensor::from_slice([4], &values).unwrap())
        .unwrap();
    bundle.add("layer/step", &Tensor::scalar(7i64)).unwrap();
    bundle.add("other", &Tensor::scalar(0.5f64)).unwrap();
    bundle.add("dropped", &Tensor::scalar(0.5f64)).unwrap();
    bundle.finish().unwrap();
    let source = BundleReader::open(&source).unwrap();

    let reports = RefCell::new(Vec::new());
    let mut conversion = Conversion::new(&source).unwrap();
    conversion.retain(|tensor| key(tensor) != "dropped");
    conversion
        .rename(|tensor| key(tensor).replace("layer/", "z/"))
        .unwrap();
    assert!(conversion.cast(DType::INT32).is_err());
    conversion.cast(DType::BFLOAT16).unwrap();
    let sizes: Vec<_> = conversion
        .tensors()
        .iter()
        .map(|it| (key(it), it.byte_len()))
        .collect();
    let expected = [("other", 2), ("z/kernel", 8), ("z/step", 8)];
    assert_eq!(sizes, expected.map(|(name, size)| (name.to_owned(), size)));
    conversion.on_progress(|progress| {
        reports
            .borrow_mut()
            .push((key(progress.tensor), progress.done, progress.total));
    });
    conversion
        .write_bundle(directory.join("to/b"), BundleWriter::options())
        .unwrap();
    drop(conversion);
    let reports = reports.into_inner();
    let reports: Vec<_> = reports
        .iter()
        .map(|(name, done, total)| (&**name, *done, *total))
        .collect();
    assert_eq!(
        reports,
        [("other", 2, 18), ("z/kernel", 10, 18), ("z/step", 18, 18)]
    );

    let small = BundleReader::open(directory.join("to/b")).unwrap();
    let kernel = small.tensor("z/kernel").unwrap();
    assert_eq!(kernel.dtype(), DType::BFLOAT16);
    // The middle between two goes to the even one.
    assert_eq!(
        *kernel.values::<u16>().unwrap(),
        [0x3f80, 0x3f80, 0xff62, 0x7fc0]
    );
    assert_eq!(
        *small.tensor("z/step").unwrap().values::<i64>().unwrap(),
        [7]
    );
    assert_eq!(
        *small.tensor("other").unwrap().values::<u16>().unwrap(),
        [0x3f00]
    );
    assert_eq!(small.entries().count(), 3);
}

#[test]
fn a_path_says_what_it_is() {
    let directory = scratch("exchange_open");
    let error = open_source(directory.join("none.npz")).err().unwrap();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
    let error = open_source(&directory).err().unwrap();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
    for (name, feature) in [
        ("a.npz", cfg!(feature = "npz")),
        ("a.safetensors", cfg!(feature = "safetensors")),
    ] {
        fs::write(directory.join(name), b"no such file").unwrap();
        let error = open_source(directory.join(name)).err().unwrap();
        assert_eq!(
            matches!(error.kind(), ErrorKind::Unsupported { .. }),
            !feature,
            "{error}"
        );
        assert!(error.path().is_some());
    }
}

#[test]
fn an_existing_bundle_stays_unless_told_otherwise() {
    let directory = scratch("exchange_existing");
    let source = open_source(fixtures().join("two_shards")).unwrap();
    let mut conversion = Conversion::new(&*source).unwrap();
    let prefix = directory.join("b");
    conversion
        .write_bundle(&prefix, BundleWriter::options())
        .unwrap();
    assert!(
        conversion
            .write_bundle(&prefix, BundleWriter::options())
            .is_err()
    );
    let replace = BundleWriter::options().existing(Existing::Replace);
    conversion.write_bundle(&prefix, replace).unwrap();
}

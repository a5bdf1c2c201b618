//! Models written again, their programs in other forms.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use savedmodel::bundle::{Durability, Existing};
use savedmodel::chunked::{ChunkedProto, OtherForms};
use savedmodel::model::{Format, ModelCopy};
use savedmodel::store::{Blob, LocalStore};
use savedmodel::text::UnknownFields;
use savedmodel::wire::means_the_same;
use savedmodel::{DType, ErrorKind, Result, SavedModel};
use serde_json::{Value as Json, json};

use crate::fixtures::{assert_none, files_below};
use crate::scratch::Scratch;
use crate::tensorflow;

const FORMATS: [Format; 3] = [Format::Binary, Format::Text, Format::Chunked];

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Not synced, so that many are quick.
fn copy(model: &SavedModel, directory: &Path, format: Format) -> Result<()> {
    let copy = ModelCopy::new(model).format(format);
    copy.durability(Durability::None).write(directory)?;
    Ok(())
}

/// All files below a directory but the program, and empty directories.
fn beside_program(directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    fn walk(root: &Path, inside: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
        for entry in fs::read_dir(root.join(inside)).unwrap() {
            let name = inside.join(entry.unwrap().file_name());
            let path = root.join(&name);
            if path.is_dir() {
                found.insert(name.clone(), None);
                walk(root, &name, found);
            } else if !FORMATS.iter().any(|it| name == Path::new(it.file_name())) {
                found.insert(name, Some(fs::read(path).unwrap()));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(directory, Path::new(""), &mut found);
    found
}

fn models() -> Vec<PathBuf> {
    let is_model = |name: &str| FORMATS.iter().any(|format| name == format.file_name());
    let mut models = files_below(&tests(), &is_model);
    models.retain(|path| {
        // Damaged on purpose.
        !path.components().any(|part| part.as_os_str() == "bad")
            && !path.components().any(|part| part.as_os_str() == "hostile")
    });
    models.sort();
    models
}

fn has_release_with_sorted_maps(model: &SavedModel) -> bool {
    let graphs: Vec<_> = model.meta_graphs().map(Result::unwrap).collect();
    graphs.iter().all(|graph| {
        let version = graph.to_proto().unwrap().meta_info_def.unwrap_or_default();
        let version = version.tensorflow_version;
        let mut numbers = version.split('.').map(|it| it.parse::<u32>().unwrap_or(0));
        (numbers.next(), numbers.next()) >= (Some(2), Some(12))
    })
}

/// Written by TensorFlow and then changed by the script that made them.
const CHANGED: [&str; 6] = [
    "custom_op",
    "custom_op_main_graph_only",
    "module_crafted_values",
    "object_graph_two_metagraphs",
    "registered_type_spec",
    "twice",
];

#[test]
fn every_model_goes_through_all_forms_and_comes_back() {
    let (mut identical, mut equal, mut faults) = (0, 0, Vec::new());
    for file in models() {
        let source = file.parent().unwrap();
        let format = FORMATS
            .into_iter()
            .find(|it| file.ends_with(it.file_name()));
        let opened = SavedModel::options().format(format.unwrap()).open(source);
        let Ok(model) = opened else {
            continue;
        };
        let Ok(bytes) = model.bytes() else {
            continue;
        };
        let name = source.file_name().unwrap().to_str().unwrap();
        let must_be_identical = model.format() == Format::Binary
            && !CHANGED.contains(&name)
            && has_release_with_sorted_maps(&model);
        let scratch = Scratch::new("copies");
        for (way, forms) in [
            ("text", &[Format::Text, Format::Binary][..]),
            ("chunks", &[Format::Chunked, Format::Binary]),
            (
                "all",
                &[Format::Text, Format::Chunked, Format::Text, Format::Binary],
            ),
            ("back", &[Format::Binary, Format::Chunked]),
        ] {
            let mut last = source.to_owned();
            for (step, form) in forms.iter().enumerate() {
                let options = match step {
                    0 => SavedModel::options().format(format.unwrap()),
                    _ => SavedModel::options(),
                };
                let next = scratch.path().join(format!("{way}{step}"));
                copy(&options.open(&last).unwrap(), &next, *form)
                    .unwrap_or_else(|error| panic!("{}, {way}: {error}", file.display()));
                last = next;
            }
            let end = SavedModel::open(&last).unwrap();
            assert_eq!(beside_program(&last), beside_program(source), "{name}");
            let found = end.bytes().unwrap();
            if must_be_identical && found != bytes {
                faults.push(format!("{}, {way}: other bytes", file.display()));
            } else if !means_the_same(found, bytes, "tensorflow.SavedModel").unwrap() {
                faults.push(format!("{}, {way}: another meaning", file.display()));
            }
        }
        match must_be_identical {
            true => identical += 1,
            false => equal += 1,
        }
    }
    assert_none(&faults);
    assert!(identical > 40 && equal > 5, "{identical} and {equal}");
}

#[test]
fn a_program_whose_form_stays_is_the_same_file() {
    let mut forms = 0;
    for source in [
        "fixtures/keras3_saved",
        "fixtures/v1_builder_text",
        "fixtures/tf115_estimator",
        "vectors/chunked/models/tf1_1000",
    ] {
        let scratch = Scratch::new("same_form");
        let source = tests().join(source);
        let model = SavedModel::open(&source).unwrap();
        let copied = ModelCopy::new(&model).write(scratch.path()).unwrap();
        let name = model.format().file_name();
        assert_eq!(copied.program, scratch.path().join(name));
        assert_eq!(
            fs::read(&copied.program).unwrap(),
            fs::read(source.join(name)).unwrap()
        );
        assert_eq!(beside_program(scratch.path()), beside_program(&source));
        let files = beside_program(&source);
        assert_eq!(copied.files, files.values().flatten().count() as u64);
        forms += 1;
    }
    assert_eq!(forms, 4);
}

/// A copy of a fixture with files that nobody knows.
fn furnished(scratch: &Scratch) -> PathBuf {
    let directory = scratch.path().join("model");
    let model = SavedModel::open(tests().join("fixtures/vocabulary")).unwrap();
    copy(&model, &directory, Format::Binary).unwrap();
    fs::create_dir_all(directory.join("notes/empty")).unwrap();
    fs::create_dir_all(directory.join("assets.extra")).unwrap();
    fs::write(directory.join("notes/模型 é.txt"), "said").unwrap();
    fs::write(directory.join("assets.extra/large"), vec![7; 9 << 20]).unwrap();
    fs::write(directory.join("notes/saved_model.pb"), "no program").unwrap();
    directory
}

#[test]
fn files_and_directories_that_nobody_knows_are_kept() {
    let scratch = Scratch::new("unknown_files");
    let source = furnished(&scratch);
    let (text, stored) = (scratch.path().join("text"), scratch.path().join("stored"));
    let model = SavedModel::open(&source).unwrap();
    let mut seen = Vec::new();
    let copied = ModelCopy::new(&model)
        .format(Format::Text)
        .on_progress(|progress| seen.push((progress.done, progress.total)))
        .write(&text)
        .unwrap();
    assert_eq!(beside_program(&text), beside_program(&source));
    assert!(
        seen.is_sorted() && seen.len() as u64 > copied.files,
        "{seen:?}"
    );
    assert!(copied.file_bytes > 9 << 20);
    assert_eq!(
        *seen.last().unwrap(),
        (copied.file_bytes, copied.file_bytes)
    );

    let store = LocalStore::new(scratch.path());
    let model = SavedModel::open_in(Arc::new(store), "model").unwrap();
    copy(&model, &stored, Format::Chunked).unwrap();
    assert_eq!(beside_program(&stored), beside_program(&source));
    let names = fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(names, 3, "nothing is left of the work");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_copied_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = Scratch::new("unnamable");
    let source = furnished(&scratch);
    let name = std::ffi::OsStr::from_bytes(b"notes/\xff");
    fs::write(source.join(name), "lost").unwrap();
    let model = SavedModel::open(&source).unwrap();
    let error = model
        .save_as(scratch.path().join("copy"), Format::Text)
        .unwrap_err();
    assert_eq!(error.path(), Some(&*source.join(name)), "{error}");
    fs::remove_file(source.join(name)).unwrap();

    std::os::unix::fs::symlink("..", source.join("notes/up")).unwrap();
    let error = model
        .save_as(scratch.path().join("copy"), Format::Text)
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TooLarge { .. }),
        "{error}"
    );
    assert!(!scratch.path().join("copy").exists());
}

#[test]
fn a_program_is_split_from_the_size_on_that_is_asked_for() {
    let scratch = Scratch::new("split_copy");
    let model = SavedModel::open(tests().join("fixtures/keras3_saved")).unwrap();
    for (size, chunks) in [(1 << 20, 1..2), (4000, 5..1000)] {
        let directory = scratch.path().join(size.to_string());
        ModelCopy::new(&model)
            .format(Format::Chunked)
            .max_chunk_size(size)
            .write(&directory)
            .unwrap();
        let bytes = fs::read(directory.join("saved_model.cpb")).unwrap();
        let file = ChunkedProto::open(Blob::from_bytes(bytes)).unwrap();
        assert!(chunks.contains(&file.metadata().chunks.len()));
        let back = scratch.path().join(format!("{size}.back"));
        let split = SavedModel::open(&directory).unwrap();
        split.save_as(&back, Format::Binary).unwrap();
        let back = SavedModel::open(&back).unwrap();
        assert!(chunks.start > 1 || back.bytes().unwrap() == model.bytes().unwrap());
        // What is split is encoded in another way where the splitter cut.
        let graph = |model: &SavedModel| {
            let graph = model.meta_graph(["serve"]).unwrap().to_proto().unwrap();
            let nodes = graph.graph_def.unwrap().node;
            (graph.signature_def, graph.object_graph_def, nodes.len())
        };
        assert_eq!(graph(&back), graph(&model));
    }
}

#[test]
fn unknown_fields_are_no_text_unless_they_may_be_dropped() {
    let scratch = Scratch::new("unknown_fields");
    let source = furnished(&scratch);
    let mut bytes = fs::read(source.join("saved_model.pb")).unwrap();
    let at = bytes.len() as u64;
    bytes.extend([0x98, 0x06, 1]);
    fs::write(source.join("saved_model.pb"), &bytes).unwrap();
    let model = SavedModel::open(&source).unwrap();
    let text = scratch.path().join("text");
    let error = model.save_as(&text, Format::Text).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unsupported { .. }),
        "{error}"
    );
    assert_eq!(error.offset(), Some(at));
    assert_eq!(error.path(), Some(&*source.join("saved_model.pb")));
    assert!(!text.exists());
    let copy = ModelCopy::new(&model).format(Format::Text);
    copy.unknown_fields(UnknownFields::Drop)
        .write(&text)
        .unwrap();
    let back = scratch.path().join("back");
    SavedModel::open(&text)
        .unwrap()
        .save_as(&back, Format::Binary)
        .unwrap();
    let back = fs::read(back.join("saved_model.pb")).unwrap();
    assert_eq!(back, bytes[..at as usize]);

    // In chunks they stay.
    let split = scratch.path().join("split");
    model.save_as(&split, Format::Chunked).unwrap();
    let again = scratch.path().join("again");
    SavedModel::open(&split)
        .unwrap()
        .save_as(&again, Format::Binary)
        .unwrap();
    assert_eq!(fs::read(again.join("saved_model.pb")).unwrap(), bytes);
}

#[test]
fn what_is_in_the_place_stays_unless_it_is_a_model_to_be_replaced() {
    let scratch = Scratch::new("occupied");
    let (source, target) = (furnished(&scratch), scratch.path().join("target"));
    let model = SavedModel::open(&source).unwrap();
    fs::create_dir(&target).unwrap();
    fs::write(target.join("thesis.txt"), "years").unwrap();
    let replace = || {
        ModelCopy::new(&model)
            .format(Format::Text)
            .existing(Existing::Replace)
    };
    for copy in [ModelCopy::new(&model), replace()] {
        let error = copy.write(&target).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidArgument { .. }),
            "{error}"
        );
        assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
    }
    fs::write(target.join("saved_model.pb"), "").unwrap();
    assert!(ModelCopy::new(&model).write(&target).is_err());
    replace().write(&target).unwrap();
    assert_eq!(beside_program(&target), beside_program(&source));
    assert!(!target.join("saved_model.pb").exists());

    // Not the directory around the source.
    fs::write(scratch.path().join("saved_model.pb"), "").unwrap();
    let error = replace().write(scratch.path()).unwrap_err();
    assert!(
        error.to_string().contains("lies in this directory"),
        "{error}"
    );
    fs::remove_file(scratch.path().join("saved_model.pb")).unwrap();
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2);
}

#[test]
fn a_model_is_converted_where_it_lies() {
    let scratch = Scratch::new("in_place");
    let source = furnished(&scratch);
    let before = beside_program(&source);
    let bytes = fs::read(source.join("saved_model.pb")).unwrap();
    for format in [Format::Text, Format::Text, Format::Chunked, Format::Binary] {
        let model = SavedModel::open(&source).unwrap();
        let copied = model.save_as(source.join("."), format).unwrap();
        let len = fs::metadata(&copied.program).unwrap().len();
        assert_eq!((copied.files, copied.program_bytes), (0, len));
        assert_eq!(beside_program(&source), before);
        let there = FORMATS.map(|form| source.join(form.file_name()).exists());
        assert_eq!(there, FORMATS.map(|form| form == format));
    }
    assert_eq!(fs::read(source.join("saved_model.pb")).unwrap(), bytes);

    let model = SavedModel::open(&source).unwrap();
    let keep = |format| {
        ModelCopy::new(&model)
            .format(format)
            .other_forms(OtherForms::Keep)
    };
    keep(Format::Text).write(&source).unwrap();
    assert!(source.join("saved_model.pb").exists() && source.join("saved_model.pbtxt").exists());
    let error = model.save_as(&source, Format::Chunked).unwrap_err();
    assert_eq!(
        error.path(),
        Some(&*source.join("saved_model.pbtxt")),
        "{error}"
    );
    let copy = ModelCopy::new(&model).format(Format::Chunked);
    let copied = copy.other_forms(OtherForms::Remove).write(&source).unwrap();
    assert_eq!(copied.left_out, [Format::Text]);
    let there = FORMATS.map(|form| source.join(form.file_name()).exists());
    assert_eq!(there, [false, false, true]);
    assert_eq!(beside_program(&source), before);
}

#[test]
fn another_form_beside_the_one_that_was_opened_is_not_copied() {
    let scratch = Scratch::new("two_forms");
    let source = furnished(&scratch);
    fs::write(
        source.join("saved_model.pbtxt"),
        "saved_model_schema_version: 1",
    )
    .unwrap();
    let model = SavedModel::open(&source).unwrap();
    let target = scratch.path().join("copy");
    let copied = ModelCopy::new(&model).write(&target).unwrap();
    assert_eq!(copied.left_out, [Format::Text]);
    assert!(!target.join("saved_model.pbtxt").exists());
}

/// Values for the inputs of a signature.
fn inputs(model: &SavedModel, key: &str) -> Json {
    let signature = model.meta_graph(["serve"]).unwrap().signature(key).unwrap();
    let inputs = signature.inputs.iter().map(|(name, info)| {
        let shape = info.shape().unwrap();
        let dims = shape.dims().unwrap_or_default();
        let dtype = info.dtype;
        let mut values = match dtype {
            DType::STRING => json!("one"),
            dtype if dtype.is_floating() => json!(1.5),
            _ => json!(1),
        };
        for dim in dims.iter().rev() {
            values = json!(vec![values; dim.unwrap_or(2) as usize]);
        }
        (
            name.clone(),
            json!({"dtype": dtype.to_string(), "values": values}),
        )
    });
    Json::Object(inputs.collect())
}

#[test]
fn interop_models_in_text_run_as_they_did() {
    let scratch = Scratch::new("text_runs");
    let mut cases = Vec::new();
    for (path, key) in [
        ("fixtures/keras3_export", "serving_default"),
        ("fixtures/vocabulary", "serving_default"),
        ("fixtures/keras2_saved", "serving_default"),
        ("fixtures/v1_builder", "serving_default"),
        ("cli-goldens/models/half_plus_two", "serving_default"),
        ("cli-goldens/models/keras2_functional", "serving_default"),
    ] {
        let source = tests().join(path);
        let model = SavedModel::open(&source).unwrap();
        let key = match model.meta_graph(["serve"]).unwrap().signatures().unwrap() {
            signatures if signatures.contains_key(key) => key.to_owned(),
            signatures => signatures.keys().next().unwrap().clone(),
        };
        let name = source.file_name().unwrap();
        let target = scratch.path().join("text").join(name);
        copy(&model, &target, Format::Text).unwrap();
        for directory in [&source, &target] {
            cases.push(json!({
                "model": directory, "tags": ["serve"], "signature": key, "inputs": inputs(&model, &key)
            }));
        }
    }
    let file = scratch.path().join("cases.json");
    fs::write(&file, Json::from(cases.clone()).to_string()).unwrap();
    let Some(answers) = tensorflow::run("run_routes.py", &[&file]) else {
        return;
    };
    let answers: Vec<Json> = serde_json::from_slice(&answers).unwrap();
    let mut ran = 0;
    for (pair, cases) in answers.chunks(2).zip(cases.chunks(2)) {
        for route in ["capi", "v1", "v2", "cli"] {
            let [source, text] = [&pair[0][route], &pair[1][route]];
            if source.get("error").is_none() {
                assert_eq!(source, text, "{route}: {}", cases[1]["model"]);
                ran += 1;
            } else {
                assert!(text.get("error").is_some(), "{route}: {text}");
            }
        }
    }
    assert!(ran >= 20, "{ran}: {answers:?}");
}

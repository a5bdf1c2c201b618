//! Models that TensorFlow refuses, cannot run, or does not survive: one clear error each.

use std::fs;
use std::path::Path;

use prost::Message;
use savedmodel::ErrorKind;
use savedmodel::runtime::{LoadOptions, UnassignedVariables};

use crate::forge::{call, function, meta_graph, model, node, placeholder};
use crate::tensorflow::{Scratch, fixture, load, root, runtime};

#[test]
fn models_that_tensorflow_does_not_survive_or_notice_are_errors_interop() {
    let test = "models_that_tensorflow_does_not_survive_or_notice_are_errors_interop";
    let Some(runtime) = runtime(test) else { return };
    let through = |first: &str| vec![placeholder("x"), call("y", "x", first)];
    let sound = vec![function("f", Some("g")), function("g", None)];
    let circle = vec![function("f", Some("g")), function("g", Some("f"))];
    let own = vec![function("f", Some("f"))];
    // Nobody calls them: they do no harm.
    let aside = [
        sound.clone(),
        vec![function("a", Some("b")), function("b", Some("a"))],
    ]
    .concat();
    let scratch = Scratch::model(
        "aside",
        &model(vec![meta_graph(through("f"), aside, "y:0")]),
    );
    load(runtime, scratch.path()).unwrap();
    let one = || meta_graph(through("f"), sound.clone(), "y:0");

    let scratch = Scratch::model("sound", &model(vec![one()]));
    let bundle = load(runtime, scratch.path()).unwrap();
    let x = savedmodel::Tensor::scalar(2.5f32);
    assert_eq!(
        bundle
            .signature("serving_default")
            .unwrap()
            .run([("x", &x)])
            .unwrap()["y"],
        x
    );

    for (name, model, expected) in [
        (
            "circle",
            model(vec![meta_graph(through("f"), circle, "y:0")]),
            "functions f, g call each other in a circle",
        ),
        (
            "own",
            model(vec![meta_graph(through("f"), own, "y:0")]),
            "functions f call each other in a circle",
        ),
        (
            "absent",
            model(vec![meta_graph(vec![placeholder("x")], vec![], "z:0")]),
            "output `y` of signature `serving_default` is `z:0`",
        ),
        (
            "twice",
            model(vec![one(), one()]),
            "2 meta graphs have the tags serve",
        ),
    ] {
        let scratch = Scratch::model(name, &model);
        let error = load(runtime, scratch.path()).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Malformed { .. }),
            "{name}: {error}"
        );
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert_eq!(error.path(), Some(&*scratch.path().join("saved_model.pb")));
    }
}

#[test]
fn models_that_tensorflow_refuses_are_errors_in_its_words_interop() {
    let Some(runtime) = runtime("models_that_tensorflow_refuses_are_errors_in_its_words_interop")
    else {
        return;
    };
    let nodes = vec![placeholder("x"), node("y", "NoSuchOp", &["x"], vec![])];
    let scratch = Scratch::model("op", &model(vec![meta_graph(nodes, vec![], "y:0")]));
    let error = load(runtime, scratch.path()).unwrap_err();
    let ErrorKind::Runtime { code: 5, message } = error.kind() else {
        panic!("{error}");
    };
    assert!(
        message.contains("Op type not registered 'NoSuchOp'"),
        "{message}"
    );
    assert_eq!(error.path(), Some(scratch.path()));

    // An output that the node does not have.
    let scratch = Scratch::model(
        "output",
        &model(vec![meta_graph(vec![placeholder("x")], vec![], "x:7")]),
    );
    let bundle = load(runtime, scratch.path()).unwrap();
    let error = bundle.signature("serving_default").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("output 7 of the node `x` not found"),
        "{error}"
    );

    let error = load(runtime, Path::new("/nonexistent")).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
    let error = LoadOptions::default()
        .load(runtime, fixture("module"), ["gpu"])
        .unwrap_err();
    assert!(error.to_string().contains("the model has"), "{error}");
}

fn copy(from: &Path, to: &Path, skip: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == skip {
            continue;
        }
        match from.is_dir() {
            true => copy(&from, &to, skip),
            false => fs::copy(&from, &to).map(drop).unwrap(),
        }
    }
}

#[test]
fn missing_files_of_a_model_are_errors_that_name_them_interop() {
    let Some(runtime) = runtime("missing_files_of_a_model_are_errors_that_name_them_interop")
    else {
        return;
    };
    for (name, file) in [
        ("v1_builder", "variables/variables.index"),
        ("module", "variables/variables.index"),
        ("vocabulary", "assets/words.txt"),
    ] {
        let scratch = Scratch::new("missing");
        let file = Path::new(file);
        let directory = scratch.path().join("model");
        let skip = match name {
            "vocabulary" => {
                let assets = fs::read_dir(fixture(name).join("assets")).unwrap();
                assets
                    .map(|entry| entry.unwrap().file_name())
                    .next()
                    .unwrap()
            }
            _ => file.file_name().unwrap().to_owned(),
        };
        copy(&fixture(name), &directory, skip.to_str().unwrap());
        let error = load(runtime, &directory).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::NotFound { .. }),
            "{name}: {error}"
        );
        let expected = directory.join(file).with_file_name(skip);
        assert_eq!(error.path(), Some(&*expected), "{name}: {error}");
    }
    // The data of variables are TensorFlow's to miss.
    let scratch = Scratch::new("missing-shard");
    copy(
        &fixture("module"),
        scratch.path(),
        "variables.data-00000-of-00001",
    );
    let error = load(runtime, scratch.path()).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Runtime { code: 5, .. }),
        "{error}"
    );
}

#[test]
fn a_keras_3_model_without_values_is_recognised_explained_and_healed_interop() {
    let test = "a_keras_3_model_without_values_is_recognised_explained_and_healed_interop";
    let Some(runtime) = runtime(test) else { return };
    let directory = fixture("keras3_saved");
    let error = load(runtime, &directory).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Malformed { .. }),
        "{error}"
    );
    let text = error.to_string();
    for part in [
        "`serving_default` reads the variables",
        "Keras 3",
        "UnassignedVariables::Assign",
    ] {
        assert!(text.contains(part), "{text}");
    }

    let load = |policy| {
        let options = LoadOptions::default().unassigned_variables(policy);
        options.load(runtime, &directory, ["serve"]).unwrap()
    };
    // What would happen otherwise.
    let left = load(UnassignedVariables::Leave);
    let signature = left.signature("serving_default").unwrap();
    let inputs: Vec<(String, savedmodel::Tensor)> = signature
        .inputs()
        .map(|(name, _, shape)| {
            let dims = shape.dims().unwrap().iter().map(|dim| dim.unwrap_or(2));
            let dims: Vec<u64> = dims.collect();
            let values = vec![0.5f32; dims.iter().product::<u64>() as usize];
            (
                name.to_owned(),
                savedmodel::Tensor::from_slice(dims, &values).unwrap(),
            )
        })
        .collect();
    let error = signature.run(inputs.clone()).unwrap_err();
    assert!(
        error.to_string().contains("Could not find variable"),
        "{error}"
    );
    assert!(left.assigned_variables().is_empty());

    let healed = load(UnassignedVariables::Assign);
    assert!(!healed.assigned_variables().is_empty());
    let signature = healed.signature("serving_default").unwrap();
    let outputs = signature.run(inputs.clone()).unwrap();
    // A function of the model captures the same variables. That the values are Python's is compared
    // for all fixtures.
    let values: Vec<_> = inputs
        .into_iter()
        .map(|(_, tensor)| tensor.into())
        .collect();
    let function = healed.function("_default_save_signature").unwrap();
    let called = function.call(values, []);
    let called = called.unwrap();
    let called = called.flatten()[0].as_tensor().unwrap().clone();
    let (_, tensor) = outputs.iter().next().unwrap();
    assert_eq!(
        tensor.values::<f32>().unwrap(),
        called.values::<f32>().unwrap()
    );
}

/// Also those of the fixtures that have several meta graphs, and old ones.
#[test]
fn no_fixture_has_unassigned_variables_but_those_of_keras_3_interop() {
    let Some(runtime) = runtime("no_fixture_has_unassigned_variables_but_those_of_keras_3_interop")
    else {
        return;
    };
    let mut refused = Vec::new();
    for place in ["fixtures", "cli-goldens/models"] {
        let mut directories: Vec<_> = fs::read_dir(root().join("tests").join(place))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("saved_model.pb").exists())
            .collect();
        directories.sort();
        for directory in directories {
            if let Err(error) = load(runtime, &directory)
                && error
                    .to_string()
                    .contains("to which loading gives no value")
            {
                refused.push(directory.file_name().unwrap().to_owned());
            }
        }
    }
    // Two are without `variables/` on purpose.
    println!("{refused:?}");
    assert!(
        refused.iter().any(|name| name == "keras3_saved"),
        "{refused:?}"
    );
    assert!(
        refused.iter().any(|name| name == "keras3_functional_multi"),
        "{refused:?}"
    );
    assert!(refused.len() <= 4, "{refused:?}");
}

/// What the check is for: run it alone to see the process end.
#[test]
#[ignore = "ends the process"]
fn tensorflow_does_not_survive_a_circle_of_functions() {
    let circle = vec![function("f", Some("g")), function("g", Some("f"))];
    let nodes = vec![placeholder("x"), call("y", "x", "f")];
    let model = model(vec![meta_graph(nodes, circle, "y:0")]);
    let directory = std::env::temp_dir().join("savedmodel-circle");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("saved_model.pb"), model.encode_to_vec()).unwrap();
    let python = std::env::var_os("SAVEDMODEL_TF_PYTHON").unwrap();
    let code = "import sys, tensorflow as tf; s = tf.compat.v1.Session(graph=tf.Graph()); \
                s.graph.as_default().__enter__(); \
                tf.compat.v1.saved_model.load(s, ['serve'], sys.argv[1]); print(s.run('y:0', {'x:0': 1.0}))";
    let status = std::process::Command::new(python)
        .args(["-c", code])
        .arg(&directory)
        .status();
    fs::remove_dir_all(&directory).unwrap();
    assert!(!status.unwrap().success());
}

//! Every signature and function of every fixture, beside Python's TensorFlow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use savedmodel::object_graph::StructuredValue;
use savedmodel::runtime::{LoadOptions, Runtime, SavedModelBundle, UnassignedVariables};
use savedmodel::{DType, Tensor};
use serde_json::Value;

use crate::tensorflow::{Scratch, root, run, runtime};

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn tensor(row: &Value) -> Tensor {
    let dtype = DType::from_number(row["dtype"].as_i64().unwrap() as i32);
    let shape: Vec<u64> = serde_json::from_value(row["shape"].clone()).unwrap();
    match row["elements_hex"].as_array() {
        Some(elements) => {
            let elements = elements
                .iter()
                .map(|element| unhex(element.as_str().unwrap()));
            Tensor::from_strings(shape, elements).unwrap()
        }
        None => {
            let mut bytes = unhex(row["data_hex"].as_str().unwrap());
            mask(dtype, &mut bytes);
            Tensor::from_bytes(dtype, shape, bytes).unwrap()
        }
    }
}

/// Of types narrower than a byte the low bits count.
fn mask(dtype: DType, bytes: &mut [u8]) {
    let bits = dtype.bits().unwrap_or(8).min(8);
    bytes
        .iter_mut()
        .for_each(|byte| *byte &= (0xffu16 >> (8 - bits)) as u8);
}

fn same(ours: &Tensor, row: &Value) -> bool {
    let theirs = tensor(row);
    match ours.bytes() {
        Some(bytes) if ours.dtype().bits().is_some_and(|bits| bits < 8) => {
            let mut bytes = bytes.to_vec();
            mask(ours.dtype(), &mut bytes);
            Tensor::from_bytes(ours.dtype(), ours.shape(), bytes).unwrap() == theirs
        }
        _ => *ours == theirs,
    }
}

/// Python runs functions without the optimizer of sessions, which turns `x + v + v` into `x + 2 v`.
fn close(ours: &Tensor, row: &Value) -> bool {
    let theirs = tensor(row);
    let (Some(a), Some(b)) = (ours.as_slice::<f32>(), theirs.as_slice::<f32>()) else {
        return false;
    };
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6 * b.abs();
    ours.shape() == theirs.shape() && a.iter().zip(b).all(near)
}

fn argument(row: &Value) -> StructuredValue {
    let all = |rows: &Value| rows.as_array().unwrap().iter().map(argument).collect();
    if row["tensor"].is_object() {
        return tensor(&row["tensor"]).into();
    }
    if row["list"].is_array() {
        return StructuredValue::List(all(&row["list"]));
    }
    if row["tuple"].is_array() {
        return StructuredValue::Tuple(all(&row["tuple"]));
    }
    if let Some(entries) = row["dict"].as_object() {
        let entries = entries
            .iter()
            .map(|(name, row)| (name.clone(), argument(row)));
        return StructuredValue::Dict(entries.collect());
    }
    if let Some(bits) = row["float_hex"].as_str() {
        return f64::from_bits(u64::from_str_radix(bits, 16).unwrap()).into();
    }
    match row["type"].as_str().unwrap() {
        "NoneType" => StructuredValue::None,
        "bool" => row["value"].as_bool().unwrap().into(),
        "int" => row["value"].as_i64().unwrap().into(),
        "str" => row["value"].as_str().unwrap().into(),
        other => panic!("{other}"),
    }
}

/// Runs a row's signature and returns what differs.
fn check_signature(bundle: &SavedModelBundle, row: &Value) -> Option<String> {
    let inputs = row["inputs"].as_object();
    let inputs = inputs
        .into_iter()
        .flatten()
        .map(|(name, row)| (name, tensor(row)));
    let key = row["key"].as_str().unwrap();
    let outputs = bundle
        .signature(key)
        .and_then(|signature| signature.run(inputs));
    let outputs = match (outputs, row["error"].as_str()) {
        (Err(_), Some(_)) => return None,
        (Ok(_), Some(error)) => return Some(format!("runs here, but not in Python: {error}")),
        (Err(error), None) => return Some(error.to_string()),
        (Ok(outputs), None) => outputs,
    };
    let expected = row["outputs"].as_object().unwrap();
    let names: BTreeSet<&str> = outputs.iter().map(|(name, _)| name).collect();
    if !names
        .iter()
        .copied()
        .eq(expected.keys().map(String::as_str).collect::<BTreeSet<_>>())
    {
        return Some(format!(
            "outputs {names:?} instead of {:?}",
            expected.keys()
        ));
    }
    outputs.iter().find_map(|(name, ours)| {
        // The signature for evaluation reads a metric while another node updates it.
        let races = name.starts_with("metrics/") && key == "eval";
        let differs = !races && !same(ours, &expected[name]);
        differs.then(|| format!("{name}: {ours:?} instead of {}", expected[name]))
    })
}

fn check_function(bundle: &SavedModelBundle, row: &Value) -> Option<String> {
    let positional = row["args"].as_array().unwrap().iter().map(argument);
    let keywords = row["kwargs"].as_object().unwrap().iter();
    let keywords = keywords.map(|(name, row)| (name.as_str(), argument(row)));
    let path = row["path"].as_str().unwrap();
    let result = bundle
        .function(path)
        .and_then(|function| function.call(positional, keywords));
    let result = match (result, row["error"].as_str()) {
        (Err(_), Some(_)) => return None,
        // What Python can run and cannot return.
        (Ok(_), Some(error)) if error.contains("Dimension -9223372036854775808") => return None,
        (Ok(_), Some(error)) => return Some(format!("runs here, but not in Python: {error}")),
        (Err(error), None) => return Some(error.to_string()),
        (Ok(result), None) => result,
    };
    let ours: Vec<&Tensor> = result
        .flatten()
        .into_iter()
        .filter_map(StructuredValue::as_tensor)
        .collect();
    let theirs = row["results"].as_array().unwrap();
    let equal = ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(ours, row)| same(ours, row) || close(ours, row));
    (!equal).then(|| format!("{ours:?} instead of {theirs:?}"))
}

/// Loads what Python loads; `Err` with what is wrong otherwise.
fn check_load(
    runtime: Runtime,
    model: &Path,
    row: &Value,
) -> Result<Option<SavedModelBundle>, String> {
    let tags: Vec<String> = serde_json::from_value(row["tags"].clone()).unwrap();
    let loaded = LoadOptions::default()
        .unassigned_variables(UnassignedVariables::Assign)
        .load(runtime, model, &tags);
    match (loaded, row["load_error"].as_str()) {
        (Ok(bundle), None) => Ok(Some(bundle)),
        // Python's loaders are stricter in some things: they are no measure here.
        (_, Some(_)) => Ok(None),
        // Python builds functions alone, without the graph that has the op.
        (Err(error), None)
            if row["kind"] == "function"
                && error.to_string().contains("Op type not registered") =>
        {
            Ok(None)
        }
        (Err(error), None) => Err(error.to_string()),
    }
}

#[test]
fn every_fixture_computes_what_it_does_in_python_interop() {
    let Some(runtime) = runtime("every_fixture_computes_what_it_does_in_python_interop") else {
        return;
    };
    let scratch = Scratch::new("rows");
    let rows = scratch.path().join("rows.jsonl");
    let tests = root().join("tests");
    let (fixtures, goldens) = (tests.join("fixtures"), tests.join("cli-goldens/models"));
    run("run_models.py", &[&rows, &fixtures, &goldens]);

    let mut loads: BTreeMap<String, Option<SavedModelBundle>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for line in fs::read_to_string(&rows).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let model = row["model"].as_str().unwrap();
        let kind = row["kind"].as_str().unwrap();
        let name = format!("{model} {kind} {}", row["tags"]);
        let bundle = loads.entry(name.clone()).or_insert_with(|| {
            check_load(runtime, Path::new(model), &row).unwrap_or_else(|fault| {
                faults.push(format!("{name}: {fault}"));
                None
            })
        });
        let Some(bundle) = bundle else { continue };
        let (what, fault) = match (kind, row["skipped"].is_string()) {
            (_, true) => ("skipped", None),
            ("signature", _) => ("signature", check_signature(bundle, &row)),
            _ => ("function", check_function(bundle, &row)),
        };
        let what = match (what, row["error"].is_string()) {
            ("signature", true) => "signature that fails in Python",
            ("function", true) => "function that fails in Python",
            (what, _) => what,
        };
        *counts.entry(what).or_default() += 1;
        let what = row["key"]
            .as_str()
            .or(row["path"].as_str())
            .unwrap_or_default();
        faults.extend(fault.map(|fault| format!("{name} {what}: {fault}")));
    }
    println!("{counts:#?}");
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(
        counts["signature"] > 50 && counts["function"] > 20,
        "{counts:?}"
    );
}

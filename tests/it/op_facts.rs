//! The table of ops against TensorFlow's registry, and against what it printed of it.

use std::collections::BTreeMap;

use prost::Message;
use savedmodel::proto::{AttrValue, OpList, attr_value::Value};
use savedmodel::{DType, op};

/// Builds for GPUs register these too; the table has what every build has.
const GPU_BUILDS_ONLY: [&str; 2] = ["_CopyFromGpuToHost", "_CopyFromHostToGpu"];

#[test]
fn interop_ops_equal_those_of_tensorflow_field_by_field() {
    let Some(bytes) = crate::tensorflow::run("dump_ops.py", &[]) else {
        return;
    };
    let registered: BTreeMap<_, _> = OpList::decode(&bytes[..])
        .unwrap()
        .op
        .into_iter()
        .filter(|op| !GPU_BUILDS_ONLY.contains(&&*op.name))
        .map(|op| (op.name.clone(), op))
        .collect();
    for (name, op) in &registered {
        assert_eq!(op::find(name).unwrap().to_proto(), *op);
    }
    assert_eq!(registered.len(), op::all().count());
}

/// As `gen_ops.py` prints it: `1`, `N=attr:default`, `L=attr:default` per output.
fn outputs(op: &op::OpFacts) -> String {
    let columns: Vec<String> = op
        .outputs()
        .map(|output| {
            let (letter, name) = match (output.number_attr(), output.type_list_attr()) {
                (Some(name), _) => ('N', name),
                (None, Some(name)) => ('L', name),
                (None, None) => return "1".to_owned(),
            };
            let default = op.attr(name).unwrap().default();
            match default.and_then(|default| default.value) {
                Some(Value::I(number)) => format!("{letter}={name}:{number}"),
                Some(Value::List(list)) => format!("{letter}={name}:{}", list.r#type.len()),
                None => format!("{letter}={name}"),
                other => panic!("{}: {other:?}", op.name()),
            }
        })
        .collect();
    match columns.is_empty() {
        true => "-".to_owned(),
        false => columns.join(","),
    }
}

/// Inputs and attrs that hold strings and are named like something outside the graph.
fn resource_names(op: &op::OpFacts) -> String {
    const HINTS: [&str; 10] = [
        "file",
        "path",
        "pattern",
        "address",
        "url",
        "dir",
        "prefix",
        "source_name",
        "memory_region",
        "output_stream",
    ];
    let inputs = op
        .inputs()
        .filter(|input| input.dtype() == Some(DType::STRING))
        .map(|input| input.name());
    let attrs = op
        .attrs()
        .filter(|attr| matches!(attr.type_name(), "string" | "list(string)"))
        .map(|attr| attr.name());
    let names: Vec<&str> = inputs
        .chain(attrs)
        .filter(|name| HINTS.iter().any(|hint| name.contains(hint)))
        .collect();
    names.join(",")
}

#[test]
fn ops_equal_what_was_printed_of_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ops_tf2.21.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let printed: Vec<&str> = text.lines().skip(1).collect();
    let ours: Vec<String> = op::all()
        .map(|op| {
            let stateful = u8::from(op.is_stateful());
            let (outputs, resources) = (outputs(&op), resource_names(&op));
            format!("{}\t{outputs}\t{stateful}\t{resources}", op.name())
        })
        .collect();
    assert_eq!(printed.len(), 1908);
    assert_eq!(ours, printed);
}

#[test]
fn defaults_and_allowed_values() {
    let value = |value| Some(AttrValue { value: Some(value) });
    let matmul = op::find("MatMul").unwrap();
    assert_eq!(
        matmul.attr("transpose_a").unwrap().default(),
        value(Value::B(false))
    );
    let element_type = matmul.attr("T").unwrap();
    assert_eq!(element_type.default(), None);
    let Some(Value::List(allowed)) = element_type.allowed_values().unwrap().value else {
        panic!("not a list");
    };
    assert!(allowed.r#type.contains(&DType::BFLOAT16.number()));
    assert!(!allowed.r#type.contains(&DType::STRING.number()));

    let cast = op::find("Cast").unwrap();
    assert_eq!(
        cast.attr("Truncate").unwrap().default(),
        value(Value::B(false))
    );
    let csv = op::find("DecodeCSV").unwrap();
    assert_eq!(
        csv.attr("field_delim").unwrap().default(),
        value(Value::S(",".into()))
    );
    let concat = op::find("ConcatV2").unwrap();
    assert_eq!(concat.attr("N").unwrap().minimum(), Some(2));
}

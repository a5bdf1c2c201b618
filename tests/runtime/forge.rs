//! Small models, put together from messages.

use savedmodel::proto::attr_value::Value;
use savedmodel::proto::function_def::RetEntry;
use savedmodel::proto::meta_graph_def::{MetaInfoDef, SignatureDefEntry};
use savedmodel::proto::node_def::AttrEntry;
use savedmodel::proto::{
    self, AttrValue, FunctionDef, FunctionDefLibrary, GraphDef, MetaGraphDef, NameAttrList,
    NodeDef, OpDef, SavedModel, op_def::ArgDef,
};
use savedmodel::{DType, PartialShape, Signature, TensorInfo};

pub(crate) fn attr(key: &str, value: Value) -> AttrEntry {
    AttrEntry {
        key: Some(key.to_owned()),
        value: Some(AttrValue { value: Some(value) }),
    }
}

pub(crate) fn node(name: &str, op: &str, input: &[&str], attr: Vec<AttrEntry>) -> NodeDef {
    NodeDef {
        name: name.to_owned(),
        op: op.to_owned(),
        input: input.iter().map(|input| (*input).to_owned()).collect(),
        attr,
        ..Default::default()
    }
}

/// An attribute that names a dtype.
pub(crate) fn dtype(key: &str, dtype: DType) -> AttrEntry {
    attr(key, Value::Type(dtype.number()))
}

pub(crate) fn shape(key: &str, dims: &[i64]) -> AttrEntry {
    let shape = PartialShape::try_from(dims).unwrap();
    attr(key, Value::Shape(Box::new(shape.to_proto())))
}

pub(crate) fn placeholder(name: &str) -> NodeDef {
    let dtype = dtype("dtype", DType::FLOAT);
    node(name, "Placeholder", &[], vec![dtype])
}

pub(crate) fn call(name: &str, input: &str, function: &str) -> NodeDef {
    let types = || {
        Value::List(Box::new(proto::attr_value::ListValue {
            r#type: vec![DType::FLOAT.number()],
            ..Default::default()
        }))
    };
    let function = Value::Func(Box::new(NameAttrList {
        name: function.to_owned(),
        ..Default::default()
    }));
    let attrs = vec![
        attr("Tin", types()),
        attr("Tout", types()),
        attr("f", function),
    ];
    node(name, "PartitionedCall", &[input], attrs)
}

/// A function that passes its argument to another one, or back.
pub(crate) fn function(name: &str, callee: Option<&str>) -> FunctionDef {
    let argument = |name: &str| ArgDef {
        name: name.to_owned(),
        r#type: DType::FLOAT.number(),
        ..Default::default()
    };
    FunctionDef {
        signature: Some(OpDef {
            name: name.to_owned(),
            input_arg: vec![argument("x")],
            output_arg: vec![argument("y")],
            ..Default::default()
        }),
        node_def: callee
            .map(|callee| call("call", "x", callee))
            .into_iter()
            .collect(),
        ret: vec![RetEntry {
            key: Some("y".to_owned()),
            value: Some(
                if callee.is_some() {
                    "call:output:0"
                } else {
                    "x"
                }
                .to_owned(),
            ),
        }],
        ..Default::default()
    }
}

/// A graph with the signature `serving_default` from `x:0` to the tensor named.
pub(crate) fn meta_graph(
    nodes: Vec<NodeDef>,
    functions: Vec<FunctionDef>,
    output: &str,
) -> MetaGraphDef {
    let info = |name: &str| TensorInfo::new(name, DType::FLOAT, &PartialShape::UNKNOWN);
    let signature = Signature::new(
        [("x".to_owned(), info("x:0"))],
        [("y".to_owned(), info(output))],
        "tensorflow/serving/predict",
    );
    MetaGraphDef {
        meta_info_def: Some(MetaInfoDef {
            tags: vec!["serve".to_owned()],
            ..Default::default()
        }),
        graph_def: Some(GraphDef {
            node: nodes,
            library: Some(FunctionDefLibrary {
                function: functions,
                ..Default::default()
            }),
            ..Default::default()
        }),
        signature_def: vec![SignatureDefEntry {
            key: Some("serving_default".to_owned()),
            value: Some(signature.to_proto()),
        }],
        ..Default::default()
    }
}

pub(crate) fn model(meta_graphs: Vec<MetaGraphDef>) -> SavedModel {
    SavedModel {
        saved_model_schema_version: 1,
        meta_graphs,
    }
}

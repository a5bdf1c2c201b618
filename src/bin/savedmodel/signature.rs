use std::io::{self, Write};
use std::path::Path;

use savedmodel::inspect::{SampleOptions, SampleRequest, SignatureEncoding, SignatureTensor};
use savedmodel::{MetaGraph, Result};
use serde::Serialize;

use crate::args::{self, Sample};
use crate::failure::{Failure, Outcome};
use crate::table::{Align, Table};
use crate::text::Escaped;
use crate::{json, path, show};

/// `savedmodel signature`.
pub(crate) fn run(args: &args::Signature, out: &mut impl Write) -> Result<Outcome, Failure> {
    let model = path::model(&args.path)?;
    let meta_graph = match &args.tag_set {
        Some(tags) => show::tagged(&model, tags)?,
        None => show::only_meta_graph(&model)?,
    };
    let key = match &args.name {
        Some(name) => name.clone(),
        None => default_key(meta_graph)?,
    };
    let name = match &args.model_name {
        Some(name) => name.clone(),
        None => served_name(model.path()),
    };
    let sample = SampleOptions::new(name)
        .batch(args.batch)
        .of(meta_graph, &key)?;
    if args.json {
        let document = Document {
            path: model.path().to_string_lossy().into_owned(),
            tags: meta_graph.tags()?.into_iter().map(str::to_owned).collect(),
            sample,
        };
        json::document(out, "signature_sample", 1, &document)?;
        return Ok(Outcome::Sound);
    }
    match args.sample {
        None => write(out, &sample)?,
        Some(part) => {
            let obstacle = write_part(out, &sample, part)?;
            if let Some(obstacle) = obstacle {
                return Ok(Outcome::Damaged(format!(
                    "there is no such request: {obstacle}"
                )));
            }
        }
    }
    Ok(Outcome::Sound)
}

/// What `savedmodel signature --json` prints.
#[derive(Serialize)]
struct Document {
    path: String,
    tags: Vec<String>,
    #[serde(flatten)]
    sample: SampleRequest,
}

/// Returns the signature that is meant if none is named.
pub(crate) fn default_key(meta_graph: MetaGraph<'_>) -> Result<String, Failure> {
    let mut keys = meta_graph.signature_keys()?;
    // Signatures of that kind mark an op, and answer no requests.
    keys.retain(|key| !key.starts_with("__saved_model_"));
    match &keys[..] {
        [only] => Ok(only.clone()),
        keys if keys.iter().any(|key| key == DEFAULT) => Ok(DEFAULT.to_owned()),
        [] => Err(Failure::Usage("the meta graph has no signatures".into())),
        keys => {
            let names = keys.iter().take(SHOWN_KEYS);
            let names: Vec<&str> = names.map(String::as_str).collect();
            let more = if keys.len() > names.len() {
                ", …"
            } else {
                ""
            };
            Err(Failure::Usage(
                format!(
                    "none of the signatures is called {DEFAULT}: name one of {}{more}",
                    names.join(", ")
                )
                .into(),
            ))
        }
    }
}

const DEFAULT: &str = "serving_default";
/// So many signatures are named if none is meant.
const SHOWN_KEYS: usize = 10;

/// Returns the name of the model's directory; a version's is that of the directory it lies in.
fn served_name(path: &Path) -> String {
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = |path: &Path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        (!name.is_empty()).then_some(name)
    };
    let own = name(&absolute);
    let is_version = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
    let above = match own.as_ref().is_some_and(is_version) {
        true => absolute.parent().and_then(name),
        false => None,
    };
    above.or(own).unwrap_or_else(|| "model".to_owned())
}

/// Writes a part; returns why there is none.
fn write_part(
    out: &mut impl Write,
    sample: &SampleRequest,
    part: Sample,
) -> io::Result<Option<String>> {
    match (part, &sample.rest, &sample.grpc) {
        (Sample::Rest, Some(body), _) => writeln!(out, "{body}")?,
        (Sample::Grpc, _, Some(text)) => out.write_all(text.as_bytes())?,
        (Sample::Rest, None, _) => return Ok(sample.rest_obstacle.clone()),
        (Sample::Grpc, _, None) => return Ok(sample.grpc_obstacle.clone()),
        (Sample::Examples, ..) => {
            if sample.examples.is_empty() {
                let why = "no input of the signature is parsed as tf.Example";
                return Ok(Some(why.to_owned()));
            }
            for example in &sample.examples {
                writeln!(out, "{}", example.example)?;
            }
        }
    }
    Ok(None)
}

fn write<W: Write>(out: &mut W, sample: &SampleRequest) -> io::Result<()> {
    let signature = &sample.signature;
    writeln!(out, "{}", Escaped(signature.key.as_bytes()))?;
    let method = Escaped(signature.method_name.as_bytes());
    writeln!(out, "method: {method}\n")?;
    let mut table = Table::new([
        ("", Align::Left),
        ("name", Align::Left),
        ("type", Align::Left),
        ("tensor", Align::Left),
        ("", Align::Left),
    ]);
    let inputs = signature.inputs.iter().map(|tensor| row("input", tensor));
    let outputs = signature.outputs.iter().map(|tensor| row("output", tensor));
    let rows: Vec<[String; 5]> = inputs.chain(outputs).collect();
    rows.iter().for_each(|row| table.measure(row));
    table.write_titles(out)?;
    for row in &rows {
        table.write(out, row)?;
    }
    for example in &sample.examples {
        let kind = match example.sequence {
            true => "tf.SequenceExample",
            false => "tf.Example",
        };
        let input = Escaped(example.input.as_bytes());
        writeln!(out, "\n{input} takes {kind} messages, serialized, with")?;
        for feature in &example.features {
            writeln!(out, "  {}", Escaped(feature.as_bytes()))?;
        }
    }
    writeln!(out, "\nREST: POST {}", sample.url_path)?;
    write_sample(
        out,
        "rest",
        sample.rest.as_deref(),
        sample.rest_obstacle.as_deref(),
    )?;
    writeln!(out, "\ngRPC: {}", sample.grpc_method)?;
    write_sample(
        out,
        "grpc",
        sample.grpc.as_deref(),
        sample.grpc_obstacle.as_deref(),
    )
}

/// Samples up to so many bytes are shown with the signature.
const SHOWN: usize = 4000;

fn write_sample<W: Write>(
    out: &mut W,
    part: &str,
    sample: Option<&str>,
    obstacle: Option<&str>,
) -> io::Result<()> {
    match sample {
        Some(text) if text.len() <= SHOWN => {
            let end = if text.ends_with('\n') { "" } else { "\n" };
            write!(out, "{text}{end}")
        }
        Some(text) => writeln!(out, "{} bytes; --sample {part} prints them", text.len()),
        None => {
            let obstacle = Escaped(obstacle.unwrap_or_default().as_bytes()).to_string();
            writeln!(out, "none: {obstacle}")
        }
    }
}

fn row(side: &str, tensor: &SignatureTensor) -> [String; 5] {
    let place = match &tensor.encoding {
        SignatureEncoding::Dense { tensor, .. } => tensor.clone(),
        SignatureEncoding::Sparse {
            values,
            indices,
            dense_shape,
            ..
        } => format!("values {values}, indices {indices}, dense_shape {dense_shape}"),
        SignatureEncoding::Composite { components, .. } => {
            format!("{} tensors", components.len())
        }
        _ => String::new(),
    };
    let escaped = |text: &str| Escaped(text.as_bytes()).to_string();
    let default = if tensor.has_default {
        "has a default"
    } else {
        ""
    };
    [
        side.to_owned(),
        escaped(&tensor.name),
        escaped(&tensor.type_text),
        escaped(&place),
        default.to_owned(),
    ]
}

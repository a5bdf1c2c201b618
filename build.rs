//! Compiles `protos/` into the types of the `proto` module, in pure Rust.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};

use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, FileDescriptorSet, OneofDescriptorProto};

const PROTOS: &str = "protos";

/// Oneof arms that would make every value of their message large.
const BOXED: [&str; 9] = [
    ".tensorflow.AttrValue.value.tensor",
    ".tensorflow.AttrValue.value.func",
    ".tensorflow.AttrValue.value.list",
    ".tensorflow.AttrValue.value.shape",
    ".tensorflow.SavedObject.kind.function",
    ".tensorflow.SavedObject.kind.bare_concrete_function",
    ".tensorflow.StructuredValue.kind.bounded_tensor_spec_value",
    ".tensorflow.StructuredValue.kind.tensor_value",
    ".tensorflow.StructuredValue.kind.numpy_value",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTOS}");
    let schema = parse()?;
    generate_messages(schema)?;
    Ok(())
}

/// The schema as its authors meant it: maps are still maps.
fn parse() -> Result<FileDescriptorSet, Box<dyn Error>> {
    let mut paths = Vec::new();
    collect_protos(Path::new(PROTOS), &mut paths)?;
    paths.sort();

    let mut compiler = protox::Compiler::new([PROTOS])?;
    compiler.include_imports(true).include_source_info(false);
    compiler.open_files(paths)?;
    Ok(compiler.file_descriptor_set())
}

fn collect_protos(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_protos(&path, paths)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            paths.push(path);
        }
    }
    Ok(())
}

fn generate_messages(mut schema: FileDescriptorSet) -> io::Result<()> {
    for message in schema
        .file
        .iter_mut()
        .flat_map(|file| &mut file.message_type)
    {
        adapt_message(message);
    }

    let mut config = prost_build::Config::new();
    config
        .bytes(["."])
        .compile_well_known_types()
        .include_file("messages.rs");
    for path in BOXED {
        config.boxed(path);
    }
    config.compile_fds(schema)
}

fn adapt_message(message: &mut DescriptorProto) {
    message.nested_type.iter_mut().for_each(adapt_message);

    // Old files fill deprecated fields, so a reader must be able to name them without a warning.
    for options in message
        .field
        .iter_mut()
        .flat_map(|field| &mut field.options)
    {
        options.deprecated = None;
    }

    if let Some(options) = &mut message.options
        && options.map_entry.take() == Some(true)
    {
        make_fields_explicit(message);
    }
}

/// Lets the fields of a former map entry keep a default value that stands in a file.
///
/// TensorFlow writes key and value of each entry, and prost would drop what equals the default.
fn make_fields_explicit(entry: &mut DescriptorProto) {
    for field in &mut entry.field {
        debug_assert_eq!(field.label(), Label::Optional);
        field.proto3_optional = Some(true);
        field.oneof_index = Some(entry.oneof_decl.len() as i32);
        entry.oneof_decl.push(OneofDescriptorProto {
            name: Some(format!("_{}", field.name())),
            options: None,
        });
    }
}

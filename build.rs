//! Compiles `protos/` into the types of the `proto` module, in pure Rust.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    OneofDescriptorProto,
};

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
    let tables = Schema::new(&schema)?.tables()?;
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("descriptor_tables.rs"), tables)?;
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

/// All messages and enums by full name, for the tables `src/wire/descriptor.rs` includes.
struct Schema<'a> {
    messages: Vec<(String, &'a DescriptorProto, Syntax)>,
    enums: Vec<(String, &'a EnumDescriptorProto)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Syntax {
    Proto2,
    Proto3,
}

impl<'a> Schema<'a> {
    fn new(files: &'a FileDescriptorSet) -> Result<Self, Box<dyn Error>> {
        let mut schema = Schema {
            messages: Vec::new(),
            enums: Vec::new(),
        };
        for file in &files.file {
            let syntax = match file.syntax() {
                "" | "proto2" => Syntax::Proto2,
                "proto3" => Syntax::Proto3,
                other => return Err(unsupported(file.name(), other)),
            };
            // The enums of such a file would be closed, and the tables have no place for that.
            if syntax == Syntax::Proto2 && !file.enum_type.is_empty() {
                return Err(unsupported(file.name(), "a proto2 enum"));
            }
            for message in &file.message_type {
                schema.add_message(file.package(), message, syntax)?;
            }
            for kind in &file.enum_type {
                schema.add_enum(file.package(), kind);
            }
        }
        schema.messages.sort_by(|a, b| a.0.cmp(&b.0));
        schema.enums.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(schema)
    }

    fn add_message(
        &mut self,
        scope: &str,
        message: &'a DescriptorProto,
        syntax: Syntax,
    ) -> Result<(), Box<dyn Error>> {
        let name = format!("{scope}.{}", message.name());
        if syntax == Syntax::Proto2 && !message.enum_type.is_empty() {
            return Err(unsupported(&name, "a proto2 enum"));
        }
        if !message.extension.is_empty() || !message.extension_range.is_empty() {
            return Err(unsupported(&name, "extensions"));
        }
        for nested in &message.nested_type {
            self.add_message(&name, nested, syntax)?;
        }
        for kind in &message.enum_type {
            self.add_enum(&name, kind);
        }
        self.messages.push((name, message, syntax));
        Ok(())
    }

    fn add_enum(&mut self, scope: &str, kind: &'a EnumDescriptorProto) {
        self.enums.push((format!("{scope}.{}", kind.name()), kind));
    }

    fn tables(&self) -> Result<String, Box<dyn Error>> {
        fn indices<'b>(names: impl Iterator<Item = &'b String>) -> HashMap<&'b str, usize> {
            names.enumerate().map(|(i, name)| (&name[..], i)).collect()
        }
        let messages = indices(self.messages.iter().map(|message| &message.0));
        let enums = indices(self.enums.iter().map(|kind| &kind.0));

        let mut out = String::new();
        writeln!(out, "static MESSAGES: &[Message] = &[")?;
        for (name, message, syntax) in &self.messages {
            write_message(&mut out, name, message, *syntax, &messages, &enums)?;
        }
        writeln!(out, "];\nstatic ENUMS: &[Enum] = &[")?;
        for (name, kind) in &self.enums {
            write_enum(&mut out, name, kind)?;
        }
        writeln!(out, "];")?;
        Ok(out)
    }
}

fn write_message(
    out: &mut String,
    name: &str,
    message: &DescriptorProto,
    syntax: Syntax,
    messages: &HashMap<&str, usize>,
    enums: &HashMap<&str, usize>,
) -> Result<(), Box<dyn Error>> {
    let mut fields: Vec<_> = message.field.iter().collect();
    fields.sort_by_key(|field| field.number());
    let mut by_name: Vec<_> = (0..fields.len()).collect();
    by_name.sort_by_key(|&i| fields[i].name());
    let oneofs: Vec<_> = message
        .oneof_decl
        .iter()
        .map(|oneof| oneof.name())
        .collect();
    let is_map_entry = message.options.as_ref().is_some_and(|o| o.map_entry());

    // C++ lets strings of the older syntax hold any bytes.
    let checks_utf8 = syntax == Syntax::Proto3;
    write!(out, "Message{{name:{name:?},is_map_entry:{is_map_entry},")?;
    write!(out, "checks_utf8:{checks_utf8},")?;
    write!(out, "by_name:&{by_name:?},oneofs:&{oneofs:?},fields:&[")?;
    for field in fields {
        let whose = format!("{name}.{}", field.name());
        if field.default_value.is_some() || field.label() == Label::Required {
            return Err(unsupported(&whose, "a required field or a default"));
        }
        let kind = match field.r#type() {
            Type::Group => return Err(unsupported(&whose, "a group")),
            Type::Message => format!("Message({})", index(messages, field)?),
            Type::Enum => format!("Enum({})", index(enums, field)?),
            scalar => format!("{scalar:?}"),
        };
        let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
        write!(
            out,
            "Field{{name:{:?},number:{},kind:Kind::{kind},rule:Rule::{},oneof:{oneof:?}}},",
            field.name(),
            field.number(),
            rule(field, syntax)
        )?;
    }
    writeln!(out, "]}},")?;
    Ok(())
}

fn rule(field: &FieldDescriptorProto, syntax: Syntax) -> &'static str {
    let can_pack = !matches!(
        field.r#type(),
        Type::String | Type::Bytes | Type::Message | Type::Group
    );
    let packed = field.options.as_ref().and_then(|options| options.packed);
    match field.label() {
        Label::Repeated if can_pack && packed.unwrap_or(syntax == Syntax::Proto3) => "Packed",
        Label::Repeated => "Repeated",
        _ if syntax == Syntax::Proto3
            && field.oneof_index.is_none()
            && field.r#type() != Type::Message =>
        {
            "Implicit"
        }
        _ => "Explicit",
    }
}

fn index(
    indices: &HashMap<&str, usize>,
    field: &FieldDescriptorProto,
) -> Result<usize, Box<dyn Error>> {
    let name = field.type_name().trim_start_matches('.');
    let index = indices
        .get(name)
        .ok_or_else(|| unsupported(name, "no such type"))?;
    Ok(*index)
}

fn write_enum(out: &mut String, name: &str, kind: &EnumDescriptorProto) -> fmt::Result {
    let mut values: Vec<_> = kind.value.iter().enumerate().collect();
    values.sort_by_key(|(_, value)| value.name());
    let mut by_number: Vec<_> = (0..values.len()).collect();
    by_number.sort_by_key(|&i| (values[i].1.number(), values[i].0));
    let values: Vec<_> = values
        .iter()
        .map(|(_, value)| (value.name(), value.number()))
        .collect();
    writeln!(
        out,
        "Enum{{name:{name:?},values:&{values:?},by_number:&{by_number:?}}},"
    )
}

fn unsupported(whose: &str, what: &str) -> Box<dyn Error> {
    format!("{whose}: the text format's tables cannot express this: {what}").into()
}

use std::io::{self, Write};
use std::path::Path;

use savedmodel::bundle::{self, Loss};
use savedmodel::{BundleWriter, ErrorKind};
use serde::Serialize;

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::fault::{Fault, KeyText};
use crate::merge::{BundleDocument, durability, existing, in_the_way, index_of, refuse_directory};
use crate::text::Escaped;
use crate::variables::counted;
use crate::{json, path};

/// `savedmodel salvage`.
pub(crate) fn run(args: &args::Salvage, out: &mut impl Write) -> Result<Outcome, Failure> {
    let prefix = path::bundle(&args.path)?;
    refuse_directory(&args.out)?;
    if is_same(&prefix, &args.out) {
        return Err(Failure::Usage(
            "the copy would take the place of the damaged bundle: name another prefix".into(),
        ));
    }
    let writer = BundleWriter::options()
        .durability(durability(args.no_sync))
        .existing(existing(args.replace))
        .create(&args.out);
    let advise = |error: savedmodel::Error| match error.kind() {
        ErrorKind::InvalidArgument { .. } => in_the_way(error, args.replace),
        _ => error.into(),
    };
    let mut writer = writer.map_err(advise)?;
    let found = bundle::salvage(&prefix, &mut writer)?;
    writer.finish().map_err(advise)?;
    let document = Document {
        bundle: prefix.to_string_lossy().into_owned(),
        prefix: args.out.to_string_lossy().into_owned(),
        tensors: found.tensors,
        bytes: found.bytes,
        header_lost: found.header_lost,
        copy: BundleDocument::of(&args.out)?,
        losses: found.losses.iter().map(LossDocument::of).collect(),
    };
    let written = match args.json {
        true => json::document(out, "salvage", 1, &document),
        false => write(out, &document, &found.losses),
    };
    // Who does not read on still wants the exit code.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(match found.losses.len() as u64 {
        0 => Outcome::Sound,
        1 => Outcome::Damaged("1 part of the bundle was lost".to_owned()),
        losses => Outcome::Damaged(format!("{losses} parts of the bundle were lost")),
    })
}

/// Says whether two prefixes are one, under whatever names.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |prefix: &Path| index_of(prefix).canonicalize().ok();
    place(one).is_some() && place(one) == place(other)
}

fn write(out: &mut impl Write, document: &Document<'_>, losses: &[Loss]) -> io::Result<()> {
    for loss in losses {
        writeln!(out, "lost: {}", Escaped(loss.to_string().as_bytes()))?;
    }
    if document.header_lost {
        writeln!(
            out,
            "the header is lost: shards were counted by the names of files, and numbers taken as little-endian"
        )?;
    }
    writeln!(
        out,
        "{} copied to {}: {}; {}",
        counted(document.tensors, "tensor"),
        Escaped(document.prefix.as_bytes()),
        counted(document.bytes, "byte"),
        match losses.len() as u64 {
            0 => "nothing lost".to_owned(),
            losses => format!("{} lost", counted(losses, "part")),
        }
    )
}

/// What `savedmodel salvage --json` prints.
#[derive(Serialize)]
struct Document<'a> {
    bundle: String,
    prefix: String,
    tensors: u64,
    bytes: u64,
    header_lost: bool,
    copy: BundleDocument,
    losses: Vec<LossDocument<'a>>,
}

#[derive(Serialize)]
struct LossDocument<'a> {
    #[serde(flatten)]
    key: Option<KeyText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slice: Option<String>,
    shard: Option<u32>,
    path: String,
    start: u64,
    end: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    between: Option<BetweenDocument<'a>>,
    error: Fault<'a>,
}

/// The names around those that were lost.
#[derive(Serialize)]
struct BetweenDocument<'a> {
    after: Option<KeyText<'a>>,
    before: Option<KeyText<'a>>,
}

impl<'a> LossDocument<'a> {
    fn of(loss: &'a Loss) -> Self {
        LossDocument {
            key: loss.key.as_ref().map(|key| KeyText::of(key)),
            slice: loss.slice.as_ref().map(|slice| slice.to_string()),
            shard: loss.shard,
            path: loss.path.to_string_lossy().into_owned(),
            start: loss.range.start,
            end: loss.range.end,
            between: (loss.between.as_ref()).map(|(after, before)| BetweenDocument {
                after: after.as_ref().map(|key| KeyText::of(key)),
                before: before.as_ref().map(|key| KeyText::of(key)),
            }),
            error: Fault::of(&loss.error),
        }
    }
}

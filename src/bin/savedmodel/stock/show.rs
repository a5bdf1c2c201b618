use std::io::Write;

use super::flags::Flags;
use super::{Failure, find_meta_graph, find_signature, open, split_tags, split_trimmed_tags};
use crate::show::{self, Style, text};

pub(super) fn run(flags: &Flags, out: &mut impl Write) -> Result<(), Failure> {
    let model = open(flags.text("dir").unwrap_or_default())?;
    if flags.switch("all") {
        return Ok(show::all(&model, Style::Stock, out)?);
    }
    let Some(tag_set) = flags.text("tag_set") else {
        if flags.switch("list_ops") {
            writeln!(
                out,
                "--list_ops must be paired with a tag-set or with --all."
            )?;
        }
        return Ok(show::tag_sets(&model, out)?);
    };
    if flags.switch("list_ops") {
        let tags = split_trimmed_tags(tag_set)?;
        let meta_graph = find_meta_graph(&model, &tags, &tags.join(","))?;
        show::ops(meta_graph, out)?;
    }
    match flags.text("signature_def") {
        None => {
            let meta_graph = find_meta_graph(&model, &split_tags(tag_set), tag_set)?;
            let keys = meta_graph.signature_keys()?;
            text::write_signature_keys(out, &keys, Style::Stock)?;
        }
        Some(key) => {
            let tags = split_trimmed_tags(tag_set)?;
            let meta_graph = find_meta_graph(&model, &tags, &tags.join(","))?;
            let signature = find_signature(meta_graph, key)?;
            text::write_signature(out, &signature, "", Style::Stock)?;
        }
    }
    Ok(())
}

use std::io::{self, Write};

use savedmodel::inspect::CheckpointOverview;

use super::page::{counted, line, oddities, parameters, size, tensors};

pub(super) fn write(overview: &CheckpointOverview, out: &mut impl Write) -> io::Result<()> {
    line(out, "checkpoint", &overview.path)?;
    let kind = match (overview.is_object_based, overview.objects) {
        (true, Some(objects)) => {
            format!(
                "objects, as tf.train.Checkpoint does: {}",
                counted(objects, "object")
            )
        }
        (true, None) => "objects, as tf.train.Checkpoint does".to_owned(),
        (false, _) => "names, as a Saver of TensorFlow 1 does".to_owned(),
    };
    line(out, "saved by", &kind)?;
    if let Some(counter) = overview.save_counter {
        line(out, "", &format!("save number {counter}"))?;
    }
    if let Some(latest) = &overview.latest {
        let kept = counted(overview.kept, "checkpoint");
        line(
            out,
            "latest",
            &format!("{latest}, of {kept} in the file `checkpoint`"),
        )?;
    }
    if overview.has_meta {
        line(out, "graph", "there is a .meta file beside it")?;
    }
    parameters(out, &overview.parameters)?;
    if overview.slot_variables > 0 {
        line(
            out,
            "slots",
            &counted(overview.slot_variables, "slot variable"),
        )?;
    }
    tensors(out, &overview.tensors)?;
    let order = match overview.is_little_endian {
        true => "",
        false => ", big-endian",
    };
    line(
        out,
        "files",
        &format!("{}{order}", size(overview.file_bytes)),
    )?;
    oddities(out, &overview.oddities)
}

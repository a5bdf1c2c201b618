use std::borrow::BorrowMut;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::Result;
use super::compare::Sample;

/// A process that does what it is told.
pub(crate) struct Side {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Side {
    pub(crate) fn start(mut command: impl BorrowMut<Command>) -> Result<Self> {
        let mut child = command
            .borrow_mut()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a side without pipes".into());
        };
        Ok(Side {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    pub(crate) fn ask(&mut self, command: &str) -> Result<Value> {
        writeln!(self.input, "{command}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let value: Value = serde_json::from_str(&line)
            .map_err(|error| format!("`{command}` was answered `{line}`: {error}"))?;
        match value.get("error") {
            Some(error) => Err(format!("`{command}` failed: {error}").into()),
            None => Ok(value),
        }
    }

    pub(crate) fn measure(&mut self, command: &str) -> Result<Sample> {
        // More than any row takes: a host that took memory back gives it again now, at its leisure.
        self.ask("warm 1536")?;
        let value = self.ask(command)?;
        let number = |key: &str| {
            value[key]
                .as_f64()
                .ok_or_else(|| format!("`{command}` was answered without {key}"))
        };
        Ok(Sample {
            wall: number("s")?,
            cpu: number("user")? + number("sys")?,
            peak: (number("peak_kb")? - number("base_kb")?) / 1024.0,
        })
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = writeln!(self.input, "quit");
        let _ = self.child.wait();
    }
}

//! Faults on order, for unit tests: the operations of [`disk`](super::disk) below a directory are
//! counted and recorded, and one of them fails, is cut short or is where the process ends.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An operation that is about to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation<'a> {
    Create(&'a Path),
    CreateDirectories(&'a Path),
    Write(&'a Path, &'a [u8]),
    Preallocate(&'a Path),
    Sync(&'a Path),
    SyncDirectory(&'a Path),
    Rename { from: &'a Path, to: &'a Path },
    Link { from: &'a Path, to: &'a Path },
    Truncate(&'a Path, u64),
    Remove(&'a Path),
}

/// An operation that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Create(PathBuf),
    CreateDirectories(PathBuf),
    Write(PathBuf, Vec<u8>),
    Preallocate(PathBuf),
    Sync(PathBuf),
    SyncDirectory(PathBuf),
    Rename { from: PathBuf, to: PathBuf },
    Link { from: PathBuf, to: PathBuf },
    Truncate(PathBuf, u64),
    Remove(PathBuf),
}

impl Operation<'_> {
    fn path(&self) -> &Path {
        match *self {
            Operation::Create(path)
            | Operation::CreateDirectories(path)
            | Operation::Write(path, _)
            | Operation::Preallocate(path)
            | Operation::Sync(path)
            | Operation::SyncDirectory(path)
            | Operation::Rename { from: path, .. }
            | Operation::Link { to: path, .. }
            | Operation::Truncate(path, _)
            | Operation::Remove(path) => path,
        }
    }

    fn done(&self) -> Done {
        match *self {
            Operation::Create(path) => Done::Create(path.into()),
            Operation::CreateDirectories(path) => Done::CreateDirectories(path.into()),
            Operation::Write(path, bytes) => Done::Write(path.into(), bytes.into()),
            Operation::Preallocate(path) => Done::Preallocate(path.into()),
            Operation::Sync(path) => Done::Sync(path.into()),
            Operation::SyncDirectory(path) => Done::SyncDirectory(path.into()),
            Operation::Rename { from, to } => Done::Rename {
                from: from.into(),
                to: to.into(),
            },
            Operation::Link { from, to } => Done::Link {
                from: from.into(),
                to: to.into(),
            },
            Operation::Truncate(path, len) => Done::Truncate(path.into(), len),
            Operation::Remove(path) => Done::Remove(path.into()),
        }
    }
}

/// What happens to which operation, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: operations are recorded.
    None,
    /// This one fails.
    Fail(usize, io::ErrorKind),
    /// These two fail.
    FailTwice(usize, usize, io::ErrorKind),
    /// This one and all that follow fail: the disk is gone, or, as far as the files tell, the
    /// process.
    FailFrom(usize, io::ErrorKind),
    /// This one, if it is a write, takes half of its bytes.
    Short(usize),
    /// This one, if it is a write, takes half of its bytes, and no later write takes any.
    Full(usize),
    /// At this one the process says so and waits to be killed.
    Stop(usize),
    /// This one, if it is a write, takes half of its bytes, and then the process waits to be killed.
    StopWithin(usize),
}

/// What a process that waits to be killed says.
pub(crate) const STOPPED: &str = "stopped, waiting to be killed";

#[derive(Debug)]
struct Plan {
    fault: Fault,
    done: Vec<Done>,
    /// How many were tried, those that failed included.
    tried: usize,
}

static PLANS: Mutex<Vec<(PathBuf, Arc<Mutex<Plan>>)>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it lives, what is done below a directory is recorded and meets a fault.
#[derive(Debug)]
pub(crate) struct Faults {
    directory: PathBuf,
    plan: Arc<Mutex<Plan>>,
}

impl Faults {
    pub(crate) fn below(directory: &Path, fault: Fault) -> Self {
        let plan = Arc::new(Mutex::new(Plan {
            fault,
            done: Vec::new(),
            tried: 0,
        }));
        lock(&PLANS).push((directory.to_owned(), Arc::clone(&plan)));
        Faults {
            directory: directory.to_owned(),
            plan,
        }
    }

    /// Returns what was done so far, in order.
    pub(crate) fn done(&self) -> Vec<Done> {
        lock(&self.plan).done.clone()
    }

    /// Returns how many operations were tried so far.
    pub(crate) fn tried(&self) -> usize {
        lock(&self.plan).tried
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        lock(&PLANS).retain(|(directory, _)| *directory != self.directory);
    }
}

fn plan_for(path: &Path) -> Option<Arc<Mutex<Plan>>> {
    let plans = lock(&PLANS);
    let (_, plan) = plans.iter().find(|(below, _)| path.starts_with(below))?;
    Some(Arc::clone(plan))
}

/// Counts an operation other than a write, and lets it meet its fault.
pub(crate) fn before(operation: Operation<'_>) -> io::Result<()> {
    let Some(plan) = plan_for(operation.path()) else {
        return Ok(());
    };
    let mut plan = lock(&plan);
    let this = plan.tried;
    plan.tried += 1;
    match plan.fault {
        Fault::Fail(at, kind) if this == at => return Err(kind.into()),
        Fault::FailTwice(one, two, kind) if this == one || this == two => return Err(kind.into()),
        Fault::FailFrom(at, kind) if this >= at => return Err(kind.into()),
        Fault::Stop(at) if this == at => wait_to_be_killed(),
        // What it was cut short at is done, and this is the next.
        Fault::StopWithin(at) if this == at + 1 => wait_to_be_killed(),
        _ => {}
    }
    plan.done.push(operation.done());
    Ok(())
}

/// Counts a write; returns what of its bytes are to be written.
pub(crate) fn before_write<'a>(path: &Path, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
    let Some(plan) = plan_for(path) else {
        return Ok(bytes);
    };
    let (this, fault) = {
        let plan = lock(&plan);
        (plan.tried, plan.fault)
    };
    let bytes = match fault {
        Fault::Short(at) | Fault::Full(at) | Fault::StopWithin(at) if this == at => {
            &bytes[..bytes.len().div_ceil(2)]
        }
        Fault::Full(at) if this > at => return Err(io::ErrorKind::StorageFull.into()),
        _ => bytes,
    };
    before(Operation::Write(path, bytes))?;
    Ok(bytes)
}

/// Holds the plan's lock meanwhile, so that no other thread goes on.
fn wait_to_be_killed() -> ! {
    println!("{STOPPED}");
    let _ = io::stdout().flush();
    loop {
        std::thread::park();
    }
}

//! What faults leave of bundles: each operation of writing, replacing and recovering one fails, is
//! cut short, or is where a process is killed or a machine loses what was not synced.

mod lossy_disk;
mod scenario;

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use lossy_disk::states_after_a_crash;
use scenario::{Outcome, SCENARIOS, Scenario};

use super::{
    CheckpointState, Durability, Existing, Inputs, MergeOptions, Recovery, merge_bundles, recover,
};
use crate::store::faults::{Done, Fault, Faults, STOPPED};
use crate::store::platform::TestDirectory;

const BOTH: [Durability; 2] = [Durability::Sync, Durability::None];

#[test]
fn any_operation_that_fails_leaves_the_old_bundle_and_nothing_else() {
    for (scenario, durability) in all() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            let mut removals = 0;
            for at in 0.. {
                let run = scenario.run(Fault::Fail(at, kind), durability);
                if run.tried <= at {
                    break;
                }
                let what = format!("{scenario:?}, {durability:?}, at {at}: {:?}", run.done);
                let error = run.result.expect_err(&what);
                if error.to_string().contains("the new bundle is in place") {
                    assert_eq!(scenario.outcome(&run.directory), Outcome::New, "{what}");
                    removals += 1;
                    continue;
                }
                assert!(error.path().is_some(), "{error}");
                let expected = scenario.before();
                assert_eq!(scenario.outcome(&run.directory), expected, "{what}");
                assert_eq!(run.directory.names(), scenario.names_before(), "{what}");
            }
            // An index and shards are removed.
            let replaced = scenario.old.map_or(0, |shards| shards + 1);
            assert_eq!(removals, replaced, "{scenario:?}");
        }
    }
}

#[test]
fn a_write_cut_short_is_continued_and_a_full_disk_leaves_nothing() {
    for (scenario, durability) in all() {
        let (mut cut, mut full) = (0, 0);
        for at in 0.. {
            let run = scenario.run(Fault::Short(at), durability);
            if run.tried <= at {
                break;
            }
            run.result.unwrap();
            assert_eq!(scenario.outcome(&run.directory), Outcome::New);
            assert_eq!(run.directory.names(), scenario.names_after());
            cut += usize::from(matches!(run.done[at], Done::Write(..)));

            let run = scenario.run(Fault::Full(at), durability);
            if run.result.is_ok() {
                assert_eq!(scenario.outcome(&run.directory), Outcome::New);
                continue;
            }
            full += 1;
            assert_eq!(scenario.outcome(&run.directory), scenario.before());
            assert_eq!(run.directory.names(), scenario.names_before());
        }
        assert!(cut > scenario.new && full > scenario.new, "{cut} {full}");
    }
}

#[test]
fn two_operations_that_fail_lose_nothing() {
    for scenario in SCENARIOS {
        let mut outcomes = BTreeSet::new();
        'first: for first in 0.. {
            for second in first + 1.. {
                let fault = Fault::FailTwice(first, second, io::ErrorKind::Other);
                let run = scenario.run(fault, Durability::None);
                if run.tried <= first {
                    break 'first;
                }
                let error = run.result.unwrap_err().to_string();
                let outcome = scenario.outcome(&run.directory);
                outcomes.insert(outcome);
                match outcome {
                    Outcome::SetAside => assert!(error.contains(".set-aside-"), "{error}"),
                    Outcome::New => assert!(error.contains("new bundle is in place"), "{error}"),
                    _ => assert_eq!(outcome, scenario.before(), "{error}"),
                }
                scenario.replace_again(&run.directory);
                if run.tried <= second {
                    break;
                }
            }
        }
        if scenario.old.is_some() {
            let all = [Outcome::Old, Outcome::New, Outcome::SetAside];
            assert_eq!(outcomes, BTreeSet::from(all), "{scenario:?}");
        }
    }
}

#[test]
fn a_disk_that_goes_away_leaves_one_bundle_complete() {
    for (scenario, durability) in all() {
        let mut outcomes = BTreeSet::new();
        for at in 0.. {
            let fault = Fault::FailFrom(at, io::ErrorKind::Other);
            let run = scenario.run(fault, durability);
            if run.tried <= at {
                break;
            }
            let error = run.result.unwrap_err().to_string();
            let outcome = scenario.outcome(&run.directory);
            if outcome == Outcome::SetAside {
                assert!(error.contains(".set-aside-"), "{error}");
            }
            outcomes.insert(outcome);
            scenario.replace_again(&run.directory);
        }
        assert!(outcomes.contains(&scenario.before()), "{outcomes:?}");
        let is_replaced = scenario.old.is_some();
        assert_eq!(outcomes.contains(&Outcome::SetAside), is_replaced);
    }
}

#[test]
fn a_killed_process_leaves_one_bundle_complete() {
    for (scenario, durability) in all() {
        let mut outcomes = BTreeSet::new();
        for within in [false, true] {
            for at in 0.. {
                let directory = scenario.directory();
                if !is_killed(scenario, durability, directory.path(), at, within) {
                    assert_eq!(scenario.outcome(&directory), Outcome::New);
                    assert_eq!(directory.names(), scenario.names_after());
                    break;
                }
                outcomes.insert(scenario.outcome(&directory));
                scenario.replace_again(&directory);
            }
        }
        let mut expected = BTreeSet::from([scenario.before()]);
        if scenario.old.is_some() {
            expected.extend([Outcome::SetAside, Outcome::New]);
        } else if durability == Durability::Sync {
            // Killed before the last sync.
            expected.insert(Outcome::New);
        }
        assert_eq!(outcomes, expected, "{scenario:?}, {durability:?}");
    }
}

/// Says whether a process that writes the new bundle was killed at an operation; it ended well
/// otherwise.
fn is_killed(
    scenario: Scenario,
    durability: Durability,
    directory: &Path,
    at: usize,
    within: bool,
) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bundle::faults::child", "--nocapture"])
        .env("SAVEDMODEL_FAULTS_DIRECTORY", directory)
        .env("SAVEDMODEL_FAULTS_NEW", scenario.new.to_string())
        .env("SAVEDMODEL_FAULTS_SYNC", format!("{durability:?}"))
        .env("SAVEDMODEL_FAULTS_AT", at.to_string())
        .env("SAVEDMODEL_FAULTS_WITHIN", within.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_stopped = lines.any(|line| line.unwrap().contains(STOPPED));
    if is_stopped {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert_eq!(status.success(), !is_stopped);
    is_stopped
}

/// Does nothing, but for [`is_killed`].
#[test]
fn child() {
    let Some(directory) = std::env::var_os("SAVEDMODEL_FAULTS_DIRECTORY") else {
        return;
    };
    let set = |name: &str| std::env::var(format!("SAVEDMODEL_FAULTS_{name}")).unwrap();
    let at = set("AT").parse().unwrap();
    let _faults = Faults::below(
        Path::new(&directory),
        match set("WITHIN") == "true" {
            true => Fault::StopWithin(at),
            false => Fault::Stop(at),
        },
    );
    let durability = BOTH.into_iter().find(|d| format!("{d:?}") == set("SYNC"));
    scenario::write_new(
        Path::new(&directory),
        set("NEW").parse().unwrap(),
        durability.unwrap(),
    )
    .unwrap();
}

#[test]
fn recovery_that_is_cut_short_is_completed_by_the_next() {
    for scenario in SCENARIOS {
        for crashed in scenario.crashed_directories() {
            for at in 0.. {
                let directory = crashed.copy();
                let fault = Fault::FailFrom(at, io::ErrorKind::Other);
                let faults = Faults::below(directory.path(), fault);
                let first = recover(directory.path().join("b"));
                let tried = faults.tried();
                drop(faults);
                if tried <= at {
                    assert_eq!(first.unwrap(), Recovery::Restored);
                    assert_eq!(scenario.outcome(&directory), Outcome::Old);
                    break;
                }
                first.unwrap_err();
                let outcome = scenario.outcome(&directory);
                assert!(matches!(outcome, Outcome::SetAside | Outcome::Old));
                scenario.replace_again(&directory);
            }
        }
    }
}

#[test]
fn replacing_after_a_crash_is_as_safe_as_before_it() {
    for scenario in SCENARIOS {
        for crashed in scenario.crashed_directories() {
            for at in 0.. {
                let directory = crashed.copy();
                let fault = Fault::FailFrom(at, io::ErrorKind::Other);
                let faults = Faults::below(directory.path(), fault);
                let result = scenario::write_new(directory.path(), scenario.new, Durability::Sync);
                let tried = faults.tried();
                drop(faults);
                if tried <= at {
                    result.unwrap();
                    assert_eq!(scenario.outcome(&directory), Outcome::New);
                    let names = directory.names_without(&[".tempstate"]);
                    assert_eq!(names, scenario.names_after());
                    break;
                }
                let outcome = scenario.outcome(&directory);
                let allowed = [Outcome::SetAside, Outcome::New];
                assert!(allowed.contains(&outcome), "{scenario:?} {outcome:?}");
                scenario.replace_again(&directory);
            }
            // An error, not a crash, gives the old bundle its place again, or leaves it aside.
            for at in 0.. {
                let directory = crashed.copy();
                let fault = Fault::Fail(at, io::ErrorKind::Other);
                let faults = Faults::below(directory.path(), fault);
                let result = scenario::write_new(directory.path(), scenario.new, Durability::Sync);
                let tried = faults.tried();
                drop(faults);
                if tried <= at {
                    break;
                }
                let is_new = result.unwrap_err().to_string().contains("is in place");
                let expected = [Outcome::SetAside, Outcome::New][usize::from(is_new)];
                assert_eq!(scenario.outcome(&directory), expected);
            }
        }
    }
}

#[test]
fn a_bundle_set_aside_is_there_for_a_writer_that_is_to_refuse_it() {
    let scenario = SCENARIOS[1];
    let crashed = scenario.crashed_directories().pop().unwrap();
    let mut options = super::BundleWriter::options();
    options = options.existing(Existing::Refuse);
    let error = options.create(crashed.path().join("b")).unwrap_err();
    assert!(error.to_string().contains("bundle::recover"), "{error}");
    assert_eq!(scenario.outcome(&crashed), Outcome::SetAside);
}

#[test]
fn a_machine_that_loses_what_was_not_synced_keeps_one_bundle_complete() {
    for scenario in SCENARIOS {
        let mut faults = vec![Fault::None];
        let operations = scenario.run(Fault::None, Durability::Sync).tried;
        // And while an error is taken back.
        faults.extend((0..operations).map(|at| Fault::Fail(at, io::ErrorKind::Other)));
        for fault in faults {
            let run = scenario.run(fault, Durability::Sync);
            let before = scenario.directory();
            for (done, state) in states_after_a_crash(before.path(), &run.done, 0) {
                let outcome = scenario.outcome(&state);
                // `Ok` is a promise.
                if done == run.done.len() && run.result.is_ok() {
                    assert_eq!(outcome, Outcome::New, "{scenario:?}");
                }
                assert!(outcome != Outcome::Nothing || scenario.old.is_none());
                if fault == Fault::None {
                    scenario.replace_again(&state);
                }
            }
        }
    }
}

#[test]
fn a_machine_that_crashes_again_keeps_one_bundle_complete() {
    for (scenario, durability) in all() {
        let before = scenario.directory();
        for crashed in scenario.crashed(durability) {
            for replaces in [false, true] {
                let directory = crashed.directory.copy();
                let faults = Faults::below(directory.path(), Fault::None);
                match replaces {
                    true => {
                        scenario::write_new(directory.path(), scenario.new, Durability::Sync)
                            .unwrap();
                    }
                    false => drop(recover(directory.path().join("b")).unwrap()),
                }
                // The first time the process died, and what it did may not be on the disk yet.
                let all = [crashed.done.clone(), faults.done()].concat();
                drop(faults);
                let synced = (crashed.done.len()..)
                    .find(|&at| matches!(all[at], Done::SyncDirectory(_)))
                    .unwrap();
                // Who does not wait for the disk is promised nothing.
                let first = match durability {
                    Durability::Sync => crashed.done.len(),
                    Durability::None => synced + 1,
                };
                for (done, state) in states_after_a_crash(before.path(), &all, first) {
                    let outcome = scenario.outcome(&state);
                    assert_ne!(outcome, Outcome::Nothing);
                    if done == all.len() {
                        let expected = [Outcome::Old, Outcome::New][usize::from(replaces)];
                        assert_eq!(outcome, expected);
                    }
                }
            }
        }
    }
}

#[test]
fn merging_loses_neither_inputs_nor_what_is_replaced() {
    let merge = |directory: &Path, inputs, durability| {
        let prefixes = [0, 1].map(|input| directory.join(format!("p{input}")));
        let options = MergeOptions::default()
            .existing(Existing::Replace)
            .inputs(inputs)
            .durability(durability);
        merge_bundles(prefixes, directory.join("b"), &options)
    };
    for (scenario, durability) in all().filter(|(scenario, _)| scenario.new == 2) {
        let before = scenario.directory();
        scenario::write_inputs(before.path(), 2);
        for inputs in [Inputs::Keep, Inputs::Remove] {
            let check = |directory: &scenario::Directory| {
                let outcome = scenario.outcome(directory);
                if outcome != Outcome::New || inputs == Inputs::Keep {
                    assert!(scenario::are_inputs_whole(directory.path(), 2));
                }
                outcome
            };
            let mut operations = 0;
            for at in 0.. {
                let faults = [
                    Fault::Fail(at, io::ErrorKind::Other),
                    Fault::FailFrom(at, io::ErrorKind::Other),
                    Fault::Full(at),
                ];
                for fault in faults {
                    let directory = before.copy();
                    let faults = Faults::below(directory.path(), fault);
                    let result = merge(directory.path(), inputs, durability);
                    operations = faults.tried();
                    drop(faults);
                    let outcome = check(&directory);
                    if result.is_ok() {
                        assert_eq!(outcome, Outcome::New);
                    } else if !matches!(fault, Fault::FailFrom(..)) && outcome != Outcome::New {
                        assert_eq!(outcome, scenario.before());
                        assert_eq!(directory.names(), before.names());
                    }
                }
                if operations <= at {
                    break;
                }
            }
            if durability == Durability::Sync {
                let directory = before.copy();
                let faults = Faults::below(directory.path(), Fault::None);
                merge(directory.path(), inputs, durability).unwrap();
                let done = faults.done();
                drop(faults);
                for (count, state) in states_after_a_crash(before.path(), &done, 0) {
                    let outcome = check(&state);
                    assert!(count < done.len() || outcome == Outcome::New);
                }
            }
        }
    }
}

#[test]
fn a_list_of_checkpoints_is_the_old_or_the_new() {
    let list = |directory: &scenario::Directory| CheckpointState::read(directory.path()).unwrap();
    let old = CheckpointState::new("ckpt-1");
    let new = CheckpointState::new("ckpt-2");
    let before = scenario::Directory(TestDirectory::in_memory("list"));
    old.write(before.path()).unwrap();
    for at in 0.. {
        for fault in [
            Fault::Fail(at, io::ErrorKind::Other),
            Fault::FailFrom(at, io::ErrorKind::Other),
            Fault::Full(at),
            Fault::Short(at),
            Fault::None,
        ] {
            let directory = before.copy();
            let faults = Faults::below(directory.path(), fault);
            let result = new.write(directory.path());
            let done = faults.done();
            drop(faults);
            let found = list(&directory).unwrap();
            let is_moved = done.iter().any(|done| matches!(done, Done::Rename { .. }));
            assert_eq!(found, if is_moved { &new } else { &old }.clone());
            if !matches!(fault, Fault::FailFrom(..)) {
                assert_eq!(directory.names(), ["checkpoint"]);
            }
            for (count, state) in states_after_a_crash(before.path(), &done, 0) {
                let found = list(&state).unwrap();
                assert!(found == old || found == new);
                if count == done.len() && result.is_ok() {
                    assert_eq!(found, new);
                }
            }
        }
        if at > 10 {
            break;
        }
    }
}

fn all() -> impl Iterator<Item = (Scenario, Durability)> {
    SCENARIOS
        .into_iter()
        .flat_map(|scenario| BOTH.map(|durability| (scenario, durability)))
}

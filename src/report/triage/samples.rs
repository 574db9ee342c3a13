//! Records for the tests of what is made of them.

use super::routing::{Words, lost};
use super::{Attachment, Code, Record, RecordOptions};
use crate::evidence::Redaction;
use crate::report::samples::{self, Case};

fn attachment(path: &str) -> Attachment {
    Attachment {
        path: format!("/tickets/{path}"),
        tree_path: path.to_owned(),
        sha256: Some("ab".repeat(32)),
        bytes: Some(1_300_000),
        ..Attachment::default()
    }
}

/// The record of a case, found under a path.
pub(in crate::report) fn record(case: &Case, path: &str) -> Record {
    let words = Words::builtin();
    let redaction = Redaction::Secrets;
    let options =
        RecordOptions { redaction, options: "", words: &words, with_report: false, version: "0" };
    Record::of(&case.report(), &attachment(path), None, options)
}

/// A challenge that was denied.
pub(in crate::report) fn denied(path: &str) -> Record {
    record(&samples::denied(), path)
}

/// A host that the network cuts off.
pub(in crate::report) fn network(path: &str) -> Record {
    record(&samples::network(), path)
}

/// A host that the network decrypts.
pub(in crate::report) fn inspected(path: &str) -> Record {
    record(&samples::inspected_device(), path)
}

/// A capture that cannot tell.
pub(in crate::report) fn undetermined(path: &str) -> Record {
    record(&samples::undetermined(), path)
}

/// A picture.
pub(in crate::report) fn picture(path: &str) -> Record {
    let mut case = samples::unrecognised();
    case.evidence.inputs[0].likeness = Some(crate::evidence::Likeness::Picture);
    record(&case, path)
}

/// A file on which the analysis failed.
pub(in crate::report) fn worker_lost(path: &str) -> Record {
    let words = Words::builtin();
    let redaction = Redaction::Secrets;
    let options =
        RecordOptions { redaction, options: "", words: &words, with_report: false, version: "0" };
    let attachment = attachment(path);
    let routing = lost(Code::WorkerLost, &attachment, &words);
    Record::without_analysis(&attachment, options, Code::WorkerLost, routing)
}

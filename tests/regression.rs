//! One test for each bug that was found, named for it.
#![expect(clippy::unwrap_used, reason = "test support")]

mod support;

use mfatrace::analyze::Analysis;
use serde_json::{Value, json};

use support::archive::{unzip, zip};
use support::memory::run_bytes;

type Members = Vec<(String, Vec<u8>)>;

fn members(path: &str) -> Members {
    unzip(&std::fs::read(support::root().join("captures").join(path)).unwrap())
}

fn har(path: &str) -> Value {
    let bytes = std::fs::read(support::root().join("captures").join(path)).unwrap();
    support::json::parse(&bytes).unwrap()
}

/// The number of the last session whose request line holds a text.
fn session(members: &Members, wanted: &str) -> String {
    let holds = |bytes: &[u8]| {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(line).contains(wanted)
    };
    let found = members.iter().rfind(|(name, bytes)| name.ends_with("_c.txt") && holds(bytes));
    found.unwrap().0.replace("_c.txt", "")
}

fn verdict(analysis: &Analysis) -> String {
    format!("{} {}", analysis.verdict.outcome, analysis.verdict.side)
}

/// An entry that failed the way a browser says it.
fn fail(entry: &mut Value, error: &str) {
    entry["response"] = json!({"status": 0, "statusText": "", "headers": [], "cookies": [],
        "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "", "_error": error});
}

/// SPEC section 3: sessions missing a part. Fiddler's timers say that an answer came.
#[test]
fn an_answer_that_is_not_in_the_archive_is_no_network_fault() {
    let mut without = members("browser/push-denied.saz");
    let poll = session(&without, "/SAS/EndAuth");
    without.retain(|(name, _)| *name != format!("{poll}_s.txt"));
    assert_eq!(verdict(&run_bytes(zip(&without, ""))), "undetermined cannot_tell");

    let mut none = members("browser/push-denied.saz");
    none.retain(|(name, _)| !name.ends_with("_s.txt"));
    assert_eq!(verdict(&run_bytes(zip(&none, ""))), "undetermined cannot_tell");
}

/// SPEC section 4: what the pages need could not be reached, and nothing followed.
#[test]
fn a_page_after_mfa_needs_its_script() {
    let mut har = har("browser/push-approved.devtools.har");
    let entries = support::json::entries(&mut har);
    let script = |entry: &Value| entry["request"]["url"].as_str().unwrap().contains("Kmsi");
    let at = entries.iter().position(script).unwrap();
    fail(&mut entries[at], "net::ERR_NAME_NOT_RESOLVED");
    entries.truncate(at + 1);
    let analysis = run_bytes(har.to_string().into_bytes());
    assert_eq!(analysis.verdict.side.as_str(), "network", "{}", verdict(&analysis));
}

/// SPEC section 5, PRX: a captive portal; protocol 3.7: the service did not write this answer.
#[test]
fn a_captive_portal_stands_before_the_sign_in() {
    use support::exchange::{get, story};
    let authorize = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=x";
    let portal = "http://captive.hotel.example/login";
    let story = story(&[
        get(authorize).status(302).field("Location", portal),
        get(portal).answer("text/html", "<html>Welcome to our network</html>"),
        get(portal).answer("text/html", "<html>Welcome to our network</html>").later(60.0),
    ]);
    let analysis = run_bytes(support::json::har(&story).to_string().into_bytes());
    assert_eq!(verdict(&analysis), "sign_in_prevented_by_network network");
}

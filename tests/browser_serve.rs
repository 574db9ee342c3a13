//! The drop page in a real browser: captures are dropped, chosen and chosen by keyboard, and the report
//! that comes is the right one.
#![expect(clippy::unwrap_used, reason = "test support")]
#![cfg(all(feature = "cli", feature = "web"))]

#[path = "support/server.rs"]
mod server;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use self::server::{Server, capture};

/// What is not there, as a failure where it is required and as a printed reason elsewhere.
#[expect(clippy::print_stdout, reason = "says why a test did nothing")]
fn lacks(what: &str) {
    assert!(std::env::var_os("MFATRACE_REQUIRE").is_none(), "{what}");
    println!("skipped: {what}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn of_corpus(name: &str) -> PathBuf {
    root().join("captures").join(name)
}

/// What the browser tells of the page; `None` with the reason printed where there is no browser.
fn browse(folder: &Path, config: &Value) -> Option<Value> {
    for program in ["chromium", "node"] {
        let runs = Command::new(program).arg("--version").output();
        if !runs.is_ok_and(|output| output.status.success()) {
            lacks(&format!("{program} is missing"));
            return None;
        }
    }
    let path = folder.join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let output = Command::new("node")
        .arg(root().join("tests/browser/serve.mjs"))
        .arg(&path)
        .env("STANDIN_CHROMIUM", "chromium")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn captures_are_dropped_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&locked).unwrap());
    let options = zip::write::SimpleFileOptions::default()
        .with_aes_encryption(zip::AesMode::Aes128, "hunter2");
    zip.start_file("push.saz", options).unwrap();
    zip.write_all(&capture("browser/push-denied.saz")).unwrap();
    zip.finish().unwrap();
    let hostile = folder.path().join("<img src=x onerror=owned=1>.saz");
    std::fs::copy(of_corpus("browser/push-denied.saz"), &hostile).unwrap();
    let axe = root().join("tests/browser/node_modules/axe-core/axe.min.js");
    if !axe.is_file() {
        lacks("axe-core is missing: npm ci --prefix tests/browser");
    }
    let saz = of_corpus("browser/push-denied.saz");
    let har = of_corpus("policy/blocked-after-mfa.devtools.har");
    let packets = of_corpus("packets/login-dropped-by-system.pcapng");
    let (keyed, keys) = (
        of_corpus("keyed/code-typed-tls12-h1.pcap"),
        of_corpus("keyed/code-typed-tls12-h1.pcap.keylog"),
    );
    let runs = [
        (json!({"how": "drop", "files": [saz]}), "User"),
        (json!({"how": "drop", "files": [har]}), "Policy"),
        (json!({"how": "drop", "files": [packets]}), "Network"),
        (json!({"how": "keys", "files": [saz, har]}), ""),
        (json!({"how": "keys", "files": [keyed], "keylogs": [keys]}), ""),
        (json!({"how": "drop", "files": [keyed], "keylogs": [keys]}), ""),
        (json!({"how": "choose", "files": [locked]}), ""),
        (json!({"how": "keys", "files": [locked], "password": "hunter2"}), "User"),
        (json!({"how": "choose", "files": [hostile]}), "User"),
    ];
    let server = Server::start(&[]);
    let all: Vec<Value> = runs
        .iter()
        .enumerate()
        .map(|(number, (run, _))| {
            let mut run = run.clone();
            run["name"] = format!("{number} {}", run["how"]).into();
            run
        })
        .collect();
    let config = json!({
        "url": server.url(),
        "runs": all,
        "axe": axe.is_file().then_some(&axe),
        "pictures": std::env::var_os("MFATRACE_PICTURES").map(PathBuf::from),
    });
    let Some(told) = browse(folder.path(), &config) else { return };
    assert_eq!(told["address"], format!("http://{}/", server.address), "the token stays nowhere");
    let answers = told["answers"].as_array().unwrap();
    assert_eq!(answers.len(), runs.len());
    for (answer, (run, word)) in answers.iter().zip(&runs) {
        let name = &answer["name"];
        for list in ["violations", "errors", "requests", "overflow"] {
            assert_eq!(answer[list], json!([]), "{name}: {list}");
        }
        assert!(answer["axe"].is_null() || answer["axe"] == json!([]), "{}", answer["axe"]);
        let report = &answer["report"];
        let text = report["text"].as_str().unwrap();
        assert!(text.trim_start().to_lowercase().contains(&word.to_lowercase()), "{name}: {text}");
        assert_eq!(report["owned"], "undefined", "{name}");
        assert_eq!(report["origin"], "null", "{name}: the report shares the page's origin");
        let forms = answer["forms"].as_array().unwrap();
        assert_eq!(forms.len(), 8, "{name}");
        assert!(forms.iter().all(|form| (&form[2], &form[3]) == (&json!(200), &json!(true))));
        let is_locked = run["how"] == "choose" && run["files"][0] == json!(locked);
        assert_eq!(answer["wrong"] != "", is_locked, "{name}: {}", answer["wrong"]);
        assert_eq!(answer["focus"], if is_locked { "password" } else { "answer" }, "{name}");
        assert!(answer["seen"].is_null() || answer["seen"] == true, "{name}: focus is not seen");
    }
    let text = |number: usize| answers.get(number).unwrap()["report"]["text"].clone();
    assert!(text(3).as_str().unwrap().contains("blocked-after-mfa.devtools.har"), "two files");
    assert!(text(4).as_str().unwrap().contains("code-typed-tls12-h1.pcap.keylog"), "{}", text(4));
    assert_eq!(text(4), text(5), "dropped or chosen, keys are keys");
}

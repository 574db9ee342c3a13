//! HAR files as JSON values: read, walked, and written with keys in any order.
#![allow(clippy::indexing_slicing, reason = "test support")]

use serde_json::Value;

use super::random::Random;

/// The JSON of a capture; `None` when it is none or stands in another encoding.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    value["log"]["entries"].is_array().then_some(value)
}

/// The entries of a HAR.
pub(crate) fn entries(har: &mut Value) -> &mut Vec<Value> {
    har["log"]["entries"].as_array_mut().unwrap()
}

/// A HAR around entries, as a browser writes it.
pub(crate) fn har(entries: &[Value]) -> Value {
    let creator = serde_json::json!({"name": "WebInspector", "version": "537.36"});
    serde_json::json!({"log": {"version": "1.2", "creator": creator, "pages": [], "entries": entries}})
}

/// Writes a value; `random` decides the order of the keys.
pub(crate) fn write(value: &Value, random: &mut Random, out: &mut String) {
    match value {
        Value::Array(all) => {
            out.push('[');
            for (index, one) in all.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(one, random, out);
            }
            out.push(']');
        }
        Value::Object(all) => {
            let mut members: Vec<_> = all.iter().collect();
            random.shuffle(&mut members);
            out.push('{');
            for (index, (key, one)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(key).unwrap());
                out.push(':');
                write(one, random, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Changes every string of a value, with the key that it stands under.
pub(crate) fn strings(
    value: &mut Value,
    key: &str,
    change: &mut impl FnMut(&str, &str) -> Option<String>,
) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| strings(one, key, change)),
        Value::Object(all) => {
            for (key, one) in all {
                strings(one, key, change);
            }
        }
        Value::String(text) => {
            if let Some(changed) = change(key, text) {
                *text = changed;
            }
        }
        _ => {}
    }
}

/// Bodies in base64 become text where they are text, so that they can be changed as such.
pub(crate) fn without_base64(har: &mut Value) {
    for entry in entries(har) {
        let content = &mut entry["response"]["content"];
        if content["encoding"] != "base64" {
            continue;
        }
        let Some(text) = content["text"].as_str() else { continue };
        let decoded = data_encoding::BASE64.decode(text.as_bytes()).ok();
        if let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
            content["text"] = Value::String(text);
            content.as_object_mut().unwrap().remove("encoding");
        }
    }
}

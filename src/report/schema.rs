//! The schemas of what programs read: JSON Schema, draft 2020-12, one for each kind of document.
//!
//! They are made from the types that are written, with their documentation, and kept in the repository;
//! so the program that prints them carries no maker of schemas. It must not say anything that the types
//! do not say.
//!
//! Invariants: every object names its required fields, and every closed list its values; objects are
//! left open, since fields may be added within a version. A test makes them anew.

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Published {
    /// The report of a case (`--format json`, and each line of `--format ndjson`).
    Report,
    /// One finding (`--format ndjson --lines findings`).
    Finding,
    /// A comparison (`compare --format json`).
    Compare,
    /// Explanations (`explain --format json`).
    Explain,
    /// The list of rules (`rules --format json`).
    Rules,
    /// The record of an attachment (each line of `triage --format ndjson`).
    Triage,
    /// What many records come to (the summary of `triage`).
    TriageSummary,
}

impl Published {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Report,
        Self::Finding,
        Self::Compare,
        Self::Explain,
        Self::Rules,
        Self::Triage,
        Self::TriageSummary,
    ];

    /// What it is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compare => "compare",
            Self::Explain => "explain",
            Self::Finding => "finding",
            Self::Report => "report",
            Self::Rules => "rules",
            Self::Triage => "triage",
            Self::TriageSummary => "triage-summary",
        }
    }

    /// The schema, with one line end behind it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Compare => include_str!("schema/compare.json"),
            Self::Explain => include_str!("schema/explain.json"),
            Self::Finding => include_str!("schema/finding.json"),
            Self::Report => include_str!("schema.json"),
            Self::Rules => include_str!("schema/rules.json"),
            Self::Triage => include_str!("schema/triage.json"),
            Self::TriageSummary => include_str!("schema/triage-summary.json"),
        }
    }
}

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;
    use schemars::{JsonSchema, Schema};
    use serde_json::Value;

    use super::*;
    use crate::report::{comparison, explain, json, ndjson, rules, triage};

    fn made<T: JsonSchema>() -> Value {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let schema: Schema = settings.into_generator().into_root_schema_for::<T>();
        schema.into()
    }

    fn made_of(published: Published) -> Value {
        match published {
            Published::Compare => made::<comparison::Document<'_>>(),
            Published::Explain => made::<explain::Document<'_>>(),
            Published::Finding => made::<ndjson::FindingLine<'_>>(),
            Published::Report => made::<json::Document<'_>>(),
            Published::Rules => made::<rules::Document<'_>>(),
            Published::Triage => made::<triage::Record>(),
            Published::TriageSummary => made::<triage::summary::Document>(),
        }
    }

    #[test]
    fn what_is_published_is_made_from_the_types() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report");
        for published in Published::ALL {
            let text = json::pretty(&made_of(published));
            if std::env::var_os("UPDATE").is_some() {
                let name = match published {
                    Published::Report => "schema.json".to_owned(),
                    other => format!("schema/{}.json", other.as_str()),
                };
                std::fs::write(folder.join(name), &text).unwrap();
                continue;
            }
            assert!(text == published.text(), "{published:?}: UPDATE=1 makes it anew");
        }
    }

    /// Every part of a schema that describes an object.
    fn objects<'a>(schema: &'a Value, into: &mut Vec<&'a serde_json::Map<String, Value>>) {
        match schema {
            Value::Object(map) => {
                if map.contains_key("properties") {
                    into.push(map);
                }
                map.values().for_each(|value| objects(value, into));
            }
            Value::Array(all) => all.iter().for_each(|value| objects(value, into)),
            _ => {}
        }
    }

    #[test]
    fn every_object_and_field_is_described() {
        for published in Published::ALL {
            let schema: Value = serde_json::from_str(published.text()).unwrap();
            let mut all = Vec::new();
            objects(&schema, &mut all);
            assert!(all.len() > 2, "{published:?}");
            for object in all {
                let name = &object["properties"];
                assert!(object.contains_key("required"), "{published:?}: {name}");
                assert!(object.contains_key("description"), "{published:?}: {name}");
                for (field, schema) in name.as_object().unwrap() {
                    let described = schema.as_object().is_some_and(|one| {
                        one.contains_key("description") || one.contains_key("$ref")
                    });
                    assert!(described, "{published:?}: {field}");
                }
            }
        }
    }

    #[test]
    fn closed_lists_are_those_that_were_agreed_on() {
        let schema: Value = serde_json::from_str(Published::Report.text()).unwrap();
        for (list, values) in [
            ("side", "application cannot_tell network nothing_wrong policy service user"),
            ("step_result", "ok pending interrupt failed no_response unknown"),
            (
                "flow",
                "oidc oauth_code oauth_implicit saml ws_fed ws_trust device_code ropc refresh \
                 silent client_credentials on_behalf_of broker unknown",
            ),
            (
                "step_kind",
                "discovery authorize home_realm credential_type password federation_redirect \
                 federation_return seamless_sso device_certificate user_certificate passkey \
                 phone_sign_in mfa_page mfa_begin mfa_poll mfa_code mfa_finish external_method \
                 registration keep_signed_in consent policy_page error_page account_choice \
                 continue app_return token device_code resource reset_password logout telemetry \
                 other",
            ),
            ("opened", "established mid_stream refused unanswered unreachable"),
            ("closed", "fin reset_by_client reset_by_server idle capture_end evicted"),
            ("mfa_state", "not_asked asked begun passed failed unknown"),
            ("confidence", "high medium low"),
            ("severity", "info warning error"),
            (
                "guide_cause",
                "not_registered expired_method network outdated_device security_policy",
            ),
            ("guide_answer", "supported contradicted not_visible"),
            ("transport", "quic tcp udp"),
        ] {
            let mut want: Vec<&str> = values.split_whitespace().collect();
            let listed = schema["$defs"][list]["enum"].as_array().unwrap();
            let mut got: Vec<&str> = listed.iter().map(|one| one.as_str().unwrap()).collect();
            want.sort_unstable();
            got.sort_unstable();
            assert_eq!(got, want, "{list}");
        }
        assert_eq!(schema["$defs"]["outcome"]["enum"].as_array().unwrap().len(), 20);
    }

    #[test]
    fn documents_name_their_schema() {
        for (published, name) in [
            (Published::Compare, comparison::SCHEMA),
            (Published::Explain, explain::SCHEMA),
            (Published::Finding, ndjson::SCHEMA),
            (Published::Report, json::SCHEMA),
            (Published::Rules, rules::SCHEMA),
            (Published::Triage, triage::SCHEMA),
            (Published::TriageSummary, triage::summary::SCHEMA),
        ] {
            let schema: Value = serde_json::from_str(published.text()).unwrap();
            assert_eq!(schema["title"], name);
            assert_eq!(schema["properties"]["schema"]["const"], name);
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        }
    }
}

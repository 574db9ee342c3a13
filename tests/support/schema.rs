//! A schema made strict, the fields it has, and documents broken in one place.
#![allow(clippy::indexing_slicing, reason = "test support")]

use std::collections::BTreeSet;

use jsonschema::Validator;
use mfatrace::report::schema::Published;
use serde_json::{Map, Value, json};

/// A field: where its object is described in the schema, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Field {
    pub(crate) object: String,
    pub(crate) name: String,
}

/// A published schema with additional properties forbidden.
pub(crate) struct Schemas {
    root: Value,
    validator: Validator,
}

impl Schemas {
    pub(crate) fn of(published: Published) -> Self {
        Self::closed(serde_json::from_str(published.text()).unwrap())
    }

    fn closed(mut root: Value) -> Self {
        close(&mut root);
        let validator =
            jsonschema::draft202012::options().should_validate_formats(true).build(&root).unwrap();
        Self { root, validator }
    }

    pub(crate) fn is_valid(&self, document: &Value) -> bool {
        self.validator.is_valid(document)
    }

    pub(crate) fn expect_valid(&self, name: &str, document: &Value) {
        let wrong: Vec<String> = self
            .validator
            .iter_errors(document)
            .take(5)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }

    /// Every field of every object.
    pub(crate) fn fields(&self) -> BTreeSet<Field> {
        let mut fields = BTreeSet::new();
        let mut add = |object: &str, schema: &Value| {
            for name in schema["properties"].as_object().into_iter().flat_map(Map::keys) {
                fields.insert(Field { object: object.to_owned(), name: name.clone() });
            }
        };
        add("", &self.root);
        for (name, schema) in self.root["$defs"].as_object().into_iter().flatten() {
            add(name, schema);
        }
        fields
    }

    /// The fields that have a value in a document, other than null and the empty list.
    pub(crate) fn filled(&self, document: &Value) -> BTreeSet<Field> {
        let mut filled = BTreeSet::new();
        self.walk(document, &mut |field, _, value| {
            if !value.is_null() && value.as_array().is_none_or(|all| !all.is_empty()) {
                filled.insert(field.clone());
            }
        });
        filled
    }

    /// Every field of a document with its place (JSON pointer) and value.
    fn walk(&self, document: &Value, visit: &mut dyn FnMut(&Field, &str, &Value)) {
        self.walk_at("", &self.root, "", document, visit);
    }

    fn walk_at<'a>(
        &'a self,
        object: &str,
        schema: &'a Value,
        place: &str,
        value: &Value,
        visit: &mut dyn FnMut(&Field, &str, &Value),
    ) {
        let (object, schema) = self.resolved(object, schema);
        match value {
            Value::Array(all) => {
                for (index, one) in all.iter().enumerate() {
                    self.walk_at("?", &schema["items"], &format!("{place}/{index}"), one, visit);
                }
            }
            Value::Object(map) => {
                for (name, one) in map {
                    let field = Field { object: object.to_owned(), name: name.clone() };
                    let place = format!("{place}/{name}");
                    visit(&field, &place, one);
                    self.walk_at("?", &schema["properties"][name], &place, one, visit);
                }
            }
            _ => {}
        }
    }

    /// What a schema stands for behind references and "or null".
    fn resolved<'a>(&'a self, object: &'a str, schema: &'a Value) -> (&'a str, &'a Value) {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.strip_prefix("#/$defs/").unwrap();
            return self.resolved(name, &self.root["$defs"][name]);
        }
        match schema["anyOf"].as_array() {
            Some(all) => {
                let one = all.iter().find(|one| one["type"] != "null").unwrap();
                self.resolved(object, one)
            }
            None => (object, schema),
        }
    }

    fn field(&self, field: &Field) -> (&Value, bool) {
        let object =
            if field.object.is_empty() { &self.root } else { &self.root["$defs"][&field.object] };
        let is_required =
            object["required"].as_array().is_some_and(|all| all.contains(&json!(field.name)));
        (&object["properties"][&field.name], is_required)
    }

    /// The types that a schema allows.
    fn types(&self, schema: &Value) -> Vec<String> {
        if let Some(all) = schema["anyOf"].as_array() {
            return all.iter().flat_map(|one| self.types(one)).collect();
        }
        match &self.resolved("", schema).1["type"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(all) => all.iter().filter_map(Value::as_str).map(Into::into).collect(),
            _ => Vec::new(),
        }
    }
}

/// Forbids additional properties in every object that has any.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") {
                map.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}

/// Values of which a schema of one type allows one.
fn probes() -> [(&'static str, Value); 6] {
    [
        ("null", Value::Null),
        ("boolean", json!(true)),
        ("number", json!(1.5)),
        ("string", json!("\u{1}~ no such value ~")),
        ("array", json!(["\u{1}"])),
        ("object", json!({ "\u{1}": 1 })),
    ]
}

/// Copies of a document with one fault each, in the first place of each field, with what was done.
pub(crate) fn breakages(
    schemas: &Schemas,
    document: &Value,
    fields: &BTreeSet<&Field>,
) -> Vec<(String, Value)> {
    let mut places: Vec<(Field, String, Value)> = Vec::new();
    schemas.walk(document, &mut |field, place, value| {
        let is_known = places.iter().any(|(known, ..)| known == field);
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if fields.contains(field) && !is_known && !is_empty {
            places.push((field.clone(), place.to_owned(), value.clone()));
        }
    });
    let mut broken = Vec::new();
    let mut add = |what: String, place: &str, change: &dyn Fn(&mut Value)| {
        let mut copy = document.clone();
        change(copy.pointer_mut(place).unwrap());
        broken.push((what, copy));
    };
    for (field, place, value) in &places {
        let (schema, is_required) = schemas.field(field);
        let name = format!("{}.{}", field.object, field.name);
        let types = schemas.types(schema);
        for (kind, probe) in probes() {
            if !types.iter().any(|one| one == kind) {
                add(format!("{name} is {kind}"), place, &|one| *one = probe.clone());
            }
        }
        let form = schemas.resolved("", schema).1;
        let is_listed = ["enum", "const", "pattern"].iter().any(|key| !form[*key].is_null())
            || !schema["const"].is_null();
        if is_listed {
            let other = json!("\u{1}~ no such value ~");
            add(format!("{name} is not listed"), place, &|one| *one = other.clone());
        }
        if form["minimum"] == 0 {
            add(format!("{name} is below zero"), place, &|one| *one = json!(-1));
        }
        if form["maximum"].is_u64() {
            add(format!("{name} is too large"), place, &|one| *one = json!(1_u64 << 40));
        }
        if value.is_array() {
            let items = schemas.types(&form["items"]);
            let (_, probe) = probes()
                .into_iter()
                .find(|(kind, _)| !items.iter().any(|one| one == kind))
                .unwrap();
            add(format!("{name} has a wrong element"), place, &|one| one[0] = probe.clone());
            let element = schemas.resolved("", &form["items"]).1;
            if !element["enum"].is_null() || !element["pattern"].is_null() {
                let other = json!("\u{1}~ no such value ~");
                add(format!("{name} has an unlisted element"), place, &|one| {
                    one[0] = other.clone();
                });
            }
        }
        let (parent, _) = place.rsplit_once('/').unwrap();
        let remove = |one: &mut Value| {
            one.as_object_mut().unwrap().remove(&field.name);
        };
        let add_other = |one: &mut Value| {
            one.as_object_mut().unwrap().insert("no_such_field".to_owned(), json!(1));
        };
        if is_required {
            add(format!("{name} is missing"), parent, &remove);
        }
        add(format!("{} has a field more", field.object), parent, &add_other);
    }
    broken
}

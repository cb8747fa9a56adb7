//! Event patterns of `EventBridge`: whether one matches an event.
//!
//! It knows the operators that the templates use, and panics at every other.
//! Source: Amazon `EventBridge` User Guide, "Comparison operators for use in event patterns".

use serde_json::{Map, Value};

/// The most characters that a pattern may have.
pub const LENGTH: usize = 2_048;

/// The most combinations that the lists below `$or` may make.
pub const COMBINATIONS: usize = 1_000;

/// Whether the event matches the pattern.
pub fn matches(pattern: &Value, event: &Value) -> bool {
    fields(pattern.as_object().unwrap(), Some(event))
}

/// In how many ways an event can match, where every item of a list is one.
pub fn combinations(pattern: &Value) -> usize {
    match pattern {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, wanted)| match (name.as_str(), wanted) {
                ("$or", Value::Array(patterns)) => patterns.iter().map(combinations).sum(),
                (_, Value::Array(conditions)) => conditions.len(),
                (_, nested) => combinations(nested),
            })
            .product(),
        other => panic!("a pattern is an object: {other}"),
    }
}

fn fields(pattern: &Map<String, Value>, event: Option<&Value>) -> bool {
    pattern
        .iter()
        .all(|(name, wanted)| match (name.as_str(), wanted) {
            ("$or", Value::Array(patterns)) => patterns
                .iter()
                .any(|pattern| fields(pattern.as_object().unwrap(), event)),
            (name, Value::Object(nested)) => fields(nested, event.and_then(|it| it.get(name))),
            (name, Value::Array(conditions)) => {
                let value = event.and_then(|it| it.get(name));
                conditions.iter().any(|condition| holds(condition, value))
            }
            (name, other) => panic!("{name} must be an object or a list: {other}"),
        })
}

/// Whether a field has the value that a condition wants. A field that is absent satisfies no condition
/// but `exists`.
fn holds(condition: &Value, value: Option<&Value>) -> bool {
    assert!(
        !matches!(value, Some(Value::Object(_) | Value::Array(_))),
        "a condition on a field that is not a plain value: {condition}"
    );
    let Value::Object(operator) = condition else {
        return value == Some(condition);
    };
    let (operator, operand) = only(operator);
    match (operator, operand, value) {
        ("exists", Value::Bool(exists), value) => *exists == value.is_some(),
        (_, _, None) => false,
        ("anything-but", Value::Object(operator), Some(value)) => {
            let (operator, operand) = only(operator);
            !any_of(operand, |operand| compare(operator, operand, value))
        }
        ("anything-but", operand, Some(value)) => !any_of(operand, |unwanted| unwanted == value),
        (operator, operand, Some(value)) => compare(operator, operand, value),
    }
}

fn compare(operator: &str, operand: &Value, value: &Value) -> bool {
    let test: fn(&str, &str) -> bool = match operator {
        "prefix" => |text, operand| text.starts_with(operand),
        "suffix" => |text, operand| text.ends_with(operand),
        "equals-ignore-case" => |text, operand| text.to_lowercase() == operand.to_lowercase(),
        "wildcard" => wildcard,
        other => panic!("the operator {other} is not implemented here"),
    };
    let operand = operand.as_str().unwrap();
    value.as_str().is_some_and(|text| test(text, operand))
}

/// Whether the text is the pattern, in which `*` stands for any characters or none.
fn wildcard(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return text == pattern;
    };
    let Some(text) = text.strip_prefix(start) else {
        return false;
    };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().any(|at| wildcard(&text[at..], rest))
}

fn any_of(operand: &Value, test: impl Fn(&Value) -> bool) -> bool {
    match operand {
        Value::Array(operands) => operands.iter().any(test),
        operand => test(operand),
    }
}

fn only(object: &Map<String, Value>) -> (&str, &Value) {
    assert_eq!(object.len(), 1, "one operator is expected: {object:?}");
    let (operator, operand) = object.iter().next().unwrap();
    (operator, operand)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_operator_matches_what_aws_documents() {
        for (conditions, matching, other) in [
            (json!(["a", "b"]), json!(["a", "b"]), json!(["c", "A", ""])),
            (
                json!([{"prefix": "a."}]),
                json!(["a.b"]),
                json!(["a", "b.a."]),
            ),
            (
                json!([{"suffix": ".b"}]),
                json!(["a.b"]),
                json!(["b", "a.bc"]),
            ),
            (
                json!([{"equals-ignore-case": "aB"}]),
                json!(["ab", "AB"]),
                json!(["abc"]),
            ),
            (
                json!([{"wildcard": "*a/b*c"}]),
                json!(["a/bc", "x a/b y c"]),
                json!(["a/b", "ab c", "a/bcd"]),
            ),
            (
                json!([{"anything-but": "a"}]),
                json!(["b", ""]),
                json!(["a"]),
            ),
            (
                json!([{"anything-but": ["a", "b"]}]),
                json!(["c"]),
                json!(["a", "b"]),
            ),
            (
                json!([{"anything-but": {"prefix": "a"}}]),
                json!(["ba"]),
                json!(["ab"]),
            ),
            (
                json!([{"anything-but": {"wildcard": ["*a*", "*b"]}}]),
                json!(["bc"]),
                json!(["cab", "cb"]),
            ),
            (json!([{"exists": true}]), json!(["", null]), json!([])),
            (
                json!([null, 1, true]),
                json!([null, 1, true]),
                json!(["1", 2]),
            ),
        ] {
            let pattern = json!({ "detail": { "field": conditions } });
            let is_match =
                |value: &Value| matches(&pattern, &json!({ "detail": { "field": value } }));
            for value in matching.as_array().unwrap() {
                assert!(is_match(value), "{pattern} must match {value}");
            }
            for value in other.as_array().unwrap() {
                assert!(!is_match(value), "{pattern} must not match {value}");
            }
        }
    }

    #[test]
    fn an_absent_field_matches_nothing_but_its_absence() {
        let event = json!({ "detail": {} });
        for (condition, expected) in [
            (json!({"exists": false}), true),
            (json!({"exists": true}), false),
            (json!({"anything-but": "a"}), false),
            (json!({"anything-but": {"prefix": "a"}}), false),
            (json!(null), false),
        ] {
            for pattern in [
                json!({ "detail": { "field": [condition] } }),
                json!({ "detail": { "parent": { "field": [condition] } } }),
            ] {
                assert_eq!(matches(&pattern, &event), expected, "{pattern}");
            }
        }
    }

    #[test]
    fn fields_are_joined_by_and_and_alternatives_by_or() {
        let pattern =
            json!({ "a": ["1"], "$or": [{ "b": ["1", "2"] }, { "b": ["3"], "c": ["1"] }] });
        for (event, expected) in [
            (json!({ "a": "1", "b": "2" }), true),
            (json!({ "a": "1", "b": "3", "c": "1" }), true),
            (json!({ "a": "1", "b": "3" }), false),
            (json!({ "a": "2", "b": "2" }), false),
        ] {
            assert_eq!(matches(&pattern, &event), expected, "{event}");
        }
        assert_eq!(combinations(&pattern), 3);
    }

    #[test]
    #[should_panic = "numeric is not implemented here"]
    fn an_unknown_operator_panics() {
        let pattern = json!({ "a": [{ "numeric": [">", 1] }] });
        matches(&pattern, &json!({ "a": 2 }));
    }
}

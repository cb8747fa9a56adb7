//! Evaluates the `CloudFormation` functions that the templates use, to get the policy that a template
//! makes with some parameters.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A template with its parameters.
pub struct Stack<'a> {
    template: &'a Value,
    parameters: BTreeMap<String, String>,
}

impl<'a> Stack<'a> {
    /// The template with these parameters, and its defaults for the rest.
    pub fn new<const N: usize>(template: &'a Value, given: [(&str, &str); N]) -> Self {
        let mut parameters: BTreeMap<String, String> = template["Parameters"]
            .as_object()
            .unwrap()
            .iter()
            .filter_map(|(name, it)| Some((name.clone(), it["Default"].as_str()?.to_owned())))
            .collect();
        for (name, value) in given {
            assert!(template["Parameters"].get(name).is_some(), "no {name}");
            parameters.insert(name.to_owned(), value.to_owned());
        }
        parameters.insert("AWS::Partition".to_owned(), "aws".to_owned());
        Self {
            template,
            parameters,
        }
    }

    /// A property of a resource.
    pub fn property(&self, resource: &str, name: &str) -> Value {
        self.resolve(&self.template["Resources"][resource]["Properties"][name])
            .unwrap()
    }

    /// The value, or `None` for `AWS::NoValue`.
    fn resolve(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(items) => Some(items.iter().filter_map(|it| self.resolve(it)).collect()),
            Value::Object(fields) => match fields.iter().next() {
                Some((name, arguments)) if name == "Ref" || name.starts_with("Fn::") => {
                    assert_eq!(fields.len(), 1, "{value}");
                    self.call(name, arguments)
                }
                _ => {
                    let fields: Map<String, Value> = fields
                        .iter()
                        .filter_map(|(name, it)| Some((name.clone(), self.resolve(it)?)))
                        .collect();
                    Some(fields.into())
                }
            },
            plain => Some(plain.clone()),
        }
    }

    fn call(&self, function: &str, arguments: &Value) -> Option<Value> {
        match (function, arguments) {
            ("Ref", Value::String(name)) if name == "AWS::NoValue" => None,
            ("Ref", Value::String(name)) => Some(self.parameters[name].clone().into()),
            ("Fn::If", Value::Array(it)) => {
                let holds = self.holds(&self.template["Conditions"][it[0].as_str().unwrap()]);
                self.resolve(&it[if holds { 1 } else { 2 }])
            }
            ("Fn::Sub", Value::String(text)) => Some(self.substitute(text, &Map::new()).into()),
            ("Fn::Sub", Value::Array(it)) => {
                let names = self.resolve(&it[1])?;
                let text = it[0].as_str().unwrap();
                Some(self.substitute(text, names.as_object().unwrap()).into())
            }
            ("Fn::Select", Value::Array(it)) => {
                let index = usize::try_from(it[0].as_u64().unwrap()).unwrap();
                self.resolve(&it[1])?.get(index).cloned()
            }
            ("Fn::Split", Value::Array(it)) => {
                let text = self.resolve(&it[1])?;
                let by = it[0].as_str().unwrap();
                Some(text.as_str().unwrap().split(by).collect())
            }
            _ => panic!("{function} is not implemented here: {arguments}"),
        }
    }

    fn substitute(&self, text: &str, names: &Map<String, Value>) -> String {
        let mut text = text.to_owned();
        for (name, value) in names {
            text = text.replace(&format!("${{{name}}}"), value.as_str().unwrap());
        }
        for (name, value) in &self.parameters {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        assert!(!text.contains("${"), "unknown variable: {text}");
        text
    }

    fn holds(&self, condition: &Value) -> bool {
        let (function, arguments) = condition.as_object().unwrap().iter().next().unwrap();
        let arguments = arguments.as_array().unwrap();
        match function.as_str() {
            "Fn::Equals" => self.resolve(&arguments[0]) == self.resolve(&arguments[1]),
            "Fn::Not" => !self.holds(&arguments[0]),
            "Fn::Or" => arguments.iter().any(|it| self.holds(it)),
            _ => panic!("{function} is not implemented here"),
        }
    }
}

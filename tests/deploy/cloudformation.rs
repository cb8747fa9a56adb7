//! Evaluates the `CloudFormation` functions that the templates use, to get the policy that a template
//! makes with some parameters.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A template with its parameters, and its loops expanded.
pub struct Stack {
    template: Value,
    parameters: BTreeMap<String, String>,
}

impl Stack {
    /// The template with these parameters, and its defaults for the rest.
    pub fn new<const N: usize>(template: &Value, given: [(&str, &str); N]) -> Self {
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
        for (name, value) in [
            ("AWS::AccountId", "999988887777"),
            ("AWS::Partition", "aws"),
            ("AWS::Region", "us-east-1"),
            ("AWS::URLSuffix", "amazonaws.com"),
        ] {
            parameters.insert(name.to_owned(), value.to_owned());
        }
        let mut stack = Self {
            template: template.clone(),
            parameters,
        };
        for section in ["Resources", "Outputs"] {
            if let Some(content) = template.get(section) {
                stack.template[section] = stack.expanded(content);
            }
        }
        stack
    }

    /// The names of the resources of a type that the stack has.
    pub fn resources(&self, kind: &str) -> Vec<&str> {
        let resources = self.template["Resources"].as_object().unwrap().iter();
        resources
            .filter(|(_, resource)| resource["Type"] == kind)
            .filter(|(_, resource)| match resource["Condition"].as_str() {
                Some(name) => self.holds(&self.template["Conditions"][name]),
                None => true,
            })
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// A property of a resource.
    pub fn property(&self, resource: &str, name: &str) -> Value {
        self.resolve(&self.template["Resources"][resource]["Properties"][name])
            .unwrap()
    }

    /// The value of an output.
    pub fn output(&self, name: &str) -> Value {
        self.resolve(&self.template["Outputs"][name]["Value"])
            .unwrap()
    }

    /// A section of the template in which each loop has become what it makes.
    fn expanded(&self, section: &Value) -> Value {
        let mut made = Map::new();
        for (name, content) in section.as_object().unwrap() {
            if !name.starts_with("Fn::ForEach::") {
                made.insert(name.clone(), content.clone());
                continue;
            }
            let [Value::String(variable), collection, body] = &content.as_array().unwrap()[..]
            else {
                panic!("expected a variable, a collection and a body: {content}");
            };
            for item in self.resolve(collection).unwrap().as_array().unwrap() {
                let item = item.as_str().unwrap();
                let bare: String = item.chars().filter(char::is_ascii_alphanumeric).collect();
                let body = body
                    .to_string()
                    .replace(&format!("${{{variable}}}"), item)
                    .replace(&format!("&{{{variable}}}"), &bare);
                let body: Map<String, Value> = serde_json::from_str(&body).unwrap();
                for (name, content) in body {
                    let previous = made.insert(name.clone(), content);
                    assert!(previous.is_none(), "{name} exists twice");
                }
            }
        }
        made.into()
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
            // What refers to a resource stays as it is.
            ("Ref", Value::String(name)) if self.template["Resources"].get(name).is_some() => {
                Some(json!({ "Ref": name }))
            }
            ("Ref", Value::String(name)) => Some(self.parameter(name)),
            ("Fn::GetAtt", Value::String(both)) => {
                let (resource, attribute) = both.split_once('.').unwrap();
                Some(json!({ "Fn::GetAtt": [resource, attribute] }))
            }
            ("Fn::GetAtt", both) => Some(json!({ "Fn::GetAtt": self.resolve(both)? })),
            ("Fn::Join", Value::Array(it)) => {
                let items = self.resolve(&it[1])?;
                let items = items.as_array().unwrap().iter();
                let items: Vec<&str> = items.map(|item| item.as_str().unwrap()).collect();
                Some(items.join(it[0].as_str().unwrap()).into())
            }
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

    fn parameter(&self, name: &str) -> Value {
        let value = &self.parameters[name];
        if self.template["Parameters"][name]["Type"] == "CommaDelimitedList" {
            return value.split(',').collect();
        }
        value.clone().into()
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

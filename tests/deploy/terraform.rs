//! The Terraform modules: they are stacks of the `CloudFormation` templates, with parameters that the
//! templates have. No provider runs them here.

use std::{fs, iter};

use serde_json::{Value, json};

use test_support::program::yaml;
use test_support::repository;

use super::support::python;

/// The resources of a module that calls those of this project.
fn evaluate(module: &str) -> Value {
    python("terraform.py", &[], module)
}

fn of_kind<'a>(resources: &'a Value, kind: &str) -> Vec<&'a Value> {
    let found = resources[kind].as_array();
    found.into_iter().flatten().collect()
}

/// The stack or set of this name, which must be that of a template, with all that the template requires
/// and nothing that it does not know: its parameters.
fn parameters<'a>(stacks: &[&'a Value], name: &str, template: &str) -> &'a Value {
    let mut named = stacks.iter().filter(|stack| stack["name"] == name);
    let stack = named.next().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(named.next(), None, "two {name}");
    let file = repository(format!("deploy/aws/{template}"));
    assert!(
        stack["template_body"] == fs::read_to_string(&file).unwrap(),
        "{name} is not of {template}"
    );
    let template = yaml(iter::once(file)).remove(0);
    let known = template["Parameters"].as_object().unwrap();
    let given = stack["parameters"].as_object().unwrap();
    for parameter in given.keys() {
        assert!(
            known.contains_key(parameter),
            "{name}: the template has no {parameter}"
        );
    }
    for (parameter, definition) in known {
        let is_required = definition.get("Default").is_none();
        assert!(
            !is_required || given.contains_key(parameter),
            "{name}: {parameter} is missing"
        );
    }
    let transforms = template.get("Transform").is_some();
    let capability = if transforms {
        "CAPABILITY_AUTO_EXPAND"
    } else {
        "CAPABILITY_NAMED_IAM"
    };
    assert_eq!(stack["capabilities"], json!([capability]), "{name}");
    &stack["parameters"]
}

#[test]
fn the_hub_is_one_stack_and_with_events_two() {
    let resources = evaluate("module \"hub\" { source = \"TOP/deploy/terraform/hub\" }");
    let stacks = of_kind(&resources, "aws_cloudformation_stack");
    assert_eq!(stacks.len(), 1);
    let role = parameters(&stacks, "aws-root-exporter-hub", "hub.yaml");
    assert_eq!(*role, json!({ "OrganizationId": "", "EventQueueArns": "" }));

    let resources = evaluate(
        r#"module "hub" {
             source          = "TOP/deploy/terraform/hub"
             organization_id = "o-a1b2c3d4e5"
             shards          = 3
             events          = true
             parameters      = { Workload = "eks-irsa", Access = "both" }
           }"#,
    );
    let stacks = of_kind(&resources, "aws_cloudformation_stack");
    assert_eq!(stacks.len(), 2);
    let role = parameters(&stacks, "aws-root-exporter-hub", "hub.yaml");
    assert_eq!(role["OrganizationId"], "o-a1b2c3d4e5");
    assert_eq!(role["Workload"], "eks-irsa");
    let events = parameters(&stacks, "aws-root-exporter-events-hub", "events-hub.yaml");
    assert_eq!(
        *events,
        json!({ "OrganizationId": "o-a1b2c3d4e5", "Queues": "0,1,2" })
    );
}

#[test]
fn the_members_have_a_role_and_with_a_bus_rules() {
    let role = "arn:aws:iam::111122223333:role/aws-root-exporter-hub";
    let bus = "arn:aws:events:us-east-1:111122223333:event-bus/aws-root-exporter";
    for (bus, count) in [(None, 1), (Some(bus), 2)] {
        let setting = bus
            .map(|bus| format!("bus_arn = \"{bus}\""))
            .unwrap_or_default();
        let resources = evaluate(&format!(
            r#"module "member" {{
                 source                  = "TOP/deploy/terraform/member"
                 hub_role_arn            = "{role}"
                 organizational_unit_ids = ["r-exam"]
                 parameters              = {{ ExternalId = "example" }}
                 {setting}
               }}"#
        ));
        let sets = of_kind(&resources, "aws_cloudformation_stack_set");
        let instances = of_kind(&resources, "aws_cloudformation_stack_instances");
        assert_eq!((sets.len(), instances.len()), (count, count));
        for set in &sets {
            assert_eq!(set["permission_model"], "SERVICE_MANAGED");
            assert_eq!(
                set["auto_deployment"]["enabled"], true,
                "{}",
                set["auto_deployment"]
            );
        }
        for instances in instances {
            assert_eq!(instances["regions"], json!(["us-east-1"]));
            let targets = &instances["deployment_targets"];
            assert_eq!(
                targets["organizational_unit_ids"],
                json!(["r-exam"]),
                "{targets}"
            );
        }
        let given = parameters(&sets, "aws-root-exporter", "member-role.stackset.yaml");
        assert_eq!(
            *given,
            json!({ "HubRoleArn": role, "ExternalId": "example" })
        );
        if let Some(bus) = bus {
            let given = parameters(
                &sets,
                "aws-root-exporter-events",
                "events-member.stackset.yaml",
            );
            assert_eq!(*given, json!({ "BusArn": bus }));
        }
    }
}
